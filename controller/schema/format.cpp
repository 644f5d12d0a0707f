#include "schema/node.hpp"

#include <arpa/inet.h>
#include <re2/re2.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace ocim::schema {
namespace {

bool full(std::string_view text, const re2::RE2& pattern) {
    return re2::RE2::FullMatch({text.data(), text.size()}, pattern);
}

bool is_ipv4(std::string_view text) {
    std::array<unsigned char, 4> out{};
    return inet_pton(AF_INET, std::string(text).c_str(), out.data()) == 1 && text.find('\0') == std::string_view::npos;
}

bool is_ipv6(std::string_view text) {
    std::array<unsigned char, 16> out{};
    return inet_pton(AF_INET6, std::string(text).c_str(), out.data()) == 1 && text.find('\0') == std::string_view::npos;
}

bool is_cidr(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return false;
    const auto bits = text.substr(slash + 1);
    unsigned value = 0;
    const auto [end, failed] = std::from_chars(bits.data(), bits.data() + bits.size(), value);
    if (failed != std::errc{} || end != bits.data() + bits.size()) return false;
    const auto address = text.substr(0, slash);
    return (is_ipv4(address) && value <= 32) || (is_ipv6(address) && value <= 128);
}

bool is_date(std::string_view text) {
    static const re2::RE2 pattern(R"((\d{4})-(\d{2})-(\d{2}))");
    int year = 0, month = 0, day = 0;
    if (!re2::RE2::FullMatch({text.data(), text.size()}, pattern, &year, &month, &day)) return false;
    return std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                       std::chrono::day(static_cast<unsigned>(day)))
        .ok();
}

/// RFC 3339; a leap second is possible.
bool is_date_time(std::string_view text) {
    static const re2::RE2 pattern(
        R"((\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-](\d{2}):(\d{2})))");
    std::string date;
    int hour = 0, minute = 0, second = 0;
    std::string fraction, zone, zone_hour, zone_minute;
    if (!re2::RE2::FullMatch({text.data(), text.size()}, pattern, &date, &hour, &minute, &second, &fraction, &zone,
                             &zone_hour, &zone_minute))
        return false;
    return is_date(date) && hour < 24 && minute < 60 && second <= 60 && zone_hour < "24" && zone_minute < "60";
}

/// Go's durations ("1h30m", "-1.5s") and counts of units ("2 weeks").
bool is_duration(std::string_view text) {
    static const re2::RE2 go(R"([-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+))");
    static const re2::RE2 words(
        R"(\s*(\d{1,18}\s*(?i:ns|nano\w*|us|µs|micro\w*|ms|milli\w*|s|sec\w*|m|min\w*|h|hr|hour\w*|d|day\w*|w|wk|week\w*)\s*)+)");
    return full(text, go) || full(text, words);
}

bool is_base64(std::string_view text) {
    static const re2::RE2 pattern(R"(([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)");
    return full(text, pattern);
}

bool is_uri(std::string_view text) {
    static const re2::RE2 absolute(R"([A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f]+)");
    static const re2::RE2 path(R"(/[^\x00-\x20\x7f]*)");
    static const re2::RE2 broken_escape(R"(%([^0-9A-Fa-f]|[0-9A-Fa-f]([^0-9A-Fa-f]|$)|$))");
    return (full(text, absolute) || full(text, path)) &&
           !re2::RE2::PartialMatch({text.data(), text.size()}, broken_escape);
}

/// An address, or a name with an address in angle brackets.
bool is_email(std::string_view text) {
    static const re2::RE2 pattern(
        R"((?:[^<>@"(),:;\\\x00-\x1f]*<)?([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x{80}-\x{10FFFF}-]+|"[^"\\\x00-\x1f]+")@([^\s<>@"(),;\\]+)(>)?)");
    std::string local, domain, close;
    if (!re2::RE2::FullMatch({text.data(), text.size()}, pattern, &local, &domain, &close)) return false;
    const bool opened = text.find('<') != std::string_view::npos;
    const bool dots = local.starts_with('.') || local.ends_with('.') || local.find("..") != std::string::npos;
    const bool domain_dots = domain.starts_with('.') || domain.find("..") != std::string::npos;
    return opened == !close.empty() && (!dots || local.starts_with('"')) && !domain_dots;
}

bool is_hostname(std::string_view text) {
    static const re2::RE2 pattern(
        R"([\pL\pS0-9]([\pL\pS0-9-]*[\pL\pS0-9])?(\.[\pL\pS0-9]([\pL\pS0-9-]*[\pL\pS0-9])?)*)");
    if (text.size() > 255 || !full(text, pattern)) return false;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('.', at), text.size());
        if (end - at > 63) return false;
        at = end + 1;
    }
    return true;
}

