#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace ocim::test {

/// A disk in memory below SQLite: what was not synced is lost when the power goes, or a part of it is. While it lives
/// it is SQLite's default file system, so whoever opens a database in this process is on it. One at a time.
class FaultDisk {
public:
    explicit FaultDisk(std::uint64_t seed);
    /// Every database on it must be closed.
    ~FaultDisk();
    FaultDisk(const FaultDisk&) = delete;
    FaultDisk& operator=(const FaultDisk&) = delete;

    enum class Operation { write, sync, truncate, remove };

    // --- power
    /// The power goes at the `operation`th thing from now that changes the disk; then everything fails.
    void cut_after(std::uint64_t operations);
    bool is_off() const;
    /// How many operations there were.
    std::uint64_t operations() const;
    /// What was not synced when the power went.
    enum class Unsynced {
        lost,      ///< nothing of it reached the disk
        prefix,    ///< the first so many, the last one torn
        scattered  ///< any sectors of it: a disk orders its cache as it likes
    };
    /// The machine comes back. Databases that were open stay broken and must be closed before.
    void power_on(Unsynced unsynced);

    // --- trouble
    /// Asked before each operation (`file` is its path): an errno to fail with, or 0. Of a sync that fails, what it
    /// should have synced is lost, and further syncs of the same data succeed, as Linux has it.
    using Trouble = std::function<int(Operation operation, const std::string& file)>;
    void set_trouble(Trouble trouble);
    /// No more than so many bytes in all files together; 0: no limit.
    void set_capacity(std::size_t bytes);

    struct State;

private:
    std::unique_ptr<State> state_;
};

}  // namespace ocim::test
