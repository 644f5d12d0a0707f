#pragma once

#include "loadbalancing/balancer.hpp"

#include "crd/loadbalancerfragments.hpp"
#include "crd/loadbalancers.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ocim::loadbalancing {

/// How a fragment stands on one host: unknown, or why nothing may be done there, or what is to be done, or as declared.
struct OnHost {
    std::string host;
    std::optional<std::string> unknown{};  ///< why
    std::optional<runtime::Verdict> blocked{};
    std::optional<Action> action{};
};

/// The whole judgement about one fragment.
struct Judgement {
    std::optional<runtime::Verdict> blocked;  ///< everywhere
    std::string name{};                       ///< of the fragment; "" when it cannot be told
    std::vector<OnHost> hosts{};
    /// Why the certificate of the Secret does not go live. One that is in force stays.
    struct Refused {
        std::string reason, message;
    };
    std::optional<Refused> certificate_refused{};
    bool told_of_checks = true;  ///< whether the load balancer says what its checks say
};

Judgement judge(const crd::LoadBalancerFragment& object, const runtime::Inputs& inputs, const Snapshot& seen);

/// What a message about a host begins with; "" on a load balancer with one host.
std::string on(const std::string& host);

}  // namespace ocim::loadbalancing
