#include "api/yaml_scalar.hpp"

#include "api/number.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>

namespace ocim::api {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

const std::map<std::string_view, Json>& words() {
    static const std::map<std::string_view, Json> all = [] {
        std::map<std::string_view, Json> out;
        for (const auto* word : {"", "~", "null", "Null", "NULL"}) out[word] = nullptr;
        for (const auto* word : {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
            out[word] = true;
        for (const auto* word : {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
            out[word] = false;
        return out;
    }();
    return all;
}

bool not_finite(std::string_view text) {
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    return text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN";
}

/// [-+] 0x…, 0b…, 0o…, 0… (octal) or decimal; one that fits no 64 bits is none.
std::optional<Json> integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    int base = 10;
    if (text.size() > 1 && text[0] == '0') {
        const char mark = static_cast<char>(text[1] | 0x20);
        base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
        text.remove_prefix(digit(text[1]) ? 1 : 2);
        if (base == 8 && mark != 'o' && !digit(mark)) return std::nullopt;
    }
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    constexpr std::uint64_t int64_max = std::numeric_limits<std::int64_t>::max();
    if (size <= int64_max) return negative ? -static_cast<std::int64_t>(size) : static_cast<std::int64_t>(size);
    if (!negative) return number(static_cast<double>(size));
    return size == int64_max + 1 ? std::optional<Json>(std::numeric_limits<std::int64_t>::min()) : std::nullopt;
}

/// [-+] (.5 or 5 or 5. or 5.5) [e[-+]5]
bool is_decimal(std::string_view text) {
    const auto take_digits = [&] {
        std::size_t count = 0;
        for (; !text.empty() && digit(text[0]); text.remove_prefix(1)) ++count;
        return count;
    };
    const auto take_sign = [&] {
        if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    };
    take_sign();
    const bool whole = take_digits() > 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (take_digits() == 0 && !whole) return false;
    } else if (!whole) {
        return false;
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        take_sign();
        if (take_digits() == 0) return false;
    }
    return text.empty();
}

}  // namespace

Result<Json> resolve_scalar(const std::string& text) {
    if (const auto word = words().find(text); word != words().end()) return word->second;
    if (not_finite(text)) return Error{ErrorClass::invalid, text + " is no finite number"};
    const char front = text[0];
    if (!digit(front) && front != '+' && front != '-' && front != '.') return Json(text);
    std::string plain = text;
    if (front != '.') plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
    if (auto whole = front == '.' ? std::nullopt : integer(plain)) return *std::move(whole);
    if (!is_decimal(plain)) return Json(text);
    auto decimal = read_number(plain.substr(plain[0] == '+' ? 1 : 0));
    return decimal ? *std::move(decimal) : Json(text);
}

}  // namespace ocim::api
