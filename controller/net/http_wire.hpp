#pragma once

#include "base/clock.hpp"

#include <map>
#include <string>
#include <string_view>

/// HTTP/1.1 as text: what our server writes. Pure; room-internal.
namespace ocim::net::wire {

/// How the end of a reply's body is told.
enum class Framing {
    length,    ///< Content-Length
    chunked,   ///< Transfer-Encoding: chunked
    until_end  ///< by closing the connection, for HTTP/1.0 streams
};

struct Head {
    unsigned status = 200;
    /// Those that are the connection's business (length, transfer encoding, connection, date) are left out, and
    /// control characters become spaces: a value may hold what a stranger said.
    std::multimap<std::string, std::string> headers{};
    Framing framing = Framing::length;
    std::size_t length = 0;
    bool keep_alive = true;
    bool old_client = false;  ///< HTTP/1.0, which takes silence for "close"
    std::string_view date{};
};

/// Status line and headers with the empty line after them.
std::string head(const Head& head);
/// One chunk; empty for empty data, whose chunk would mean the end.
std::string chunk(std::string_view data);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
inline constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

/// A 1xx, 204 or 304 has no body, whatever the handler says.
bool has_body(unsigned status);
/// IMF-fixdate.
std::string date(WallTime time);

/// A request's target taken apart; absolute form loses its origin. False when it is none that we serve.
bool split_target(std::string_view target, std::string& path, std::string& query);

std::string lower_case(std::string_view text);

}  // namespace ocim::net::wire
