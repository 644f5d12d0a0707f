#include "net/http_client.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace ocim::net {

ErrorClass class_of(unsigned status) {
    switch (status) {
        case 400:
        case 405:
        case 422: return ErrorClass::invalid;
        case 401:
        case 403: return ErrorClass::auth;
        case 404:
        case 410: return ErrorClass::not_found;
        case 409:
        case 412: return ErrorClass::conflict;
        case 429: return ErrorClass::rate_limited;
        default: return ErrorClass::transient;
    }
}

namespace {

/// One of the three forms of RFC 9110, 5.6.7; the program never leaves the C locale, so names are English.
std::optional<WallTime> http_date(const std::string& text) {
    for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
        std::tm parts{};
        const char* end = ::strptime(text.c_str(), form, &parts);
        if (end == nullptr || *end != '\0') continue;
        return WallTime{std::chrono::seconds{::timegm(&parts)}};
    }
    return std::nullopt;
}

constexpr std::size_t excerpt_bytes_max = 300;  // of what a stranger says, in a message

}  // namespace

std::optional<Duration> retry_after(const HttpReply& reply, WallTime now) {
    const auto header = reply.headers.find("retry-after");
    if (header == reply.headers.end() || header->second.empty()) return std::nullopt;
    const std::string& text = header->second;
    constexpr Duration longest = limits::retry_after_max;
    if (std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
        std::uint32_t seconds = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (error != std::errc{}) return longest;
        return std::min(longest, Duration{std::chrono::seconds{seconds}});
    }
    const auto when = http_date(text);
    if (!when) return std::nullopt;
    return std::clamp(std::chrono::ceil<Duration>(*when - now), Duration{0}, longest);
}

Result<void> expect_success(const HttpReply& reply, WallTime now) {
    if (reply.status >= 200 && reply.status < 300) return {};
    Error error{class_of(reply.status), "answered " + std::to_string(reply.status)};
    if (const auto text = one_line(reply.body, excerpt_bytes_max); !text.empty()) error.message += ": " + text;
    if (const auto place = reply.headers.find("location"); reply.status / 100 == 3 && place != reply.headers.end())
        error.message += " (redirects are not followed: " + one_line(place->second, excerpt_bytes_max) + ")";
    error.retry_after = retry_after(reply, now);
    // A server or a proxy before it that fails may have done the work first.
    error.outcome_unknown = reply.status >= 500 || reply.status == 408;
    return error;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                                (byte >= '0' && byte <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            out += c;
            continue;
        }
        out += '%';
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

}  // namespace ocim::net
