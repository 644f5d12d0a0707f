#include "schema/cel_value.hpp"

#include <re2/re2.h>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace ocim::schema::cel {
namespace {

constexpr std::int64_t nanosecond = 1, second = 1'000'000'000;

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr Unit units[] = {{"ns", nanosecond}, {"us", 1'000}, {"µs", 1'000},      {"μs", 1'000},
                          {"ms", 1'000'000},  {"s", second}, {"m", 60 * second}, {"h", 3600 * second}};

/// One number with its unit, taken from the front of `text`.
std::optional<long double> take_part(std::string_view& text) {
    const auto end = text.find_first_not_of("0123456789.");
    if (end == 0 || end == std::string_view::npos) return std::nullopt;
    double number = 0;
    const auto [stop, failed] = std::from_chars(text.data(), text.data() + end, number, std::chars_format::fixed);
    if (failed != std::errc{} || stop != text.data() + end) return std::nullopt;
    text.remove_prefix(end);
    const auto unit_end = std::min(text.find_first_of("0123456789."), text.size());
    for (const auto& unit : units)
        if (unit.name == text.substr(0, unit_end)) {
            text.remove_prefix(unit_end);
            return static_cast<long double>(number) * static_cast<long double>(unit.nanoseconds);
        }
    return std::nullopt;
}

std::string trimmed(std::string digits) {
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    return digits;
}

}  // namespace

std::optional<Span> parse_span(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text == "0") return Span{};
    if (text.empty()) return std::nullopt;
    long double total = 0;
    while (!text.empty()) {
        const auto part = take_part(text);
        if (!part) return std::nullopt;
        total += *part;
    }
    if (total >= 9.223372036854775807e18L) return std::nullopt;
    const auto nanoseconds = static_cast<std::int64_t>(std::roundl(total));
    return Span{negative ? -nanoseconds : nanoseconds};
}

std::string printed(Span span) {
    if (span.nanoseconds == 0) return "0s";
    // the most negative number has no positive counterpart
    auto rest = span.nanoseconds < 0 ? 0 - static_cast<std::uint64_t>(span.nanoseconds)
                                     : static_cast<std::uint64_t>(span.nanoseconds);
    std::string out = span.nanoseconds < 0 ? "-" : "";
    if (rest < static_cast<std::uint64_t>(second)) {
        const auto [unit, name] = rest < 1'000       ? std::pair<std::uint64_t, const char*>(1, "ns")
                                  : rest < 1'000'000 ? std::pair<std::uint64_t, const char*>(1'000, "µs")
                                                     : std::pair<std::uint64_t, const char*>(1'000'000, "ms");
        out += std::to_string(rest / unit);
        if (rest % unit != 0) {
            auto digits = std::to_string(unit + rest % unit).substr(1);
            out += "." + trimmed(std::move(digits));
        }
        return out + name;
    }
    const auto fraction = rest % second;
    rest /= second;
    if (rest >= 3600) out += std::to_string(rest / 3600) + "h";
    if (rest >= 60) out += std::to_string(rest / 60 % 60) + "m";
    out += std::to_string(rest % 60);
    if (fraction != 0) out += "." + trimmed(std::to_string(second + static_cast<std::int64_t>(fraction)).substr(1));
    return out + "s";
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
    static const re2::RE2 pattern(
        R"((\d{4})-(\d{2})-(\d{2})(?:[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2}))?)");
    int year = 0, month = 0, day = 0;
    std::string hour, minute, second_text, fraction, zone;
    if (!re2::RE2::FullMatch({text.data(), text.size()}, pattern, &year, &month, &day, &hour, &minute, &second_text,
                             &fraction, &zone))
        return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day)));
    if (!date.ok() || year < 1) return std::nullopt;
    Timestamp out{std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL, 0};
    if (hour.empty()) return out;
    if (hour > "23" || minute > "59" || second_text > "60") return std::nullopt;
    out.seconds += std::stoi(hour) * 3600 + std::stoi(minute) * 60 + std::stoi(second_text);
    fraction.resize(9, '0');
    out.nanoseconds = std::stoi(fraction);
    if (zone.size() == 6) {
        const auto offset = std::stoi(zone.substr(1, 2)) * 3600 + std::stoi(zone.substr(4, 2)) * 60;
        out.seconds -= zone[0] == '-' ? -offset : offset;
    }
    return out;
}

std::string printed(Timestamp time) {
    const auto days = std::chrono::floor<std::chrono::days>(std::chrono::seconds(time.seconds));
    const std::chrono::year_month_day date{std::chrono::sys_days(days)};
    const auto rest = time.seconds - std::chrono::seconds(days).count();
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                  static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
    std::string out = buffer.data();
    if (time.nanoseconds != 0) out += "." + trimmed(std::to_string(second + time.nanoseconds).substr(1));
    return out + "Z";
}

std::optional<std::string> decode_base64(std::string_view text) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    const auto padding = text.ends_with("==") ? 2u : text.ends_with("=") ? 1u : 0u;
    for (const char c : text.substr(0, text.size() - padding)) {
        const auto value = alphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>((bits >> count) & 0xff);
        }
    }
    return out;
}

std::string encode_base64(std::string_view data) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < data.size(); i += 3) {
        const auto piece = data.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k)
            bits = (bits << 8) | (k < piece.size() ? static_cast<unsigned char>(piece[k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k) out += k <= piece.size() ? alphabet[(bits >> (18 - 6 * k)) & 63] : '=';
    }
    return out;
}

}  // namespace ocim::schema::cel
