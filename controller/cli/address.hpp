#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace ocim::cli {

/// Where to listen.
struct Address {
    std::string host;
    std::uint16_t port = 0;
};

/// "127.0.0.1:7443", "[::1]:0". Error: invalid, naming the flag.
Result<Address> parse_address(std::string_view flag, std::string_view text);

/// Where a client on this machine finds a server that listens on `host`: the loopback for "any address".
std::string reachable_host(const std::string& host);
/// "https://[::1]:7443"
std::string url(std::string_view scheme, const std::string& host, std::uint16_t port);

}  // namespace ocim::cli
