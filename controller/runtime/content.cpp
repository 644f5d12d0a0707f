#include "runtime/content.hpp"

#include <functional>
#include <string>

namespace ocim::runtime {

using api::Json;

namespace {

void add_part(const Json& object, std::initializer_list<std::string_view> path, std::string& out) {
    if (const auto* part = api::find(object, path)) out += api::to_text(*part);
    out += '\n';
}

/// For people; nobody decides by it. One Instance more is no news for all the others of its class, and no visitor is
/// any for the site.
bool only_counts(std::string_view field, const Json& value) {
    return field == "objects" || field == "orphans" || field == "lastObserved" || field == "traffic" ||
           field == "serverStates" || (field == "instances" && value.is_number());
}

std::string content(const Json& object) {
    std::string out(api::find_text(object, {"metadata", "uid"}));
    add_part(object, {"metadata", "labels"}, out);
    add_part(object, {"metadata", "annotations"}, out);
    add_part(object, {"spec"}, out);
    add_part(object, {"data"}, out);
    const auto* status = api::find(object, {"status"});
    if (!status || !status->is_object()) return out;
    for (const auto& field : status->get_object()) {
        const auto name = field.key();
        if (name == "conditions" || name == "observedGeneration" || only_counts(name, field.value())) continue;
        out += name;
        out += api::to_text(field.value());
    }
    return out;
}

std::string conditions(const Json& object) {
    std::string out;
    const auto* items = api::find(object, {"status", "conditions"});
    if (!items || !items->is_array()) return out;
    for (const auto& item : items->get_array())
        for (const std::string_view field : {"type", "status", "reason"}) {
            out += api::find_text(item, {field});
            out += '\n';
        }
    return out;
}

}  // namespace

std::size_t content_hash(const Json& object) { return std::hash<std::string>()(content(object)); }

bool tells_news(const Json& before, const Json& after) {
    return api::find_text(before, {"metadata", "deletionTimestamp"}) !=
               api::find_text(after, {"metadata", "deletionTimestamp"}) ||
           conditions(before) != conditions(after) || content(before) != content(after);
}

}  // namespace ocim::runtime
