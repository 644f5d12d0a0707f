#pragma once

#include "runtime/kinds.hpp"
#include "runtime/mark.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// What an object storage is to our tenants, whoever serves it: containers, as Swift calls what S3 calls buckets.
namespace ocim::storage {

using runtime::Mark;

struct Key {
    std::string container;
    auto operator<=>(const Key&) const = default;
};

/// Who may do what, besides the account itself.
struct Access {
    enum class Everybody { nothing, objects, objects_and_listing };
    Everybody everybody = Everybody::nothing;
    std::set<std::string> readers, writers;  ///< in the provider's words; nobody is both
    bool operator==(const Access&) const = default;
};

/// Which pages may use it from a browser.
struct Cors {
    std::set<std::string> origins, expose_headers;
    std::int32_t max_age_seconds = 0;
    bool operator==(const Cors&) const = default;
};

struct Thing {
    std::optional<Mark> mark;
    bool locked = false;  ///< we may not even look at it, and it is no part of our account: nobody takes it over
    Access access;
    std::optional<Cors> cors;
    bool versioning = false;
    bool strange = false;  ///< access or CORS say something that we would never write
    std::string unseen;    ///< why it could not be looked at now; what is said here was there before
    bool operator==(const Thing&) const = default;
};

/// Why one cannot be looked at that our account holds.
inline constexpr auto locked_here =
    "it is in our account, and our key may not look at it, or it is in another region; give the key its rights back";

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { put, delete_, look };
    Verb verb = Verb::put;
    Key key;
    Thing thing;         ///< what is there after a put; of a deletion only the mark matters: whose it must be
    bool fresh = false;  ///< of a put: nothing was there when it was decided
    bool adopt = false;  ///< of a put: may take over what carries no mark
    bool empty = false;  ///< of a deletion: what is in it goes first
    bool operator==(const Action&) const = default;
};

using Store = runtime::System<Key, Thing, Action>;
using Results = runtime::Results<Key, Thing>;
using Done = runtime::Done<Key, Thing>;

/// Judges a put or a deletion against what is there now: the last look before a write. `found`: null when nothing is
/// there. True: write. False: it is done already. Error: conflict, when what is there is not for us to change.
Result<bool> still_wanted(const Action& action, const Thing* found);

/// What belongs to a mark, by the words it is kept under in the provider's tags or metadata.
std::map<std::string, std::string> mark_words(const Mark& mark);
/// Nothing when it is not a whole mark. `words` may hold others too.
std::optional<Mark> read_mark(const std::map<std::string, std::string>& words);

}  // namespace ocim::storage
