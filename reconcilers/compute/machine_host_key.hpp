#pragma once

#include "compute/cloud.hpp"

#include <optional>
#include <string>

/// VirtualMachine's host key, decided. Pure.
namespace ocim::compute {

/// Puts the key that the machine is to have into its plan; else why that cannot be.
std::optional<runtime::Verdict> give_host_key(const crd::VirtualMachine& object, const runtime::Inputs& inputs,
                                              MachinePlan& plan);

/// The key by which a machine's SSH server is known: as declared, else as it was given to the machine, else as it was
/// first seen. A machine of this host has it on our own disk, so what is there is right.
std::string known_host_key(const crd::VirtualMachine& object, const Machine& found, bool first_seen_counts);

/// It shows another key than `known`. One that was just made may not have come to where it takes in what it was given.
runtime::Verdict host_key_changed(const Machine& found, const std::string& known, WallTime now);

}  // namespace ocim::compute
