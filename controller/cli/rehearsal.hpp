#pragma once

#include "api/json.hpp"
#include "api/kind.hpp"
#include "runtime/planning.hpp"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ocim::cli {

/// A kind of object by kind_id, and where it is.
struct Spot {
    std::string kind;
    runtime::ObjectKey key;
    auto operator<=>(const Spot&) const = default;
};
Spot spot_of(const api::Json& object);

/// What the controllers would do if the objects of an installation were others than they are.
struct Rehearsed {
    struct Untold {
        Spot spot;
        std::string why;
        bool unreachable = false;  ///< nobody could look; else it will be known when something else is done
    };
    std::vector<runtime::Planned> actions;
    /// Objects that the controllers would make, change or remove in consequence: null where there is none.
    struct Consequence {
        Spot spot;
        api::Json before, after;
    };
    std::vector<Consequence> consequences;
    std::vector<Untold> untold;
    /// Objects that go by their annotation "abandon": what they have in the world stays there.
    std::vector<Spot> abandoned;
    bool complete = true;  ///< everything was decided in time
};

/// Runs the controllers of this program on a copy of an installation's objects in memory, against the real backends,
/// of which they only look: by their own observe() and diff(). Nothing is written but in the copy.
class Rehearsal {
public:
    /// The kinds whose objects it needs, all of them.
    static std::vector<api::Kind> kinds();

    /// `asked`: what it is about: these, and what they own, are looked at even if they are as before. `before`: every
    /// object of those kinds. `after`: those that are other or new. `gone`: those without which it is to be. `applied`:
    /// what the server could not check, because their namespaces are not there yet; they are applied.
    struct Given {
        std::vector<api::Json> before, after, applied;
        std::set<Spot> gone, asked;
    };
    /// Error: transient, invalid: the copy could not be made.
    static Result<Rehearsed> run(Given given, Duration limit);
};

}  // namespace ocim::cli
