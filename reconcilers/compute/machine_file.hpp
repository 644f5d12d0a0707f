#pragma once

#include "base/result.hpp"
#include "runtime/mark.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ocim::compute {

/// What DIR/machine.json says of one local machine: written before it is started, so that a crash at any instant
/// leaves something with our mark.
struct MachineFile {
    std::string id;  ///< the folder's name
    runtime::Mark mark;
    std::string address, gateway;
    std::int64_t prefix_bits = 24;
    std::string bridge;
    std::string ssh_user, public_key, key_name;
    std::int64_t memory_bytes = 0, processes = 0;
    std::string reboot_request;  ///< the last one carried out
    bool stopped = false;        ///< by declaration
};

Result<MachineFile> read_machine_file(const std::string& directory);
/// As a whole: a temporary beside it, synced, renamed over it.
Result<void> write_machine_file(const std::string& directory, const MachineFile& machine);

/// The folders of machines in `directory`, those without anything in them left out: they are nobody's. One that cannot
/// be looked into is an error: its machine would be taken for gone.
Result<std::vector<std::string>> machine_folders(const std::string& directory);

}  // namespace ocim::compute
