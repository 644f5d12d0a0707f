#pragma once

#include "loadbalancing/haproxy.hpp"

#include <string>
#include <vector>

/// The scripts with their arguments, for either way of putting fragments in force. Pure.
namespace ocim::loadbalancing {

std::vector<std::string> observe_command(const HaproxySettings& settings);
std::vector<std::string> read_command(const HaproxySettings& settings);
std::vector<std::string> probe_command(const HaproxySettings& settings);
/// `mode`: "check" or "apply"; `expected`: the version that was read.
std::vector<std::string> write_command(const HaproxySettings& settings, const std::string& mode,
                                       const std::string& expected);

}  // namespace ocim::loadbalancing
