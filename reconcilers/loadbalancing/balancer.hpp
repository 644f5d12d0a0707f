#pragma once

#include "base/secret.hpp"
#include "runtime/kinds.hpp"

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What a load balancer is, whatever program does the balancing.
namespace ocim::loadbalancing {

using runtime::Mark;

/// A fragment, or what is known of its servers, by the name of its file and backend; or a host name by itself.
struct Key {
    enum class Part { fragment, domain, checks };
    Part part{};
    std::string name;
    auto operator<=>(const Key&) const = default;
};

/// What the load balancer's own check says of a server.
struct Check {
    enum class State { unknown, passed, failed };
    State state{};
    std::string message;  ///< in its own words
    bool operator==(const Check&) const = default;
};

/// What a load balancer holds under a key.
struct Thing {
    // of a fragment
    std::optional<Mark> mark;
    Secret text;                       ///< the whole file; it may hold a credential
    std::vector<std::string> domains;  ///< that lead to its backend, sorted
    bool live = false;                 ///< what runs is what the files say
    bool readable_by_all = false;      ///< its file shows the credential to everybody on that host
    // of a domain
    std::string backend;  ///< where it leads
    // of checks: by server, and `text` is what was in force then. Who is not in it was not checked yet, or nobody
    // could say.
    std::map<std::string, Check> checks;
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { create, update, delete_ };
    Verb verb{};
    std::string fragment;  ///< the name of file and backend
    Secret text;
    std::vector<std::string> domains;  ///< sorted
    Mark mark;                         ///< of delete: whose fragment may be deleted
    bool adopt = false;                ///< may replace what carries no mark
    bool operator==(const Action&) const = default;
};

/// Each action is one fragment put or deleted as a whole, with its domains, so it may be repeated at any time.
using System = runtime::System<Key, Thing, Action>;
using Results = runtime::Results<Key, Thing>;
using Done = runtime::Done<Key, Thing>;

inline Key fragment_key(std::string name) { return Key{Key::Part::fragment, std::move(name)}; }
inline Key checks_key(std::string name) { return Key{Key::Part::checks, std::move(name)}; }
inline Key domain_key(std::string name) { return Key{Key::Part::domain, std::move(name)}; }

/// Who else has a domain that `fragment` wants: its key and where it leads. What another fragment of the same
/// installation has may become free; anything else is a stranger's.
struct Taken {
    std::string domain, backend;
    bool by_us = false;
};
std::optional<Taken> taken(const std::vector<std::string>& domains, const std::string& fragment,
                           const std::string& installation, const Snapshot& seen);

/// Judges an action against what is there now; the last look before a write. True: write. False: it is done already.
/// Error: conflict, when what is there is not (or no longer) for us to change.
Result<bool> still_wanted(const Action& action, const Snapshot& seen);

}  // namespace ocim::loadbalancing
