#pragma once

#include "compute/machine_file.hpp"

#include <string>
#include <vector>

namespace ocim::compute {

/// The first process inside a machine, in its new namespaces: takes its root, network and rights, starts
/// /etc/rc.local and the SSH server, says "ready" on `ready_pipe` when that answers, and reaps what dies. On SIGTERM
/// it ends every process. Never returns.
[[noreturn]] void run_machine_init(const std::string& directory, const MachineFile& machine, int network_pipe,
                                   int ready_pipe);

/// Runs a program of this host to its end; throws MachineError when it does not exit with 0.
void run_tool(const std::vector<std::string>& command);

}  // namespace ocim::compute
