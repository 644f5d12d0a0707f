#pragma once

#include <string>
#include <vector>

namespace ocim::compute {

/// The processes of one local machine, as sub-commands of the program. Everything that needs many system calls and a
/// single thread happens in these, never in the controller.
///
///   machine start DIR    starts the machine described by DIR/machine.json and returns when its SSH server answers;
///                        nothing to do when it runs already. What it leaves behind lives on without us.
///   machine stop DIR     kills every process of it and takes its network and cgroups away
///   machine remove DIR   the same, then removes DIR itself
///   machine bridge NAME ADDRESS/BITS   makes the network of a cloud, with this host as its gateway;
///                                      refused when another interface has an address in it
///   machine unbridge NAME              takes it away
///
/// Returns the exit code: 0 done, 1 refused with a reason on stderr, 2 wrong use.
int machine_main(const std::vector<std::string>& arguments);

/// Why this host can run no local machines; empty when it can.
std::string unsupported_reason();

/// The process of the machine in `directory` that outlives us, or 0 when it does not run.
int supervisor_of(const std::string& directory);

}  // namespace ocim::compute
