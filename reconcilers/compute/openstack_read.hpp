#pragma once

#include "api/json.hpp"
#include "compute/cloud.hpp"

#include <optional>
#include <string>
#include <vector>

/// What OpenStack's services say, as machines and offers; and what we say to them. Pure.
///
/// A server's mark is its metadata: five entries, because one value has 255 characters at most and a name in its
/// namespace has more. It is written with the server's birth. The tags are for people: servers cannot be listed by
/// metadata.
namespace ocim::compute::openstack {

/// A server as Nova shows it. `machine.state` is booting for one that runs: whether it answers we find out ourselves.
struct Server {
    std::string id, name;
    bool gone = false;  ///< a list of what has changed shows what was deleted too
    Machine machine;
};
/// Nothing when Nova knows too little of it to judge: it is in a part of the cloud that is down.
Result<std::optional<Server>> read_server(const api::Json& server);

/// Each server under its name; of several with one name the first with a mark, the oldest one, and the others under
/// "name/id".
Snapshot by_key(const std::vector<Server>& servers);

Offers::Flavor read_flavor(const api::Json& flavor);
Offers::Image read_image(const api::Json& image);
/// What is left of `{"limits": {"absolute": …}}`.
Result<Offers::Quota> read_limits(const api::Json& limits);
/// A public address with its mark, under "address <id>".
std::pair<Key, Machine> read_floating(const api::Json& address);

/// The body of POST /servers.
std::string create_body(const Action& action);
api::json::object metadata_of(const runtime::Mark& mark);
/// What a public address says of whose it is: its machine's mark, in 255 characters.
std::string description_of(const runtime::Mark& mark);
/// Why a server was not made. Nova repeats a value that it does not like, and its user data may hold a key.
Error without_user_data(Error error);
/// What we say of a machine that was just asked for.
Machine just_made(const Action& action, std::string id, WallTime now);

inline constexpr const char* host_key_entry = "ocim-host-key";  ///< in metadata: the key that its user data gave it
inline constexpr const char* reboot_entry = "ocim-reboot";      ///< in metadata: the last reboot that was carried out

}  // namespace ocim::compute::openstack
