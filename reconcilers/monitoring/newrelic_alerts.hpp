#pragma once

#include "monitoring/newrelic_client.hpp"
#include "monitoring/newrelic_synthetic.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Who is told of failures: for each set of addresses one destination, channel, policy, condition and workflow, which
/// all bear the same name. None of them has tags, so the name is the mark.
namespace ocim::monitoring::newrelic {

/// Whose groups: several MonitoringServices may lead to one account, and know nothing of each other.
struct Owner {
    std::string installation{}, service{};
};

inline constexpr std::size_t digest_length = 12;  ///< of 64: enough to tell groups and settings of one account apart
inline constexpr const char* policy_preference = "PER_CONDITION_AND_TARGET";

/// digest_length hexadecimal digits of SHA-256.
std::string digest(const std::string& text);
/// The group of these addresses; its id is a digest of its owner and of all that New Relic is told of it.
AlertGroup make_group(const Owner& owner, std::vector<std::string> emails, int period_seconds, int after_failures);

/// The NRQL of failures of those monitors whose names end in the group's word.
std::string query_of(const std::string& group);

/// What there is under one group's name.
struct Parts {
    struct Destination {
        std::string id;
        std::vector<std::string> emails;  ///< sorted
        bool active = true;
    };
    struct Channel {
        std::string id, destination;
        bool active = true;
    };
    struct Policy {
        std::string id, preference;
    };
    struct Condition {
        std::string id, policy, query;
        bool good = true;  ///< it is on, and what is the same in all groups is as we make it
        int window_seconds = 0, duration_seconds = 0;
    };
    struct Workflow {
        std::string id;
        std::vector<std::string> policies, channels;
        bool good = true;  ///< as of a condition
    };
    std::vector<Destination> destinations{};
    std::vector<Channel> channels{};
    std::vector<Policy> policies{};
    std::vector<Condition> conditions{};
    std::vector<Workflow> workflows{};
};

/// Which of the parts are as they shall be; "" where none is.
struct Kept {
    std::string destination{}, channel{}, policy{}, condition{}, workflow{};
    bool operator==(const Kept&) const = default;
};
/// Pure. What its name says is held against what is there.
Kept kept_of(const Parts& parts, const Owner& owner, const std::string& group);
/// All is there, and once.
bool whole(const Parts& parts, const Kept& kept);

/// The groups of one service of an installation: others' have another name, and are never looked at.
class Alerts {
public:
    Alerts(NerdGraph& nerd_graph, Owner owner);

    /// Reads all there is, in a number of calls that depends on pages alone. One during which something was changed
    /// says nothing: what is known and what was done stay.
    awaitable<Result<void>> look();
    bool stands(const std::string& group) const;
    std::set<std::string> groups() const;
    /// Makes it whole: what is wrong goes first, and comes anew. May be repeated.
    awaitable<Result<void>> ensure(AlertGroup group);
    /// Removes it, what refers to others first. May be repeated.
    awaitable<Result<void>> remove(std::string group);

private:
    /// Where the five lists are to be read on.
    struct Pages {
        std::map<std::string, std::optional<std::string>> cursors;
        std::set<std::string> more;
    };
    Result<void> take(const api::Json& account, Pages& pages, std::map<std::string, Parts>& groups) const;
    /// The parts of the group that is so named; null when it is none of ours.
    Parts* named(const api::Json& item, std::map<std::string, Parts>& groups) const;
    std::string name_of_group(const std::string& group) const;
    awaitable<Result<void>> prune(Parts parts, Kept kept);
    awaitable<Result<std::string>> create(const Query& query, std::string variable, api::json::object given,
                                          std::string path, api::json::object more);
    awaitable<Result<void>> erase(const Query& query, std::string id);

    NerdGraph& nerd_graph_;
    Owner owner_;
    std::map<std::string, Parts> groups_;
    std::uint64_t changes_ = 0;  // before and after each of ours
};

}  // namespace ocim::monitoring::newrelic
