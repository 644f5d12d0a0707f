#pragma once

#include "loadbalancing/balancer.hpp"

#include "crd/loadbalancers.hpp"

#include <memory>
#include <optional>

/// What visitors do, and how seldom that is told: whoever hears of it writes a status.
namespace ocim::loadbalancing {

/// How long what was told of so many fragments stays: on the average at most ten statuses a second are written for it,
/// and one of each fragment a minute.
Duration traffic_interval(std::size_t fragments);

/// What was told of traffic last stands in for what was seen until it is time to tell anew, of each fragment at another
/// moment of the interval; what a host does not tell is what it was. Pure.
class SeldomTraffic {
public:
    void apply(Snapshot& seen, Instant now);

private:
    struct Told {
        Traffic traffic;
        Instant at;
    };
    std::map<Key, Told> told_;
};

/// `system`, as a whole, with traffic told seldom.
std::unique_ptr<System> with_seldom_traffic(std::unique_ptr<System> system, Clock& clock);

/// What holds for all fragments of `installation` together, on all hosts.
struct Totals {
    std::optional<crd::LoadBalancer::Status::Traffic>
        traffic;  ///< nothing while a host cannot be looked at, or has not told anything yet
    std::optional<crd::LoadBalancer::Status::ServerStates> servers;
};
Totals totals(const std::string& installation, const Snapshot& seen);

}  // namespace ocim::loadbalancing
