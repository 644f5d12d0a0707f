#pragma once

#include "base/result.hpp"

#include <netdb.h>
#include <functional>
#include <string>

/// Names to addresses without a thread that somebody must wait for; room-internal.
namespace ocim::net {

/// Looks `host` up and calls `done` once, on a thread of the C library, with the addresses (valid during the call)
/// or with unreachable. A server of names that does not answer delays it by as long as resolv.conf says; whoever
/// asked need not be there any more.
void look_up(const std::string& host, const std::string& port,
             std::function<void(Result<const addrinfo*> addresses)> done);

/// Whether the host is an address already, so that looking it up asks nobody.
bool is_address(const std::string& host);

}  // namespace ocim::net
