#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "net/ssh.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::hosts {

/// Where a program runs whose files we write. Lives on the loop thread.
class Host {
public:
    virtual ~Host() = default;
    /// Runs a program with its arguments, which reach it as they are. A non-zero exit is a result, not an error.
    virtual awaitable<Result<net::CommandResult>> run(std::vector<std::string> command, std::string input,
                                                      Duration limit) = 0;
};

/// This machine.
std::unique_ptr<Host> make_local_host(BlockingPool& blocking);
/// Another one. `sudo` puts "sudo -n" before each command.
std::unique_ptr<Host> make_remote_host(std::unique_ptr<net::SshHost> ssh, bool sudo);

}  // namespace ocim::hosts
