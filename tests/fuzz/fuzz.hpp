#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

/// What the fuzz programs share. Each defines LLVMFuzzerTestOneInput.
namespace ocim::fuzz {

/// Ends the program with a message, which libFuzzer takes for a finding.
inline void expect(bool holds, std::string_view what, const std::string& shown = "") {
    if (holds) return;
    std::fprintf(stderr, "broken: %.*s\n%s\n", static_cast<int>(what.size()), what.data(), shown.c_str());
    std::abort();
}

/// The input as `count` texts, one a line; the last takes the rest, missing ones are empty.
inline std::vector<std::string_view> lines(const std::uint8_t* data, std::size_t size, std::size_t count) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    std::vector<std::string_view> out;
    while (out.size() + 1 < count) {
        const auto end = rest.find('\n');
        out.push_back(rest.substr(0, end));
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    out.push_back(rest);
    return out;
}

}  // namespace ocim::fuzz
