#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "net/ssh.hpp"

#include <string>
#include <vector>

namespace ocim::net {

struct ProcessSettings {
    std::vector<std::string> command;  ///< program and arguments; no shell
    std::string input{};
    std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"};  ///< all of it
    Duration limit{30'000};  ///< then the process group is killed
};

/// Runs a child process to its end, in a process group of its own, on a thread of `pool`.
/// Errors: not_found (no such program), transient with outcome_unknown (over its limit).
awaitable<Result<CommandResult>> run_process(BlockingPool& pool, ProcessSettings settings);

}  // namespace ocim::net
