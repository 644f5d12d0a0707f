#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "net/ssh.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::openedx {

/// Where a run is: its folders, and commands there.
class RunPlace {
public:
    RunPlace(std::string runs, std::string cache) : runs(std::move(runs)), cache(std::move(cache)) {}
    RunPlace(const RunPlace&) = delete;
    RunPlace& operator=(const RunPlace&) = delete;
    virtual ~RunPlace() = default;
    /// Runs a constant program of a POSIX shell with arguments; what it printed. Error: as of net::SshHost, and
    /// transient when it did not end well.
    virtual awaitable<Result<std::string>> run(std::string program, std::vector<std::string> arguments,
                                               std::string input) = 0;
    /// Whether anything was ever run there. Blocks. Error: transient, when that cannot be seen.
    virtual Result<bool> used() const = 0;

    const std::string runs, cache;  ///< as commands there see them
};

/// The machine, as root. `host` must outlive it.
std::unique_ptr<RunPlace> make_machine_place(net::SshHost& host, bool logs_in_as_root);

/// This host, for the runs of one machine: as a user of the namespace's own who owns nothing else here, with no
/// environment, in a mount namespace that shows none of our data and nobody's home. It needs root, to be able to give
/// that up. `data_directory` is ours, mode 0700.
std::unique_ptr<RunPlace> make_controller_place(BlockingPool& blocking, const std::string& data_directory,
                                                const std::string& namespace_, const std::string& machine);

}  // namespace ocim::openedx
