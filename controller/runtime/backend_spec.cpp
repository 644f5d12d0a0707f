#include "runtime/backend_spec.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace ocim::runtime {

namespace {

constexpr std::int64_t duration_ms_max = std::int64_t{10} * 365 * 24 * 3600 * 1000;  // no sum below overflows

Error unreadable(std::string_view text) {
    return Error{ErrorClass::invalid,
                 "\"" + std::string(text.substr(0, 40)) + "\" is not a duration such as 90s, 1h30m or 250ms"};
}

/// The unit at the front of `text` in milliseconds and its length; 0 when there is none.
std::pair<std::int64_t, std::size_t> unit_of(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
    for (const auto& [name, value] : units)
        if (text.starts_with(name)) return {value, name.size()};
    return {0, 0};
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    std::int64_t total = 0;
    auto rest = text;
    do {
        std::int64_t number = 0;
        std::size_t digits = 0;
        for (; digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9'; ++digits) {
            number = number * 10 + (rest[digits] - '0');
            if (number > duration_ms_max) return unreadable(text);
        }
        const auto [unit, length] = unit_of(rest.substr(digits));
        if (digits == 0 || unit == 0 || number > duration_ms_max / unit) return unreadable(text);
        total += number * unit;
        if (total > duration_ms_max) return unreadable(text);
        rest.remove_prefix(digits + length);
    } while (!rest.empty());
    return Duration(total);
}

}  // namespace ocim::runtime
