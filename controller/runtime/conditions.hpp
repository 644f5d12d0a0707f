#pragma once

#include "runtime/kinds.hpp"

#include <string>
#include <vector>

/// How an object stands, as kstatus, kubectl wait and people read it. Pure.
namespace ocim::runtime {

/// What a visit has to say of one object.
struct Standing {
    Json status;  ///< the kind's own part; null: as it was
    Verdict verdict;
    std::vector<Finding> findings;
    /// Paused: Ready stays as it was, a condition Paused says why nothing moves.
    bool paused = false;
};

/// The whole status of `object` as it should be: own part, observedGeneration, conditions. A condition that stays
/// as it is keeps its lastTransitionTime; `retained` is not kept when it told of another spec.
Json whole_status(const Json& object, const Standing& standing, WallTime now);

/// Whether the status tells of the spec as it is. That an object is to be deleted gives it another generation, and
/// changes nothing of its spec.
bool tells_of_spec(const Json& object);

/// True when `current` says all that `desired` says, field by field; fields that only `current` has do not matter.
/// Lists have the same items in the same order, but of conditions and ownerReferences only the wanted ones count.
bool covers(const Json& current, const Json& desired);

/// The condition of that type, or null.
const Json* condition(const Json& object, std::string_view type);
bool is_ready(const Json& object);

}  // namespace ocim::runtime
