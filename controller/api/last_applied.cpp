#include "api/last_applied.hpp"

namespace ocim::api {

bool keeps_last_applied(std::string_view manager) { return manager == "kubectl"; }

FieldSet set_by_last_applied(const Json& live, const TypeNode& type, std::string_view api_version) {
    const auto text = find_text(live, {"metadata", "annotations", last_applied_annotation});
    if (text.empty()) return {};
    const auto last = parse_json(text);
    if (!last || !last->value.is_object() || find_text(last->value, {"apiVersion"}) != api_version) return {};
    if (!misfits(last->value, type).empty()) return {};
    const auto change = compare(last->value, live, type);
    auto out = places(last->value, type);
    for (const auto* changed : {&change.added, &change.modified, &change.removed})
        out = subtract(std::move(out), *changed);
    return out;
}

void update_last_applied(Json& object, const Json& applied) {
    if (find_text(object, {"metadata", "annotations", last_applied_annotation}).empty()) return;
    Json last = applied;
    auto* metadata = last.get_object().if_contains("metadata");
    auto* annotations = metadata && metadata->is_object() ? metadata->get_object().if_contains("annotations") : nullptr;
    if (annotations && annotations->is_object()) annotations->get_object().stable_erase(last_applied_annotation);
    make_object(object, {"metadata", "annotations"})[last_applied_annotation] = to_text(last) + "\n";
}

}  // namespace ocim::api
