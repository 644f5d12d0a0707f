#pragma once

#include "registry/state.hpp"

#include <set>
#include <string>

namespace ocim::registry {

/// What else a kube-controller-manager does: gives every namespace its ServiceAccount "default", fills the rules of
/// aggregated ClusterRoles, and keeps status.used of ResourceQuotas.
///
/// It follows every change and notes what to look at; what it does there is decided anew from the current state, so
/// looking twice or after a crash does no harm.
class Upkeep {
public:
    explicit Upkeep(Registry::State& state);
    /// Until cancelled.
    awaitable<void> run();

private:
    using Task = awaitable<Outcome<void>>;

    void survey();
    void note(const std::string& key);
    awaitable<void> follow();
    awaitable<void> work();
    Task make_account(std::string namespace_);
    Task aggregate();
    Task count(std::string namespace_);
    std::vector<api::Json> cluster_roles() const;

    Registry::State& state_;
    std::unique_ptr<store::Store::Watcher> changes_;
    std::set<std::string> accounts_, quotas_;  ///< namespaces to look at
    bool roles_ = false;                       ///< aggregated ClusterRoles are to be looked at
};

}  // namespace ocim::registry
