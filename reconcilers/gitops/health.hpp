#pragma once

#include "api/json.hpp"

#include <string>

namespace ocim::gitops {

/// How an object stands, as kstatus reads it.
struct Health {
    enum class State { current, in_progress, failed, terminating };
    State state = State::current;
    std::string message{};  ///< why, when it is not current
    bool operator==(const Health&) const = default;
};

/// By its conditions Ready, Reconciling and Stalled and its observedGeneration; of a few kinds of Kubernetes by what
/// they say instead. What says nothing of itself is current; of our own kinds it is not, since these always do.
Health health_of(const api::Json& object);

}  // namespace ocim::gitops
