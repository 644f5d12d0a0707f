#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ocim::net {

struct SshSettings {
    std::string host;
    std::uint16_t port = 22;
    std::string user;
    Secret private_key;    ///< OpenSSH or PEM, without passphrase
    std::string host_key;  ///< "ssh-ed25519 AAAA…": the only key accepted but for more_host_keys. Empty: any, and
                           ///< SshHost::host_key tells it
    std::vector<std::string> more_host_keys{};  ///< accepted as well as host_key: a host has one of each type
    Duration connect_timeout{5'000};
    /// The far end is no shell but knows certain commands (a Git server): the first word goes as it is, and nothing
    /// there ends the command when we stop waiting.
    bool commands_only = false;
};

struct CommandResult {
    int exit_code = 0;
    std::string output{};  ///< stdout, at most limits::reply_bytes_max
    std::string errors{};  ///< stderr, its last 64 KiB
};

/// A host reached by SSH, over one connection that is opened when needed and reopened when lost.
/// Calls run one after another on a thread of their own. Lives on the loop thread.
class SshHost {
public:
    virtual ~SshHost() = default;
    /// Runs a program with its arguments; each word is quoted by us, no shell sees anything of ours.
    /// A non-zero exit is a result, not an error. Errors: unreachable, auth (key refused, host key differs),
    /// transient with outcome_unknown (lost after the command was sent, or over `limit`).
    virtual awaitable<Result<CommandResult>> run(std::vector<std::string> command, std::string input,
                                                 Duration limit) = 0;
    /// Writes a file as a whole: a temporary beside it, then renamed over it. `mode` as in chmod.
    virtual awaitable<Result<void>> put(std::string path, std::string content, unsigned mode, Duration limit) = 0;
    /// The key the host showed last, in known_hosts form without the name.
    virtual std::string host_key() const = 0;
};

std::unique_ptr<SshHost> make_ssh_host(boost::asio::any_io_executor loop, SshSettings settings);

/// One word for a POSIX shell, single-quoted. The only place where text meets a shell's syntax.
/// Error: invalid for a NUL.
Result<std::string> shell_word(std::string_view text);

}  // namespace ocim::net
