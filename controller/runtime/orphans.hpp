#pragma once

#include "runtime/adapter.hpp"
#include "runtime/cache.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace ocim::runtime {

/// Finds what carries our mark and has no object. Pure: time comes in as an argument.
///
/// A thing is an orphan once two complete observations in a row showed it so. Of a backend that shows more than
/// max(3, 10 %) of its things as orphans none is swept: that is more likely our mistake than the truth, so a person
/// decides.
class Orphans {
public:
    struct Found {
        std::size_t count = 0;           ///< orphans there are
        std::vector<MarkedThing> fresh;  ///< orphans since this observation
        std::vector<KeyId> sweep;        ///< old enough, and few enough
        bool too_many = false;           ///< some would be swept, but there are too many
    };
    struct Rules {
        bool sweep = false;
        Duration min_age{};
    };
    /// After each complete observation. `live` holds the uids of all objects of the kind; `things` counts all that
    /// the backend holds.
    Found observed(const std::vector<MarkedThing>& marked, const std::string& installation,
                   const std::set<std::string>& live, std::size_t things, Instant now, const Rules& rules);

private:
    struct Suspect {
        Instant since;
        unsigned seen = 0;
    };
    std::map<KeyId, Suspect> suspects_;
};

}  // namespace ocim::runtime
