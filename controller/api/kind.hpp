#pragma once

#include <string>
#include <string_view>

namespace ocim::api {

/// What a kind is called on the wire. Views of literals: generated types and the built-in kinds hold one.
struct Kind {
    std::string_view group, version, name, plural;
    bool namespaced = true;

    /// "ocim.opencraft.com/v1alpha1", or "v1" for the core group.
    std::string api_version() const {
        return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
    }
    bool operator==(const Kind&) const = default;
};

inline constexpr Kind namespace_kind{"", "v1", "Namespace", "namespaces", false};
inline constexpr Kind secret_kind{"", "v1", "Secret", "secrets"};
inline constexpr Kind config_map_kind{"", "v1", "ConfigMap", "configmaps"};
inline constexpr Kind event_kind{"events.k8s.io", "v1", "Event", "events"};
inline constexpr Kind lease_kind{"coordination.k8s.io", "v1", "Lease", "leases"};
inline constexpr Kind crd_kind{"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
                               false};

}  // namespace ocim::api
