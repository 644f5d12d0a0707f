#include "apiserver/authorizer.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

using api::Json;
using registry::Intent;

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

bool is_role(const Intent& intent) {
    return intent.resource.plural == "roles" || intent.resource.plural == "clusterroles";
}

/// Nothing but what the garbage collector changes.
bool only_owners_changed(const Intent& intent) {
    if (!intent.old) return false;
    const auto bare = [](Json object) {
        auto& metadata = api::make_object(object, {"metadata"});
        for (const char* field : {"ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"})
            metadata.erase(field);
        return object;
    };
    return bare(intent.object) == bare(*intent.old);
}

Attributes question(const Intent& intent, std::string verb, std::string plural, std::string_view name) {
    Attributes out;
    out.caller = intent.caller;
    out.verb = std::move(verb);
    out.group = rbac_group;
    out.version = "v1";
    out.plural = std::move(plural);
    out.namespace_ = intent.namespace_;
    out.name = name;
    return out;
}

std::string list_of(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : " ") + api::to_text(Json(word));
    return "[" + out + "]";
}

std::optional<api::Status> refuse_more_than_held(const Authorizer& authorizer, const Intent& intent,
                                                 const PolicyRules& wanted) {
    const auto held = authorizer.rules(intent.caller, intent.namespace_);
    const auto lacking = missing(held, wanted);
    if (lacking.empty()) return std::nullopt;
    std::vector<std::string> lines;
    for (const auto& rule : lacking) lines.push_back(rule.compact());
    std::ranges::sort(lines);
    std::string why = "user " + api::to_text(Json(intent.caller.user)) + " (groups=" + list_of(intent.caller.groups) +
                      ") is attempting to grant RBAC permissions not currently held:";
    for (const auto& line : lines) {
        if (why.size() > limits::causes_bytes_max) break;
        why += "\n" + line;
    }
    return api::forbidden(intent.resource.plural, rbac_group, api::find_text(intent.object, {"metadata", "name"}), why);
}

std::optional<api::Status> judge_role(const Authorizer& authorizer, const Intent& intent) {
    const auto name = api::find_text(intent.object, {"metadata", "name"});
    if (authorizer.allows(question(intent, "escalate", intent.resource.plural, name))) return std::nullopt;
    if (auto refused = refuse_more_than_held(authorizer, intent, rules_of(intent.object))) return refused;
    const auto* aggregation = api::find(intent.object, {"aggregationRule"});
    if (!aggregation || aggregation->is_null()) return std::nullopt;
    // it can gather anything
    const PolicyRules everything{{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}};
    if (!refuse_more_than_held(authorizer, intent, everything)) return std::nullopt;
    return api::forbidden(intent.resource.plural, rbac_group, name,
                          "must have cluster-admin privileges to use the aggregationRule");
}

std::optional<api::Status> judge_binding(const Authorizer& authorizer, const Intent& intent) {
    const std::string kind(api::find_text(intent.object, {"roleRef", "kind"}));
    const std::string name(api::find_text(intent.object, {"roleRef", "name"}));
    const auto* plural = kind == "Role" ? "roles" : "clusterroles";
    if (authorizer.allows(question(intent, "bind", plural, name))) return std::nullopt;
    const auto wanted = authorizer.rules_of_role(kind, intent.namespace_, name);
    if (!wanted) return api::not_found(plural, rbac_group, name);
    return refuse_more_than_held(authorizer, intent, *wanted);
}

/// A patch that creates needs the right to create too.
std::optional<api::Status> judge_applied(const Authorizer& authorizer, const Intent& intent) {
    Attributes asked;
    asked.caller = intent.caller;
    asked.verb = "create";
    asked.group = intent.resource.group;
    asked.version = intent.resource.version;
    asked.plural = intent.resource.plural;
    asked.namespace_ = intent.namespace_;
    asked.name = api::find_text(intent.object, {"metadata", "name"});
    if (authorizer.allows(asked)) return std::nullopt;
    return refusal(asked);
}

}  // namespace

registry::Guard escalation_guard(const Authorizer& authorizer) {
    return [&authorizer](const Intent& intent) -> std::optional<api::Status> {
        if (is_master(intent.caller)) return std::nullopt;
        if (intent.applied)
            if (auto refused = judge_applied(authorizer, intent)) return refused;
        if (intent.resource.group != rbac_group || only_owners_changed(intent)) return std::nullopt;
        return is_role(intent) ? judge_role(authorizer, intent) : judge_binding(authorizer, intent);
    };
}

}  // namespace ocim::apiserver
