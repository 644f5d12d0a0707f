#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// How much the sites are used: what `ocim report activity` prints. Pure, but for the program that runs on the servers.
namespace ocim::openedx {

/// One active AppServer, and how it is reached.
struct ActiveServer {
    std::string appserver;  ///< namespace/name
    std::string address, domain, name, email;
    std::optional<std::int64_t> age_days;  ///< of the Instance
    std::string ssh_user, ssh_key_secret;  ///< the Secret is in ocim-system; empty: nobody can log in
    std::string host_key;                  ///< empty: not known, so nobody logs in
};

/// As the API lists them.
struct ListedObjects {
    api::Json instances, classes, appservers, machines;
};
/// Those that are active and have an address, the oldest Instance's first.
std::vector<ActiveServer> active_servers(const ListedObjects& listed, WallTime now);

/// What a server says of itself; each where it could tell.
struct Activity {
    std::optional<std::int64_t> hits, users, courses;
    bool operator==(const Activity&) const = default;
};
Activity read_activity(const std::string& output);
/// The words to run on a server, as root or as somebody who may sudo.
std::vector<std::string> activity_command(const std::string& ssh_user, const std::string& root);

/// The whole report: what is no number is quoted, what is not known is "N/A".
std::string activity_csv(const std::vector<ActiveServer>& servers, const std::vector<Activity>& activities);

}  // namespace ocim::openedx
