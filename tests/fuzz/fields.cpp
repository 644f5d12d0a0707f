#include "api/managed_fields.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using api::FieldSet;

namespace {

std::string shown(const FieldSet& set) { return api::to_text(set.to_json()); }

std::optional<FieldSet> read(std::string_view text) {
    const auto json = api::parse_json(text);
    return json ? FieldSet::from_json(json->value) : std::nullopt;
}

/// What holds for sets whatever is in them.
void laws(FieldSet a, FieldSet b) {
    a.tidy();
    b.tidy();
    a.member = b.member = false;  // the whole object is no place in it
    const auto both = shown(a) + "\n" + shown(b);
    fuzz::expect(FieldSet::from_json(a.to_json()) == a, "a set is written and read", both);
    fuzz::expect(api::unite(a, a) == a && api::intersect(a, a) == a, "a set is itself", both);
    fuzz::expect(api::unite(a, b) == api::unite(b, a), "uniting has no order", both);
    fuzz::expect(api::intersect(a, b) == api::intersect(b, a), "nor has intersecting", both);
    fuzz::expect(api::subtract(a, a).empty(), "nothing is left of itself", both);
    fuzz::expect(api::intersect(api::subtract(a, b), b).empty(), "what was taken away is gone", both);
    fuzz::expect(api::unite(api::subtract(a, b), api::intersect(a, b)) == a, "the parts are the whole", both);
    const auto whole = api::subtract_whole(a, b);
    fuzz::expect(api::subtract(whole, a).empty(), "less of it is in it", both);
    fuzz::expect(api::intersect(whole, b).empty(), "and not in the other", both);
    std::size_t paths = 0;
    a.each([&](const std::string&) { ++paths; });
    fuzz::expect((paths == 0) == a.empty(), "each member has a path", both);
}

void entries(std::string_view text) {
    const auto json = api::parse_json(text);
    if (!json) return;
    auto read = api::read_entries(&json->value);
    const auto written = api::write_entries(read);
    if (!written.is_null()) {
        const auto again = api::write_entries(api::read_entries(&written));
        fuzz::expect(again == written, "entries are written and read", api::to_text(written));
    }
    api::cap_updates(read);
    const auto bounded = read.size();
    api::cap_updates(read);
    fuzz::expect(read.size() == bounded, "what is bounded stays as it is", api::to_text(written));
}

}  // namespace

/// metadata.managedFields, or two sets: a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::lines(data, size, 2);
    entries(input[0]);
    auto a = read(input[0]);
    auto b = read(input[1]);
    if (a && b) laws(*std::move(a), *std::move(b));
    return 0;
}
