#include "api/number.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace ocim::api {

Json number(double value) {
    constexpr double two_to_63 = 9223372036854775808.0;
    if (std::trunc(value) == value && value >= -two_to_63 && value < two_to_63) return static_cast<std::int64_t>(value);
    return value;
}

std::optional<Json> read_number(const std::string& text) {
    double value = 0;
    const auto* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (end != last) return std::nullopt;
    // which of the two ends of the range it missed, only strtod tells: too small is nothing
    if (error == std::errc::result_out_of_range)
        value = std::strtod(text.c_str(), nullptr);
    else if (error != std::errc())
        return std::nullopt;
    return std::isfinite(value) ? std::optional(number(value)) : std::nullopt;
}

}  // namespace ocim::api
