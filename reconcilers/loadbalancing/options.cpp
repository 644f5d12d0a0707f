#include "loadbalancing/options.hpp"

#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>
#include <vector>

namespace ocim::loadbalancing {

namespace {

using Names = std::vector<std::string_view>;
constexpr Duration time_max{24 * 3600 * 1000};

struct Allowed {
    enum class Form {
        word,      ///< one of `words`
        words,     ///< several of `words`
        number,    ///< from `least` to `most`
        duration,  ///< 1 ms to a day
        types,     ///< MIME types
    };
    std::string_view name;
    Form form{};
    Names words{};
    long least = 0, most = 0;
};

const std::vector<Allowed>& allowed() {
    using Form = Allowed::Form;
    static const std::vector<Allowed> list{
        {"balance", Form::word, {"roundrobin", "leastconn", "random", "source", "first"}},
        {"compression algo", Form::words, {"gzip", "deflate", "raw-deflate", "identity"}},
        {"compression type", Form::types},
        {"fullconn", Form::number, {}, 1, 1'000'000},
        {"http-reuse", Form::word, {"never", "safe", "aggressive", "always"}},
        {"retries", Form::number, {}, 0, 10},
        {"retry-on",
         Form::words,
         {"none", "conn-failure", "empty-response", "junk-response", "response-timeout", "0rtt-rejected", "404", "408",
          "425", "500", "501", "502", "503", "504"}},
        {"timeout connect", Form::duration},
        {"timeout queue", Form::duration},
        {"timeout server", Form::duration},
        {"timeout tunnel", Form::duration},
    };
    return list;
}

std::string joined(const Names& names) {
    std::string out;
    for (const auto name : names) out += (out.empty() ? "" : ", ") + std::string(name);
    return out;
}

Names split(std::string_view text) {
    Names out;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

bool mime_type(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '-' ||
               c == '+' || c == '.';
    };
    return !text.empty() && std::ranges::count(text, '/') == 1 && std::ranges::all_of(text, fits);
}

Result<std::string> value_of(const Allowed& option, const std::string& value) {
    const auto one_of = [&option](std::string_view word) { return std::ranges::count(option.words, word) > 0; };
    const auto parts = split(value);
    switch (option.form) {
        case Allowed::Form::word:
            if (one_of(value)) return value;
            return Error{ErrorClass::invalid, "must be one of " + joined(option.words)};
        case Allowed::Form::words:
            if (!parts.empty() && std::ranges::all_of(parts, one_of)) return value;
            return Error{ErrorClass::invalid, "must be of " + joined(option.words) + ", with one blank between two"};
        case Allowed::Form::types:
            if (!parts.empty() && std::ranges::all_of(parts, mime_type)) return value;
            return Error{ErrorClass::invalid, "must be MIME types, with one blank between two"};
        case Allowed::Form::number: {
            long number = 0;
            const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
            if (error == std::errc() && end == value.data() + value.size() && number >= option.least &&
                number <= option.most)
                return std::to_string(number);
            return Error{ErrorClass::invalid, "must be a number from " + std::to_string(option.least) + " to " +
                                                  std::to_string(option.most)};
        }
        case Allowed::Form::duration: {
            const auto time = runtime::parse_duration(value);
            if (time && time->count() > 0 && *time <= time_max) return std::to_string(time->count()) + "ms";
            return Error{ErrorClass::invalid, "must be between 1ms and 24h"};
        }
    }
    return Error{ErrorClass::invalid, "is not known"};
}

}  // namespace

Result<std::string> option_line(const std::string& name, const std::string& value) {
    const auto found = std::ranges::find(allowed(), name, &Allowed::name);
    if (found == allowed().end()) {
        Names names;
        for (const auto& option : allowed()) names.push_back(option.name);
        return Error{ErrorClass::invalid, "is not one of what a fragment may ask for: " + joined(names)};
    }
    auto checked = value_of(*found, value);
    if (!checked) return checked;
    return name + " " + *checked;
}

}  // namespace ocim::loadbalancing
