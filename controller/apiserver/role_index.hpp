#pragma once

#include "apiserver/rbac.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace ocim::apiserver {

/// Who is given which roles where: what is stored of roles and bindings, by subject. It catches up with the registry
/// each time it is asked; that costs next to nothing when none of them has changed.
class RoleIndex {
public:
    /// `registry` must outlive it.
    explicit RoleIndex(registry::Registry& registry);

    /// Calls `visit` with the rules of each role that the caller has in the namespace ("" for outside of any), those
    /// he has everywhere included, until it returns false.
    void each_role(const registry::Caller& caller, const std::string& namespace_,
                   const std::function<bool(const PolicyRules&)>& visit);
    /// `namespace_` is empty for a ClusterRole.
    std::optional<PolicyRules> role(const std::string& namespace_, const std::string& name);

private:
    using Place = std::pair<std::string, std::string>;  // namespace, name
    struct Binding {
        Place role;
        std::vector<std::string> subjects;
    };
    /// The roles of one subject, by the namespace of the bindings that give them, and how many of those do.
    using Given = std::map<std::string, std::map<Place, std::size_t>>;

    void catch_up();
    void take(const registry::Follower::Item& item);
    void put_binding(const registry::Follower::Item& item, const api::Json& object);
    void drop_binding(const Place& place);
    bool each_of(const std::string& subject, const std::string& namespace_,
                 const std::function<bool(const PolicyRules&)>& visit) const;

    registry::Registry& registry_;
    std::unique_ptr<registry::Follower> follower_;
    std::optional<registry::Revision> seen_;
    std::map<Place, PolicyRules> roles_;
    std::map<Place, Binding> bindings_;
    std::unordered_map<std::string, Given> given_;
};

}  // namespace ocim::apiserver
