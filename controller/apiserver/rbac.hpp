#pragma once

#include "api/json.hpp"
#include "registry/registry.hpp"

#include <string>
#include <string_view>
#include <vector>

/// The meaning of RBAC's rules: pure functions.
namespace ocim::apiserver {

/// One question: may this caller do this?
struct Attributes {
    registry::Caller caller;
    std::string verb;
    /// Of a resource; `plural` is empty for other paths, which are told by `path`.
    std::string group, version, plural, subresource, namespace_, name;
    std::string path;
};

/// rbac.authorization.k8s.io/v1 PolicyRule: on resources, or on paths that are none.
struct PolicyRule {
    std::vector<std::string> verbs, groups, resources, names, paths;
    bool operator==(const PolicyRule&) const = default;

    api::json::object to_json() const;
    /// As Kubernetes prints one in a refusal: {APIGroups:[""], Resources:["secrets"], Verbs:["get"]}.
    std::string compact() const;
};
using PolicyRules = std::vector<PolicyRule>;

/// `rules` of a Role or ClusterRole; what is no rule is left out.
PolicyRules rules_of(const api::Json& role);

bool allows(const PolicyRule& rule, const Attributes& asked);
bool allows(const PolicyRules& rules, const Attributes& asked);

/// What of `wanted` somebody who has `held` does not have; empty when he has it all. What cannot be told within
/// limits::rbac_parts_max counts as not held.
PolicyRules missing(const PolicyRules& held, const PolicyRules& wanted);

}  // namespace ocim::apiserver
