#include "compute/machine_cgroup.hpp"

#include "compute/machine_root.hpp"

#include <poll.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

namespace ocim::compute {
namespace {

namespace fs = std::filesystem;

constexpr auto parent = "ocim-machines";

bool unified() { return fs::exists("/sys/fs/cgroup/cgroup.controllers"); }

void write_value(const fs::path& path, const std::string& value) {
    std::ofstream out(path);
    out << value;
    out.flush();
    must(static_cast<bool>(out), "cannot write " + value + " to " + path.string());
}

/// The machine's own folders: one in each hierarchy that we need.
std::vector<fs::path> folders(const std::string& id) {
    if (unified()) return {fs::path("/sys/fs/cgroup") / parent / id};
    return {fs::path("/sys/fs/cgroup/memory") / parent / id, fs::path("/sys/fs/cgroup/pids") / parent / id};
}

bool offers(const fs::path& file, const std::string& controller) {
    std::ifstream in(file);
    for (std::string word; in >> word;)
        if (word == controller) return true;
    return false;
}

}  // namespace

MachineCgroup::MachineCgroup(std::string id) : id_(std::move(id)) {}

std::string MachineCgroup::unsupported_reason() {
    for (const auto* controller : {"memory", "pids"}) {
        const bool there = unified() ? offers("/sys/fs/cgroup/cgroup.controllers", controller)
                                     : fs::exists(fs::path("/sys/fs/cgroup") / controller / "cgroup.procs");
        if (!there) return std::string("this host has no cgroup controller ") + controller;
    }
    return "";
}

void MachineCgroup::enter(std::int64_t memory_bytes, std::int64_t processes) const {
    if (unified()) {
        write_value("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids");
        fs::create_directories(fs::path("/sys/fs/cgroup") / parent);
        write_value(fs::path("/sys/fs/cgroup") / parent / "cgroup.subtree_control", "+memory +pids");
    }
    for (const auto& folder : folders(id_)) {
        fs::create_directories(folder);
        if (fs::exists(folder / "memory.max")) write_value(folder / "memory.max", std::to_string(memory_bytes));
        if (fs::exists(folder / "memory.limit_in_bytes"))
            write_value(folder / "memory.limit_in_bytes", std::to_string(memory_bytes));
        if (fs::exists(folder / "pids.max")) write_value(folder / "pids.max", std::to_string(processes));
        write_value(folder / "cgroup.procs", std::to_string(::getpid()));
    }
}

void MachineCgroup::remove() const {
    for (const auto& folder : folders(id_)) {
        // Killed processes leave the group when they are reaped: tried again until it is empty, 10 s at most.
        for (int tries = 0; ::rmdir(folder.c_str()) != 0 && errno != ENOENT; ++tries) {
            must(errno == EBUSY && tries < 1000, "cannot remove " + folder.string());
            std::ifstream processes(folder / "cgroup.procs");
            for (int pid = 0; processes >> pid;) ::kill(pid, SIGKILL);
            ::poll(nullptr, 0, 10);
        }
        ::rmdir(folder.parent_path().c_str());  // the last one takes the parent along; busy otherwise
    }
}

}  // namespace ocim::compute
