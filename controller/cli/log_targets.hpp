#pragma once

#include "base/result.hpp"
#include "cli/arguments.hpp"
#include "client/remote.hpp"

#include <string>
#include <vector>

namespace ocim::cli {

/// Whose logs are asked for: AppServers of one namespace, the oldest first.
struct LogTargets {
    std::string namespace_;
    std::vector<std::string> appservers;
};

/// "appserver/NAME" or "instance/NAME".
struct LogOwner {
    bool is_instance = false;
    std::string name;
};
/// Pure. Error: invalid.
Result<LogOwner> log_owner(const Arguments& arguments);
/// Of an Instance the server is asked: for the newest AppServer, or by --all for each. Error: there is none, or why the
/// server did not tell.
Result<LogTargets> log_targets(const LogOwner& owner, const Arguments& arguments, const client::Access& access);

/// The names of the AppServers of an Instance among `appservers`, the oldest first. Pure.
std::vector<std::string> appservers_of(const std::string& instance, std::vector<api::Json> appservers);

/// "&sinceSeconds=90" for --since 1m30s; empty when it is not given. Error: invalid.
Result<std::string> since_parameter(const Arguments& arguments);

}  // namespace ocim::cli