bool luhn(std::string_view text) {
    static const re2::RE2 pattern(R"([0-9][0-9 -]{11,22}[0-9])");
    if (!full(text, pattern)) return false;
    int sum = 0, count = 0;
    for (auto i = text.size(); i-- > 0;) {
        if (text[i] < '0' || text[i] > '9') continue;
        const int digit = text[i] - '0';
        const int twice = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += count++ % 2 == 0 ? digit : twice;
    }
    return count >= 13 && count <= 19 && sum % 10 == 0;
}

bool is_isbn(std::string_view text, std::size_t length) {
    std::string digits;
    for (const char c : text)
        if (c != '-' && c != ' ') digits += c;
    if (digits.size() != length) return false;
    int sum = 0;
    for (std::size_t i = 0; i < length; ++i) {
        const bool ten = length == 10 && i == 9 && (digits[i] == 'X' || digits[i] == 'x');
        if (!ten && (digits[i] < '0' || digits[i] > '9')) return false;
        const int value = ten ? 10 : digits[i] - '0';
        sum += length == 10 ? static_cast<int>(10 - i) * value : (i % 2 == 0 ? 1 : 3) * value;
    }
    return sum % (length == 10 ? 11 : 10) == 0;
}

struct Format {
    std::string_view name;
    bool (*holds)(std::string_view text);
};

template <std::size_t version>
bool is_uuid(std::string_view text) {
    static const re2::RE2 any(R"((?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})");
    if (!full(text, any)) return false;
    if constexpr (version == 0) return true;
    std::string digits;
    for (const char c : text)
        if (c != '-') digits += c;
    const bool variant = version == 3 || std::string_view("89abAB").find(digits[16]) != std::string_view::npos;
    return digits[12] == static_cast<char>('0' + version) && variant;
}

bool is_short_name(std::string_view text) {
    static const re2::RE2 pattern("[a-z0-9]([-a-z0-9]*[a-z0-9])?");
    return text.size() <= 63 && full(text, pattern);
}
bool is_long_name(std::string_view text) {
    static const re2::RE2 pattern(R"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)");
    return text.size() <= 253 && full(text, pattern);
}
bool is_mac(std::string_view text) {
    static const re2::RE2 pattern(
        "([0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){7}|[0-9A-Fa-f]{4}(\\.[0-9A-Fa-f]{4})"
        "{2,3})");
    return full(text, pattern);
}
bool is_hex_color(std::string_view text) {
    static const re2::RE2 pattern("#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})");
    return full(text, pattern);
}
bool is_rgb_color(std::string_view text) {
    static const re2::RE2 pattern(
        R"(rgb\(\s*(\d|[1-9]\d|1\d{2}|2[0-4]\d|25[0-5])\s*(,\s*(\d|[1-9]\d|1\d{2}|2[0-4]\d|25[0-5])\s*){2}\))");
    return full(text, pattern);
}
bool is_ssn(std::string_view text) {
    static const re2::RE2 pattern(R"(\d{3}[- ]?\d{2}[- ]?\d{4})");
    return full(text, pattern);
}
bool is_object_id(std::string_view text) {
    static const re2::RE2 pattern("[0-9A-Fa-f]{24}");
    return full(text, pattern);
}

constexpr Format formats[] = {
    {"date-time", is_date_time},
    {"datetime", is_date_time},
    {"date", is_date},
    {"duration", is_duration},
    {"byte", is_base64},
    {"uri", is_uri},
    {"email", is_email},
    {"hostname", is_hostname},
    {"ipv4", is_ipv4},
    {"ipv6", is_ipv6},
    {"cidr", is_cidr},
    {"mac", is_mac},
    {"uuid", is_uuid<0>},
    {"uuid3", is_uuid<3>},
    {"uuid4", is_uuid<4>},
    {"uuid5", is_uuid<5>},
    {"isbn", [](std::string_view text) { return is_isbn(text, 10) || is_isbn(text, 13); }},
    {"isbn10", [](std::string_view text) { return is_isbn(text, 10); }},
    {"isbn13", [](std::string_view text) { return is_isbn(text, 13); }},
    {"creditcard", luhn},
    {"ssn", is_ssn},
    {"hexcolor", is_hex_color},
    {"rgbcolor", is_rgb_color},
    {"bsonobjectid", is_object_id},
    {"k8s-short-name", is_short_name},
    {"k8s-long-name", is_long_name},
};

}  // namespace

bool has_format(std::string_view format, std::string_view text) {
    const auto found = std::ranges::find(formats, format, &Format::name);
    return found == std::end(formats) || found->holds(text);
}

}  // namespace ocim::schema
