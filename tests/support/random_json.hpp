#pragma once

#include "api/json.hpp"
#include "base/random.hpp"

#include <array>
#include <cmath>
#include <string>
#include <string_view>

/// Values that a parser could have given, for property tests.
namespace ocim::test {

inline std::string random_text(Random& random) {
    static constexpr std::array<std::string_view, 44> pieces{
        "a", "Z",  "0",  "010",  "1.5",  "1e3", ".5", "true", "No", "null", "~",  "yes",  "-",    "- ", ": ",
        ":", " #", "#",  "\n",   "\n\n", "\t",  "\r", " ",    "  ", "'",    "\"", "\\",   "{",    "[",  "]",
        ",", "&a", "*a", "!tag", "|",    ">",   "%",  "@",    "`",  "?",    "é",  "日本", "\x01", "😀"};
    std::string out;
    for (auto n = random.below(5); n > 0; --n) out += pieces.at(random.below(pieces.size()));
    return out;
}

inline api::Json random_number(Random& random) {
    switch (random.below(5)) {
        case 0: return static_cast<std::int64_t>(random.next());
        case 1: return static_cast<std::int64_t>(random.below(1000)) - 500;
        case 2: return 0.1 * static_cast<double>(1 + random.below(9));
        case 3: return std::ldexp(1.0 + 1e-16 * static_cast<double>(random.below(1'000'000'000'000)), 70);
        default: return -std::ldexp(1.0 / 3, -static_cast<int>(random.below(300)));
    }
}

inline api::Json random_json(Random& random, int depth = 4) {
    const auto kind = random.below(depth > 0 ? 8 : 5);
    if (kind == 0) return nullptr;
    if (kind == 1) return random.below(2) == 0;
    if (kind == 2) return random_number(random);
    if (kind <= 4) return api::json::string(random_text(random));
    if (kind == 5) {
        api::json::array out;
        for (auto n = random.below(4); n > 0; --n) out.push_back(random_json(random, depth - 1));
        return out;
    }
    api::json::object out;
    for (auto n = random.below(5); n > 0; --n) out[random_text(random)] = random_json(random, depth - 1);
    return out;
}

}  // namespace ocim::test
