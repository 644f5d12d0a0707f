#pragma once

#include "compute/machine_file.hpp"

#include <string>

namespace ocim::compute {

/// Thrown inside the processes of a machine only; machine_main turns it into a line on stderr.
struct MachineError {
    std::string message;
};

/// Throws a MachineError with errno's text when `ok` is false.
void must(bool ok, const std::string& what);

/// Makes what of the machine's root lives on disk: its own /etc, /home, /root, /var, /srv. Repeatable; what the
/// machine changed since stays.
void make_root_directories(const std::string& directory, const MachineFile& machine);

/// Mounts the machine's root from within its new mount namespace and moves into it: /usr and the package database
/// below copy-on-write layers, /proc, /sys read-only, a /dev without devices, never anything else of the host.
void enter_root(const std::string& directory);

}  // namespace ocim::compute
