#include "schema/cel_functions.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ocim::schema::cel {
namespace {

/// A double as strconv prints it: 1e+21 but 1000000.
std::string number_text(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
    return api::to_text(Json(number));
}

Value to_int(const Value& value) {
    if (const auto* number = value.if_a<std::uint64_t>())
        return *number > INT64_MAX ? fault("integer overflow") : Value(static_cast<std::int64_t>(*number));
    if (const auto* number = value.if_a<double>())
        return std::abs(*number) < 9223372036854775808.0 ? Value(static_cast<std::int64_t>(*number))
                                                         : fault("integer overflow");
    if (const auto* time = value.if_a<Timestamp>()) return time->seconds;
    if (const auto* span = value.if_a<Span>()) return span->nanoseconds;
    if (!value.if_a<Text>()) return value;
    std::int64_t out = 0;
    const auto text = value.text();
    const auto digits = text.starts_with('+') ? text.substr(1) : text;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    if (failed != std::errc{} || end != digits.data() + digits.size())
        return fault("type conversion error from 'string' to 'int'");
    return out;
}

Value to_uint(const Value& value) {
    if (const auto* number = value.if_a<std::int64_t>())
        return *number < 0 ? fault("unsigned integer overflow") : Value(static_cast<std::uint64_t>(*number));
    if (const auto* number = value.if_a<double>())
        return *number > -1 && *number < 18446744073709551616.0 ? Value(static_cast<std::uint64_t>(*number))
                                                                : fault("unsigned integer overflow");
    if (!value.if_a<Text>()) return value;
    std::uint64_t out = 0;
    const auto text = value.text();
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc{} || end != text.data() + text.size())
        return fault("type conversion error from 'string' to 'uint'");
    return out;
}

Value to_double(const Value& value) {
    if (const auto* number = value.if_a<std::int64_t>()) return static_cast<double>(*number);
    if (const auto* number = value.if_a<std::uint64_t>()) return static_cast<double>(*number);
    if (!value.if_a<Text>()) return value;
    double out = 0;
    const auto text = value.text();
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc{} || end != text.data() + text.size())
        return fault("type conversion error from 'string' to 'double'");
    return out;
}

Value to_bool(const Value& value) {
    if (value.if_a<bool>()) return value;
    for (const auto text : {"1", "t", "T", "true", "TRUE", "True"})
        if (value.text() == text) return true;
    for (const auto text : {"0", "f", "F", "false", "FALSE", "False"})
        if (value.text() == text) return false;
    return fault("type conversion error from 'string' to 'bool'");
}

Value to_string(const Value& value) {
    if (value.if_a<Text>()) return value;
    auto text = text_of(value);
    return text ? Value(*std::move(text)) : no_such_overload();
}

Value to_bytes(const Value& value) {
    if (value.if_a<Bytes>()) return value;
    return Bytes{std::string(value.text())};
}

