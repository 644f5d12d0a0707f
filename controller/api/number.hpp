#pragma once

#include "api/json.hpp"

#include <optional>
#include <string>

namespace ocim::api {

/// A number that is whole is held as an integer, however it was written: 1.0 and 1 print alike.
Json number(double value);

/// Reads a decimal number exactly: the JSON parser's own doubles may be off by a bit. Nothing when `text` is none or
/// too large to be finite.
std::optional<Json> read_number(const std::string& text);

}  // namespace ocim::api
