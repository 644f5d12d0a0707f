#include "cli/needed_secrets.hpp"

#include "cli/targets.hpp"
#include "runtime/engine.hpp"

#include <algorithm>
#include <map>

namespace ocim::cli {

namespace {

using api::Json;

/// Of a namespace that needs more than these all are read at once: sooner done than one by one.
constexpr std::size_t one_by_one_max = 20;

void add_words(const Json& value, std::set<std::string>& out) {
    if (const auto* text = value.if_string()) {
        out.emplace(text->data(), text->size());
    } else if (const auto* list = value.if_array()) {
        for (const auto& item : *list) add_words(item, out);
    } else if (const auto* object = value.if_object()) {
        for (const auto& member : *object) add_words(member.value(), out);
    }
}

bool has_annotation_of_ours(const Json& secret) {
    const auto* annotations = api::find(secret, {"metadata", "annotations"});
    return annotations && annotations->is_object() &&
           std::ranges::any_of(annotations->get_object(),
                               [](const auto& one) { return one.key().starts_with(runtime::group); });
}

bool has_finalizer_of_ours(const Json& secret) {
    const auto* finalizers = api::find(secret, {"metadata", "finalizers"});
    return finalizers && finalizers->is_array() && std::ranges::any_of(finalizers->get_array(), [](const Json& one) {
               return one.is_string() && one.get_string().starts_with(runtime::group);
           });
}

bool has_owner_of_ours(const Json& secret) {
    const auto* owners = api::find(secret, {"metadata", "ownerReferences"});
    return owners && owners->is_array() && std::ranges::any_of(owners->get_array(), [](const Json& one) {
               return api::find_text(one, {"apiVersion"}).starts_with(runtime::group);
           });
}

using ByNamespace = std::map<std::string, std::vector<Json*>>;

/// Puts the data to the metadata of one namespace's Secrets.
Answer<> read_namespace(Connection& server, const ServedKind& kind, const std::string& namespace_,
                        const std::vector<Json*>& needed) {
    std::map<std::string, Json> whole;
    if (needed.size() > one_by_one_max) {
        auto all = list(server, kind, namespace_);
        if (!all) return std::move(all).error();
        for (auto& one : *all) whole[std::string(api::find_text(one, {"metadata", "name"}))] = std::move(one);
    }
    for (auto* secret : needed) {
        const std::string name(api::find_text(*secret, {"metadata", "name"}));
        if (const auto found = whole.find(name); found != whole.end()) {
            *secret = std::move(found->second);
            continue;
        }
        auto one = server.get(kind.target(namespace_, name));
        if (!one && one.error().code == 404) continue;  // it has gone meanwhile
        if (!one) return std::move(one).error();
        *secret = *std::move(one);
    }
    return {};
}

}  // namespace

std::set<std::string> words_in(const std::vector<Json>& objects) {
    std::set<std::string> out;
    for (const auto& object : objects) add_words(object, out);
    return out;
}

bool is_needed(const Json& secret, const std::set<std::string>& words) {
    return words.contains(std::string(api::find_text(secret, {"metadata", "name"}))) ||
           has_annotation_of_ours(secret) || has_finalizer_of_ours(secret) || has_owner_of_ours(secret);
}

Answer<std::vector<Json>> read_secrets(Connection& server, const ServedKind& secrets,
                                       const std::vector<Json>& objects) {
    auto found = list_metadata(server, secrets);
    if (!found) return found;
    const auto words = words_in(objects);
    ByNamespace needed;
    for (auto& secret : *found)
        if (is_needed(secret, words))
            needed[std::string(api::find_text(secret, {"metadata", "namespace"}))].push_back(&secret);
    for (const auto& [namespace_, some] : needed)
        if (auto read = read_namespace(server, secrets, namespace_, some); !read) return std::move(read).error();
    return found;
}

}  // namespace ocim::cli
