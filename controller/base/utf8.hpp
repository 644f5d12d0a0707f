#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ocim {

/// How many bytes the UTF-8 sequence at the front of `text` has; 0 when there is none (RFC 3629: no overlong form, no
/// surrogate, nothing beyond U+10FFFF).
std::size_t utf8_sequence(std::string_view text);

/// `text` with U+FFFD for each byte that is no part of UTF-8: what a stranger wrote, fit for JSON.
std::string valid_utf8(std::string_view text);
/// The same, with "..." for the end of what would be longer than `bytes_max`.
std::string valid_utf8(std::string_view text, std::size_t bytes_max);

/// What a stranger said, fit for a message or a log line: the same, and a space for each control character.
std::string one_line(std::string_view text, std::size_t bytes_max);

}  // namespace ocim
