#pragma once

#include "runtime/manager.hpp"
#include "simulation/universe.hpp"

#include <vector>

namespace ocim::simulation {

/// The CRDs that a program serves: the real ones, and those of the kinds that only tests know.
std::vector<api::Json> definitions();
/// The kind of an object of the simulation.
const api::Kind* kind_of(const api::Json& object);
/// The real reconcilers, each on a simulated backend of the universe.
void register_kinds(runtime::Manager& manager, Universe& universe, Clock& clock, Random& random);

}  // namespace ocim::simulation
