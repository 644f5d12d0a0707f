#include "base/utf8.hpp"
#include "gitops/manifest.hpp"
#include "gitops/wire.hpp"

#include "fuzz/fuzz.hpp"

#include <set>

using namespace ocim;

namespace {

void check_wire(std::string_view text) {
    std::string_view rest;
    const auto refs = gitops::read_refs(text, rest);
    if (!refs) {
        fuzz::expect(valid_utf8(refs.error().message, 10'000) == refs.error().message, "an error can be stored",
                     refs.error().message);
        return;
    }
    fuzz::expect(rest.size() <= text.size(), "what is left was there", std::string(text));
    for (const auto& [name, id] : refs->own) {
        fuzz::expect(id.size() == 40, "an id has 40 digits", id);
        fuzz::expect(refs->tips.contains(name), "what has a ref points at something", name);
    }
    if (const auto target = gitops::target_of(*refs, {}))
        fuzz::expect(target->commit.size() == 40, "a commit has 40 digits", target->commit);
    const auto pack = gitops::read_pack(rest, *refs);
    fuzz::expect(!pack || pack->size() <= rest.size(), "a pack is a part of the answer", std::string(text));
}

void check_manifests(const std::string& text) {
    auto read = gitops::read_manifests({{"a.yaml", text}, {"b.json", text}});
    for (const auto& one : read.items) {
        fuzz::expect(!one.id.name.empty() && !one.id.kind.empty(), "an object has a name and a kind", text);
        fuzz::expect(one.object.is_object() && !one.object.get_object().contains("status"), "no status is applied",
                     text);
    }
    const auto commit = gitops::placed(std::move(read), {{{"v1", "Secret"}, {true}}}, "home");
    std::set<gitops::ObjectId> seen;
    for (const auto& one : commit.items)
        fuzz::expect(seen.insert(one.id).second, "no object is described twice", one.id.text());
    for (const auto& fault : commit.faults)
        fuzz::expect(!fault.message.empty(), "a fault says what is wrong", fault.text());
}

}  // namespace

/// What a Git server may say, and what a file of a repository may hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    check_wire(text);
    check_manifests(text);
    return 0;
}
