#pragma once

#include "base/secret.hpp"
#include "runtime/kinds.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

/// What a load balancer is, whatever program does the balancing.
namespace ocim::loadbalancing {

using runtime::Mark;

/// A fragment, or what is known of its servers or its traffic, by the name of its file and backend; a host name by
/// itself; the file of a certificate that is no fragment's, by its name; a host that cannot be looked at now; or that
/// not all of others' configuration there can be read.
struct Key {
    enum class Part { fragment, domain, checks, unknown_host, certificate, traffic, unreadable };
    Part part{};
    std::string name;    ///< of an unknown host ""
    std::string host{};  ///< of a load balancer with several, by its name; of one with one ""
    auto operator<=>(const Key&) const = default;
};

/// What the load balancer's own check says of a server.
struct Check {
    enum class State { unknown, passed, failed };
    State state{};
    std::string message;  ///< in its own words
    bool operator==(const Check&) const = default;
};

/// What a site's visitors did since the process was last reloaded.
struct Traffic {
    std::array<std::uint64_t, 5> answers{};  ///< with a status of 100 and more, of 200 and more, …, of 500 and more
    std::uint64_t bytes_in = 0, bytes_out = 0;
    std::uint64_t sessions = 0;  ///< at this moment
    std::uint64_t requests() const { return std::accumulate(answers.begin(), answers.end(), std::uint64_t{}); }
    std::uint64_t failures() const { return answers.back(); }
    bool operator==(const Traffic&) const = default;
};

/// What a load balancer holds under a key.
struct Thing {
    // of a fragment
    std::optional<Mark> mark;
    Secret text;                       ///< the whole file; it may hold a credential
    std::vector<std::string> domains;  ///< that lead to its backend, sorted
    bool live = false;                 ///< what runs is what the files say
    bool readable_by_all = false;      ///< one of its files shows a secret to everybody on that host
    // of a domain
    std::string backend;  ///< where it leads
    // of checks: by server, and `text` is what was in force then. Who is not in it was not checked yet, or nobody
    // could say.
    std::map<std::string, Check> checks;
    // of an unknown host
    std::string trouble;  ///< why nothing is known
    // of traffic
    Traffic traffic{};
    // of a fragment, besides
    std::string certificate{};  ///< SHA-256 of the file that its text speaks of; "" when there is none
    bool unlisted = false;      ///< the process that runs does not read our list of certificates
    bool unread = false;        ///< the process that runs took this version, and does not know the fragment's backend
    // of a fragment or a domain that is in somebody else's fragment of the tool haproxy-config: its name; of what
    // cannot be read: the file
    std::string elsewhere{};
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { create, update, delete_ };
    Verb verb{};
    /// The name of file and backend. "": whatever carries `mark`, on a host that could not be looked at: such a
    /// deletion looks first, and such an update only has it looked at again.
    std::string fragment;
    Secret text;
    std::vector<std::string> domains;  ///< sorted
    Mark mark;                         ///< of delete: whose fragment may be deleted
    bool adopt = false;                ///< may replace what carries no mark
    std::string host{};                ///< where, on a load balancer with several
    /// The file of the certificate that `text` speaks of; empty: the one that is there stays.
    Secret certificate{};
    bool operator==(const Action&) const = default;
};

/// Each action is one fragment put or deleted as a whole, with its domains, so it may be repeated at any time.
using System = runtime::System<Key, Thing, Action>;
using Results = runtime::Results<Key, Thing>;
using Done = runtime::Done<Key, Thing>;

inline Key fragment_key(std::string name, std::string host = {}) {
    return Key{Key::Part::fragment, std::move(name), std::move(host)};
}
inline Key checks_key(std::string name, std::string host = {}) {
    return Key{Key::Part::checks, std::move(name), std::move(host)};
}
inline Key traffic_key(std::string name, std::string host = {}) {
    return Key{Key::Part::traffic, std::move(name), std::move(host)};
}
inline Key certificate_key(std::string name, std::string host = {}) {
    return Key{Key::Part::certificate, std::move(name), std::move(host)};
}
inline Key domain_key(std::string name, std::string host = {}) {
    return Key{Key::Part::domain, std::move(name), std::move(host)};
}
inline Key unreadable_key(std::string host = {}) { return Key{Key::Part::unreadable, {}, std::move(host)}; }
inline Key unknown_host_key(std::string host) { return Key{Key::Part::unknown_host, {}, std::move(host)}; }

/// Who else has a domain that `fragment` wants: its key and where it leads. What another fragment of the same
/// installation has may become free; anything else is a stranger's.
struct Taken {
    std::string domain, backend;
    bool by_us = false;
    std::string elsewhere{};  ///< as of a Thing: nobody can take it over
};
std::optional<Taken> taken(const std::vector<std::string>& domains, const std::string& fragment,
                           const std::string& installation, const Snapshot& seen, const std::string& host = {});

/// Which of `domains` did not lead to `fragment` before, or its backend ("backend NAME"), when a file that cannot be
/// read keeps us from knowing that it is nobody else's.
struct Unsure {
    std::string what, file;
};
std::optional<Unsure> unsure(const std::vector<std::string>& domains, const std::string& fragment, const Snapshot& seen,
                             const std::string& host = {});

/// Judges an action against what is there now; the last look before a write. True: write. False: it is done already.
/// Error: conflict, when what is there is not (or no longer) for us to change.
Result<bool> still_wanted(const Action& action, const Snapshot& seen);

}  // namespace ocim::loadbalancing
