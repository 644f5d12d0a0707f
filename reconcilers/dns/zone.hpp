#pragma once

#include "runtime/kinds.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// What a zone is, whoever serves it. A service is one file with one function open_<service>().
namespace ocim::dns {

using runtime::Mark;

/// One record set. Names are canonical: lower case, fully qualified, without the trailing dot.
struct Key {
    std::string name, type;  // in this order: all types of a name are neighbours
    auto operator<=>(const Key&) const = default;
};

/// What external-dns says of a record set in its registry: TXT records beside it.
struct Registration {
    std::string owner;               ///< its --txt-owner-id
    std::vector<std::string> names;  ///< of the TXT records that say so, canonical
    bool operator==(const Registration&) const = default;
};

/// What a zone holds under a key. Values are canonical (values.hpp), sorted, without doubles.
struct RecordSet {
    std::vector<std::string> values;  ///< what is served; empty when only a mark is left, or all is disabled
    std::int32_t ttl_seconds = 0;
    std::optional<Mark> mark;
    std::optional<Registration> external{};  ///< external-dns holds it, or did before we took it over
    bool operator==(const RecordSet&) const = default;
};

using Snapshot = std::map<Key, RecordSet>;

struct Action {
    enum class Verb { create, update, delete_ };
    Verb verb{};
    Key key;
    RecordSet set;       ///< what to put there; of delete_ only the mark matters: whose thing may be deleted
    bool adopt = false;  ///< may replace what carries no mark
    std::vector<std::string> release{};  ///< TXT records of external-dns' registry that go with it
    bool operator==(const Action&) const = default;
};

/// Each action is one record set put or deleted as a whole, so it may be repeated at any time.
using Zone = runtime::System<Key, RecordSet, Action>;
using Results = runtime::Results<Key, RecordSet>;
using Done = runtime::Done<Key, RecordSet>;

/// Judges an action against what is there now; the last look before a write. True: write. False: it is done already.
/// Error: conflict, when what is there is not (or no longer) for us to change.
Result<bool> still_wanted(const Action& action, const RecordSet* found);

}  // namespace ocim::dns
