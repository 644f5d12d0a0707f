#pragma once

#include "base/secret.hpp"
#include "runtime/kinds.hpp"
#include "runtime/mark.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// A RabbitMQ broker as our tenants see it: vhosts, users, what users may do, and limits.
namespace ocim::messaging {

struct Key {
    enum class Kind { vhost, user, permission, limit };
    Kind kind = Kind::vhost;
    std::string vhost;  ///< "" for a user
    std::string name;   ///< of the user; of the limit as RabbitMQ calls it: max-connections, max-queues
    auto operator<=>(const Key&) const = default;
};

struct Permission {
    std::string configure, write, read;  ///< regular expressions, not anchored
    bool operator==(const Permission&) const = default;
};

struct Thing {
    // vhost and user
    std::optional<runtime::Mark> mark;
    bool reserved = false;  ///< the broker's own, or the account we use: nobody may take it
    // vhost
    bool running = true;  ///< on every node
    // user
    std::string hash, algorithm;  ///< of the password
    std::set<std::string> tags;   ///< rights on the management interface
    Permission permission;
    std::int64_t limit = 0;
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { put, delete_ };
    Verb verb = Verb::put;
    Key key;
    bool fresh = false;  ///< of a put: nothing was there when it was decided
    /// Of a user's put: the password, or nothing when the hash in `thing` stays.
    std::optional<Secret> password;
    /// What is there after a put, but for the hash of a new password.
    Thing thing;
    std::vector<Key> gone_too;  ///< what goes with a vhost or a user
    bool operator==(const Action&) const = default;
};

using Broker = runtime::System<Key, Thing, Action>;

}  // namespace ocim::messaging
