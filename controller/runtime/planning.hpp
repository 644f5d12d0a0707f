#pragma once

#include "runtime/cache.hpp"

#include <string>
#include <vector>

namespace ocim::runtime {

/// One thing that would be done in the world.
struct Planned {
    api::Kind kind;  ///< of the object that it is done for
    ObjectKey object;
    api::Kind backend_kind;
    ObjectKey backend;
    std::string verb, description;  ///< of the action, as its event would have it; never a secret
};

/// Whoever asks a manager what it would do: it looks, decides, and does nothing in the world (Manager::Settings).
/// Writes to the API are made as ever: give it one of its own.
class Planning {
public:
    virtual ~Planning() = default;
    /// Whether an object is judged; for what concerns nobody no backend is looked at. `references` are what it needs,
    /// its backend first. Asked again when the object changes.
    virtual bool concerns(const api::Kind& kind, const Json& object, const std::vector<Reference>& references) = 0;
    /// Takes the actions of one object, once. Of one that is being deleted they count as done from then on.
    virtual void planned(std::vector<Planned> actions) = 0;
};

}  // namespace ocim::runtime