Value size(const Value& value, Budget& budget) {
    if (value.if_a<Text>()) {
        budget.charge(value.text().size() / 10);
        return static_cast<std::int64_t>(
            std::ranges::count_if(value.text(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
    }
    if (const auto* bytes = value.if_a<Bytes>()) return static_cast<std::int64_t>(bytes->data.size());
    return static_cast<std::int64_t>(size_of(value));
}

bool is_zero(const Value& value) {
    switch (value.kind()) {
        case Kind::null: return true;
        case Kind::boolean: return !value.as<bool>();
        case Kind::integer: return value.integer() == 0;
        case Kind::unsigned_integer: return value.as<std::uint64_t>() == 0;
        case Kind::number: return value.as<double>() == 0;
        case Kind::text: return value.text().empty();
        case Kind::bytes: return value.as<Bytes>().data.empty();
        case Kind::list:
        case Kind::map: return size_of(value) == 0;
        case Kind::duration: return value.as<Span>().nanoseconds == 0;
        case Kind::optional: return !value.as<Optional>().value;
        case Kind::unknown:
        case Kind::timestamp:
        case Kind::type:
        case Kind::fault: return false;
    }
    return false;
}

template <Value (*convert)(const Value&)>
Value call(Arguments arguments, Budget& budget) {
    if (const auto* text = arguments[0].if_a<Text>()) budget.charge(text->view.size() / 10);
    return convert(arguments[0]);
}

Function conversion(std::string_view name, std::initializer_list<Kind> from, Kind to,
                    Value (*call)(Arguments, Budget&)) {
    Function out{name, false, {}};
    for (const auto kind : from) out.overloads.push_back({{kind}, 1, to, call});
    return out;
}

}  // namespace

std::optional<std::string> text_of(const Value& value) {
    switch (value.kind()) {
        case Kind::boolean: return value.as<bool>() ? "true" : "false";
        case Kind::integer: return std::to_string(value.integer());
        case Kind::unsigned_integer: return std::to_string(value.as<std::uint64_t>());
        case Kind::number: return number_text(value.as<double>());
        case Kind::text: return std::string(value.text());
        case Kind::bytes: return value.as<Bytes>().data;
        case Kind::timestamp: return printed(value.as<Timestamp>());
        case Kind::duration: return printed(value.as<Span>());
        case Kind::null: return "null";
        case Kind::type: return std::string(name_of(value.as<Kind>()));
        case Kind::unknown:
        case Kind::list:
        case Kind::map:
        case Kind::optional:
        case Kind::fault: return std::nullopt;
    }
    return std::nullopt;
}

void add_conversions(std::vector<Function>& out) {
    out.push_back(conversion(
        "int", {Kind::integer, Kind::unsigned_integer, Kind::number, Kind::text, Kind::timestamp, Kind::duration},
        Kind::integer, call<to_int>));
    out.push_back(conversion("uint", {Kind::unsigned_integer, Kind::integer, Kind::number, Kind::text},
                             Kind::unsigned_integer, call<to_uint>));
    out.push_back(conversion("double", {Kind::number, Kind::integer, Kind::unsigned_integer, Kind::text}, Kind::number,
                             call<to_double>));
    out.push_back(conversion("bool", {Kind::boolean, Kind::text}, Kind::boolean, call<to_bool>));
    out.push_back(conversion("string",
                             {Kind::text, Kind::boolean, Kind::integer, Kind::unsigned_integer, Kind::number,
                              Kind::bytes, Kind::timestamp, Kind::duration},
                             Kind::text, call<to_string>));
    out.push_back(conversion("bytes", {Kind::bytes, Kind::text}, Kind::bytes, call<to_bytes>));
    out.push_back(
        conversion("dyn", {Kind::unknown}, Kind::unknown, [](Arguments arguments, Budget&) { return arguments[0]; }));
    out.push_back(conversion("type", {Kind::unknown}, Kind::type,
                             [](Arguments arguments, Budget&) -> Value { return arguments[0].kind(); }));
    const auto size_call = [](Arguments arguments, Budget& budget) { return size(arguments[0], budget); };
    out.push_back(conversion("size", {Kind::text, Kind::bytes, Kind::list, Kind::map}, Kind::integer, size_call));
    out.push_back(out.back());
    out.back().member = true;

    // optionals
    out.push_back(
        {"optional.none", false, {{{}, 0, Kind::optional, [](Arguments, Budget&) -> Value { return Optional{}; }}}});
    out.push_back(
        {"optional.of", false, {{{Kind::unknown}, 1, Kind::optional, [](Arguments arguments, Budget&) -> Value {
                                     return Optional{std::make_shared<const Value>(arguments[0])};
                                 }}}});
    out.push_back({"optional.ofNonZeroValue",
                   false,
                   {{{Kind::unknown}, 1, Kind::optional, [](Arguments arguments, Budget&) -> Value {
                         if (is_zero(arguments[0])) return Optional{};
                         return Optional{std::make_shared<const Value>(arguments[0])};
                     }}}});
    out.push_back({"hasValue", true, {{{Kind::optional}, 1, Kind::boolean, [](Arguments arguments, Budget&) -> Value {
                                           return arguments[0].as<Optional>().value != nullptr;
                                       }}}});
    out.push_back({"value", true, {{{Kind::optional}, 1, Kind::unknown, [](Arguments arguments, Budget&) {
                                        const auto& held = arguments[0].as<Optional>().value;
                                        return held ? *held : fault("optional.none() dereference");
                                    }}}});
    out.push_back(
        {"orValue", true, {{{Kind::optional, Kind::unknown}, 2, Kind::unknown, [](Arguments arguments, Budget&) {
                                const auto& held = arguments[0].as<Optional>().value;
                                return held ? *held : arguments[1];
                            }}}});
    out.push_back({"or", true, {{{Kind::optional, Kind::optional}, 2, Kind::optional, [](Arguments arguments, Budget&) {
                                     return arguments[0].as<Optional>().value ? arguments[0] : arguments[1];
                                 }}}});
}

}  // namespace ocim::schema::cel
