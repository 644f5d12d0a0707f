#pragma once

#include <string>
#include <string_view>

namespace ocim::apiserver {

/// SHA-256 in upper-case hex: for ETags and the hashes of documents.
std::string sha256_hex(std::string_view text);

}  // namespace ocim::apiserver
