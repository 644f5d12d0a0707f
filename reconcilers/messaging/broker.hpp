#pragma once

#include "api/json.hpp"
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

/// A RabbitMQ broker as our tenants see it: vhosts, users, what users may do, limits and policies.
namespace ocim::messaging {

struct Key {
    enum class Kind {
        vhost,
        user,
        permission,
        limit,       ///< of a vhost
        topic,       ///< all topic permissions of one user in one vhost
        user_limit,  ///< of a user, whatever the vhost
        policy,
    };
    Kind kind = Kind::vhost;
    std::string vhost;  ///< "" for a user and its limits
    /// Of the user, whose permissions and limits name it too; of a policy; of a vhost's limit as RabbitMQ calls it:
    /// max-connections, max-queues.
    std::string name;
    std::string limit{};  ///< of a user_limit: max-connections, max-channels
    auto operator<=>(const Key&) const = default;
};

struct Permission {
    std::string configure, write, read;  ///< regular expressions, not anchored
    bool operator==(const Permission&) const = default;
};

struct TopicPermission {
    std::string write, read;  ///< regular expressions on routing keys
    bool operator==(const TopicPermission&) const = default;
};

struct Policy {
    std::string pattern, apply_to;
    std::int64_t priority = 0;
    api::Json definition;
    bool operator==(const Policy&) const = default;
};

struct Thing {
    // vhost and user
    std::optional<runtime::Mark> mark;
    bool reserved = false;  ///< the broker's own, or the account we use: nobody may take it
    // vhost
    bool running = true;             ///< on every node
    std::set<std::string> policies;  ///< that are ours: policies have no place for a mark, so their vhost has it
    // user
    std::string hash, algorithm;  ///< of the password
    std::set<std::string> tags;   ///< rights on the management interface
    // permission, limit and user_limit, topic, policy
    Permission permission;
    std::int64_t limit = 0;
    std::map<std::string, TopicPermission> topics;  ///< by exchange
    Policy policy;
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { put, delete_ };
    Verb verb = Verb::put;
    Key key;
    bool fresh = false;  ///< of a put: nothing was there when it was decided
    /// Of a user's put: the password. Without it the hash that is there stays, unless `sets_hash`.
    std::optional<Secret> password;
    bool sets_hash = false;  ///< of a user's put: the hash in `thing` is the one to be there
    /// Of a vhost's put: policies that become ours with it and were not there when it was decided.
    std::set<std::string> new_policies;
    /// What is there after a put, but for the hash of a new password. Of a deletion what was seen; what has no mark
    /// bears that of the user or vhost to which it belongs.
    Thing thing;
    std::vector<Key> gone_too;  ///< what goes with a vhost or a user
    bool operator==(const Action&) const = default;
};

using Broker = runtime::System<Key, Thing, Action>;

}  // namespace ocim::messaging
