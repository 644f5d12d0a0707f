#pragma once

#include <cstdint>
#include <string>

namespace ocim::compute {

/// A machine's limits, in whichever version of cgroups this host has. Throws MachineError.
class MachineCgroup {
public:
    explicit MachineCgroup(std::string id);
    /// Whether this host can limit memory and processes; the reason when it cannot.
    static std::string unsupported_reason();
    /// Makes the group with its limits and moves this process into it.
    void enter(std::int64_t memory_bytes, std::int64_t processes) const;
    /// Kills what is left in it and removes it; nothing to do when there is none.
    void remove() const;

private:
    std::string id_;
};

}  // namespace ocim::compute
