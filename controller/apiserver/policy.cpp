#include "apiserver/policy.hpp"

#include "apiserver/authorizer.hpp"

namespace ocim::apiserver {

namespace {

using api::Json;

constexpr auto group = "rbac.authorization.k8s.io";
constexpr auto autoupdate = "rbac.authorization.kubernetes.io/autoupdate";

registry::WriteOptions as_ourselves() {
    registry::WriteOptions out;
    out.caller.user = "system:ocim";
    out.caller.groups = {std::string(masters_group)};
    out.field_manager = "ocim";
    return out;
}

/// Adds to a stored role the rules it lacks; false when there are none.
bool add_rules(Json& stored, const Json& wanted) {
    const auto lacking = missing(rules_of(stored), rules_of(wanted));
    if (lacking.empty()) return false;
    auto& rules = stored.as_object()["rules"];
    if (!rules.is_array()) rules = api::json::array();
    for (const auto& rule : lacking) rules.get_array().push_back(rule.to_json());
    return true;
}

/// The same for the subjects of a binding.
bool add_subjects(Json& stored, const Json& wanted) {
    auto& subjects = stored.as_object()["subjects"];
    if (!subjects.is_array()) subjects = api::json::array();
    bool added = false;
    for (const auto& subject : wanted.at("subjects").as_array()) {
        const auto& there = subjects.get_array();
        if (std::find(there.begin(), there.end(), subject) != there.end()) continue;
        subjects.get_array().push_back(subject);
        added = true;
    }
    return added;
}

awaitable<registry::Outcome<void>> install(registry::Registry& registry, Json object) {
    const auto kind = api::find_text(object, {"kind"});
    const auto* resource = registry.resource_of_kind(group, "v1", kind);
    assert(resource);
    const bool role = resource->plural == "clusterroles";
    const std::string name(api::find_text(object, {"metadata", "name"}));
    api::make_object(object, {"metadata", "annotations"})[autoupdate] = "true";
    api::make_object(object, {"metadata", "labels"})["kubernetes.io/bootstrapping"] = "rbac-defaults";
    const auto found = registry.get(*resource, "", name);
    if (!found) {
        if (found.error().code != 404) co_return found.error();
        api::Parsed body{std::move(object), {}};
        auto made = co_await registry.create(*resource, "", name, std::move(body), as_ourselves());
        if (!made) co_return std::move(made).error();
        co_return registry::Outcome<void>();
    }
    api::Parsed stored{found->parsed(), {}};
    if (api::find_text(stored.value, {"metadata", "annotations", autoupdate}) != "true")
        co_return registry::Outcome<void>();
    const bool changed = role ? add_rules(stored.value, object) : add_subjects(stored.value, object);
    if (!changed) co_return registry::Outcome<void>();
    auto put = co_await registry.update(*resource, "", name, std::move(stored), as_ourselves());
    if (!put) co_return std::move(put).error();
    co_return registry::Outcome<void>();
}

}  // namespace

awaitable<Result<void>> install_policy(registry::Registry& registry) {
    for (const auto text : policies()) {
        auto list = api::parse_json(text);
        if (!list) co_return std::move(list).error().within("a built-in policy");
        for (auto& item : list->value.as_object().at("items").as_array()) {
            const std::string name(api::find_text(item, {"metadata", "name"}));
            auto installed = co_await install(registry, std::move(item));
            if (!installed) co_return api::to_error(installed.error()).within("role " + name);
        }
    }
    co_return Result<void>();
}

}  // namespace ocim::apiserver
