#pragma once

#include "crd/appservers.hpp"

#include <string>
#include <vector>

/// Who of an Instance's AppServers is behind the load balancer, and who gets visitors there. Pure.
namespace ocim::openedx {

/// Who gets visitors, newest first. Whoever made it and whatever says that it is active: where others serve
/// (`rotation` are those that the load balancer names), only what the load balancer's own check has passed joins them.
std::vector<crd::AppServer> serving_of(const std::vector<crd::AppServer>& all,
                                       const std::vector<std::string>& rotation);

/// Behind the load balancer without visitors: what is active and not `serving`, and those of `names`. Where nobody
/// serves there is nothing to protect, and a backend without anybody who takes visitors would hide the preliminary
/// page.
std::vector<crd::AppServer> standby_of(const std::vector<crd::AppServer>& all,
                                       const std::vector<crd::AppServer>& serving,
                                       const std::vector<std::string>& names);

}  // namespace ocim::openedx
