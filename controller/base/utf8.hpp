#pragma once

#include <cstddef>
#include <string_view>

namespace ocim {

/// How many bytes the UTF-8 sequence at the front of `text` has; 0 when there is none (RFC 3629: no overlong form, no
/// surrogate, nothing beyond U+10FFFF).
std::size_t utf8_sequence(std::string_view text);

}  // namespace ocim
