#pragma once

#include "base/result.hpp"

#include <string_view>

/// What may be put on the wire as it was meant: a line's end in it would begin something else. Pure; room-internal.
namespace ocim::net::wire {

/// Of a path and query that is appended to a base URL, percent-encoded already. Error: invalid.
Result<void> check_request(std::string_view method, std::string_view target);
/// Error: invalid, which names the header and not its value.
Result<void> check_header(std::string_view name, std::string_view value);

}  // namespace ocim::net::wire
