#pragma once

#include "loadbalancing/balancer.hpp"

#include "crd/loadbalancerfragments.hpp"
#include "crd/loadbalancers.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::loadbalancing {

/// The kind LoadBalancerFragment: what one site wants of a LoadBalancer.
struct Fragment {
    using Object = crd::LoadBalancerFragment;
    using Backend = crd::LoadBalancer;
    using Key = loadbalancing::Key;
    using Thing = loadbalancing::Thing;
    using Action = loadbalancing::Action;

    static constexpr std::string_view name = "loadbalancerfragment";

    static std::string backend_name(const Object& object);
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);

    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    static std::vector<Action> sweep(const Key& key, const Snapshot& seen);
    static Key key(const Action& action);
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // the load balancer's own kind: balancer_object.cpp
    static api::json::object backend_report(const std::string& installation, const Snapshot& seen);
    static runtime::BackendSettings settings(const Backend& balancer);
    static std::vector<runtime::Reference> backend_needs(const Backend& balancer);
    static Result<std::unique_ptr<System>> open(const Backend& balancer, const runtime::Inputs& inputs,
                                                const runtime::Services& services);
};

}  // namespace ocim::loadbalancing
