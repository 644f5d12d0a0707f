#pragma once

#include "compute/cloud.hpp"

#include <variant>

/// What a new machine is made of, chosen from what its cloud has. Pure.
namespace ocim::compute {

/// The plan, or why there is none yet: stalled with the candidates where a person must choose, progressing where room
/// is waited for. `made`: the groups that our SecurityGroups stand for, which the cloud's list may not show yet.
std::variant<MachinePlan, runtime::Verdict> choose(const crd::VirtualMachine& object, const crd::Cloud& cloud,
                                                   const Snapshot& seen, int attempt,
                                                   const std::vector<Offers::Group>& made = {});

/// The network that a cloud's machines get public addresses from; null when it gives none, or has none of that name.
const Offers::Network* floating_network(const crd::Cloud& cloud, const Snapshot& seen);

}  // namespace ocim::compute
