#pragma once

#include "base/async.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ocim::net {

struct SshDoor {
    std::string address;  ///< an IP address
    std::uint16_t port = 22;
    auto operator<=>(const SshDoor&) const = default;
};

/// Who of them answers as an SSH server within `limit`, with the key that it shows: "ssh-ed25519 AAAA…". All are asked
/// at once, on one thread of `blocking`; nobody logs in anywhere.
awaitable<Result<std::map<SshDoor, std::string>>> greet_ssh_hosts(BlockingPool& blocking, std::vector<SshDoor> doors,
                                                                  Duration limit);

}  // namespace ocim::net
