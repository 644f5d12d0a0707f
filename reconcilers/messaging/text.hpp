#pragma once

#include "api/json.hpp"
#include "base/secret.hpp"
#include "messaging/broker.hpp"

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

/// The management interface's texts: paths, bodies, marks, hashes. Pure.
namespace ocim::messaging {

/// "/api/vhosts/%2Fdemo": the path of one thing; whoever reads or writes it, names it so.
std::string path_of(const Key& key);

/// The body of the PUT that makes `thing` what is there. A user's carries its hash. Not of topics: they take one PUT an
/// exchange.
api::Json body_of(const Key& key, const Thing& thing);
api::Json topic_body(const std::string& exchange, const TopicPermission& permission);

// --- marks. A vhost has a description for it. A user has tags, any words of up to 255 bytes, so a mark is several.

inline constexpr std::string_view mark_tag = "ocim";
/// Before the name of a policy, in its vhost's tags: it is ours.
inline constexpr std::string_view policy_word = "p=";
std::set<std::string> tags_of(const runtime::Mark& mark);
/// Takes the words of a mark out of `tags`; the rest are rights.
std::optional<runtime::Mark> take_mark(std::set<std::string>& tags);

// --- passwords. They travel as what the broker stores.

inline constexpr std::string_view hash_algorithm = "rabbit_password_hashing_sha256";
/// base64(salt + SHA-256(salt + password)).
std::string hash_of(const Secret& password, std::string_view salt);
/// Whether `password` has this hash: its salt is in it.
bool fits(const Thing& user, const Secret& password);

/// A salted hash that somebody made himself, and the broker's word for how.
struct PasswordHash {
    std::string hash, algorithm;
    bool operator==(const PasswordHash&) const = default;
};
/// As a broker stores it; the length tells the algorithm. Nothing when it is neither SHA-256 nor
/// SHA-512 with its salt, in base64.
std::optional<PasswordHash> read_hash(const Secret& text);

// --- what the broker answers. An error says that it is not the management interface that answered.

/// What one list tells of.
enum class List { vhosts, users, permissions, limits, topics, policies };
/// One look: these, whatever the number. Limits of users are in the list of users.
inline constexpr std::array<std::pair<List, std::string_view>, 6> lists{{
    {List::vhosts, "/api/vhosts?columns=name,description,tags,cluster_state"},
    {List::users, "/api/users"},
    {List::permissions, "/api/permissions"},
    {List::limits, "/api/vhost-limits"},
    {List::topics, "/api/topic-permissions"},
    {List::policies, "/api/policies"},
}};
/// Adds what one list holds.
Result<void> read_list(List list, const std::string& body, const std::string& own_user, Snapshot& out);
/// One vhost, user or policy, as GET path_of(key) answers.
Result<Thing> read_one(const Key& key, const std::string& body, const std::string& own_user);
/// What GET /api/whoami says must be that we are `own_user` (else unreachable: it is not RabbitMQ that answers) and an
/// administrator (else auth).
Result<void> check_whoami(const std::string& body, const std::string& own_user);
/// Whether a 404 is the broker's own: what was asked for is not there. Of anybody else it says nothing.
bool says_not_there(const std::string& body);

/// A refusal in words for people: the broker writes some as arrays of character codes.
std::string reason_of(const std::string& body);

}  // namespace ocim::messaging
