#pragma once

#include "loadbalancing/balancer.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

namespace ocim::loadbalancing {

/// One host of a load balancer.
struct Member {
    std::string name;
    std::unique_ptr<System> system;
};

/// Several hosts as one: all are looked at and written at the same time, and none waits for another's failure. What
/// cannot be looked at is an unknown host of the snapshot; only when that is all of them there is no answer.
std::unique_ptr<System> open_several_hosts(std::vector<Member> members, boost::asio::any_io_executor loop,
                                           Clock& clock);

}  // namespace ocim::loadbalancing
