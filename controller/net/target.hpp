#pragma once

#include "base/result.hpp"

#include <string>

/// URLs taken apart; room-internal.
namespace ocim::net {

struct Target {
    bool tls = false;
    std::string authority;   ///< as in the Host header
    std::string name;        ///< whose certificate is wanted
    std::string host, port;  ///< where to connect
    std::string path_and_query;
};

/// `connect_to`, if not empty, is "address:port" to use instead of the URL's host. Error: invalid, in words that begin
/// "the URL".
Result<Target> parse_target(const std::string& url, const std::string& connect_to);

/// "host:port", "[address]:port", or where `port` is given already without one. Error: invalid, beginning "it".
Result<void> split_address(const std::string& text, std::string& host, std::string& port);

}  // namespace ocim::net
