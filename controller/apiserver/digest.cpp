#include "apiserver/digest.hpp"

#include <openssl/evp.h>
#include <array>
#include <cassert>

namespace ocim::apiserver {

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    unsigned length = 0;
    const int done = EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
    assert(done == 1 && length == digest.size());
    (void)done;
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const unsigned byte : digest) {
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

}  // namespace ocim::apiserver
