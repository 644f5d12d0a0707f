#include "base/utf8.hpp"

#include <algorithm>
#include <cassert>

namespace ocim {

std::size_t utf8_sequence(std::string_view text) {
    if (text.empty()) return 0;
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&](std::size_t i) { return (at(i) & 0xc0u) == 0x80u; };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first < 0xf0) {
        const bool overlong = first == 0xe0 && at(1) < 0xa0;
        const bool surrogate = first == 0xed && at(1) > 0x9f;
        return !overlong && !surrogate && follows(1) && follows(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first < 0xf5) {
        const bool overlong = first == 0xf0 && at(1) < 0x90;
        const bool too_large = first == 0xf4 && at(1) > 0x8f;
        return !overlong && !too_large && follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

std::string valid_utf8(std::string_view text) {
    constexpr std::string_view replacement = "\xef\xbf\xbd";
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto length = utf8_sequence(text);
        out += length > 0 ? text.substr(0, length) : replacement;
        text.remove_prefix(length > 0 ? length : 1);
    }
    return out;
}

std::string valid_utf8(std::string_view text, std::size_t bytes_max) {
    constexpr std::string_view more = "...";
    assert(bytes_max >= more.size());
    auto out = valid_utf8(text.substr(0, bytes_max + 1));
    if (out.size() <= bytes_max) return out;
    auto end = bytes_max - more.size();
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) --end;
    return out.replace(end, std::string::npos, more);
}

std::string one_line(std::string_view text, std::size_t bytes_max) {
    auto out = valid_utf8(text, bytes_max);
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return out;
}

}  // namespace ocim
