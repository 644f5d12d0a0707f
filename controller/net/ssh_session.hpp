#pragma once

#include "net/ssh.hpp"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

/// One SSH connection as seen by the thread it lives on; room-internal.
namespace ocim::net {

/// How long to wait, and whether anybody still does.
struct Patience {
    std::chrono::steady_clock::time_point deadline;  ///< a thread has no Clock
    const std::atomic<bool>& hurry;                  ///< set by the loop when nobody waits any more

    Patience at_most(Duration time) const {
        return {std::min(deadline, std::chrono::steady_clock::now() + time), hurry};
    }
};

/// Connected and authenticated, or gone. One thread at a time. libssh never blocks here: we wait on its socket
/// ourselves, so that a call ends at its deadline and when it is cancelled.
class SshSession {
public:
    explicit SshSession(const SshSettings& settings) : settings_(settings) {}
    ~SshSession() { close(); }
    SshSession(const SshSession&) = delete;
    SshSession& operator=(const SshSession&) = delete;

    /// `line` is a command for the far end's shell, of which every word is quoted.
    Result<CommandResult> execute(const std::string& line, const std::string& input, const Patience& patience);
    /// Connects without logging in: only to see the key that the host shows.
    Result<std::string> greet(const Patience& patience);
    void close();
    const std::string& host_key() const { return host_key_; }

private:
    struct Exit;
    class Channel;

    Result<void> open(const Patience& patience);
    Result<void> meet(const Patience& patience);
    Result<int> connect_socket(const Patience& patience) const;
    Result<void> check_host();
    Result<void> authenticate(const Patience& patience);
    Result<void> open_channel(Channel& channel, const Patience& patience);
    Result<CommandResult> converse(Channel& channel, const std::string& input, const Patience& patience);
    bool wait(const Patience& patience) const;
    std::string reason() const;

    const SshSettings& settings_;
    ssh_session session_ = nullptr;
    bool ready_ = false;
    std::string host_key_;
};

}  // namespace ocim::net
