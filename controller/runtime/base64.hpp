#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ocim::runtime {

/// RFC 4648 section 4, with padding: how a Secret's data travels.
std::string base64(std::string_view bytes);
/// Nothing when `text` is not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace ocim::runtime
