#include "schema/cel_functions.hpp"

#include <algorithm>
#include <chrono>

namespace ocim::schema::cel {
namespace {

constexpr Kind integer = Kind::integer, boolean = Kind::boolean, list = Kind::list, unknown = Kind::unknown;

Value is_sorted(Arguments arguments, Budget& budget) {
    const auto size = size_of(arguments[0]);
    budget.charge(size);
    for (std::size_t i = 1; i < size; ++i) {
        const auto sign = compare(item_of(arguments[0], i - 1), item_of(arguments[0], i));
        if (!sign) return no_such_overload();
        if (*sign > 0) return false;
    }
    return true;
}

Value sum(Arguments arguments, Budget& budget) {
    const auto size = size_of(arguments[0]);
    Value out = std::int64_t{0};
    for (std::size_t i = 0; i < size; ++i) {
        const auto item = item_of(arguments[0], i);
        out = i == 0 ? item : arithmetic('+', out, item, budget);
        const auto kind = out.kind();
        if (kind != Kind::integer && kind != Kind::unsigned_integer && kind != Kind::number && kind != Kind::duration)
            return out.is_fault() ? out : no_such_overload();
    }
    return out;
}

/// The smallest (sign -1) or largest (1) item.
template <int wanted>
Value extreme(Arguments arguments, Budget& budget) {
    const auto size = size_of(arguments[0]);
    budget.charge(size);
    if (size == 0) return fault(wanted < 0 ? "min called on empty list" : "max called on empty list");
    Value out = item_of(arguments[0], 0);
    for (std::size_t i = 1; i < size; ++i) {
        auto item = item_of(arguments[0], i);
        const auto sign = compare(item, out);
        if (!sign) return no_such_overload();
        if (*sign == wanted) out = std::move(item);
    }
    return out;
}

Value index_of(Arguments arguments, Budget& budget) {
    for (std::size_t i = 0; i < size_of(arguments[0]); ++i)
        if (equal(item_of(arguments[0], i), arguments[1], budget)) return static_cast<std::int64_t>(i);
    return std::int64_t{-1};
}

Value last_index_of(Arguments arguments, Budget& budget) {
    for (auto i = size_of(arguments[0]); i-- > 0;)
        if (equal(item_of(arguments[0], i), arguments[1], budget)) return static_cast<std::int64_t>(i);
    return std::int64_t{-1};
}

bool holds(const Value& all, const Value& item, Budget& budget) {
    for (std::size_t i = 0; i < size_of(all) && !budget.spent(); ++i)
        if (equal(item_of(all, i), item, budget)) return true;
    return false;
}

bool holds_all(const Value& all, const Value& items, Budget& budget) {
    for (std::size_t i = 0; i < size_of(items) && !budget.spent(); ++i)
        if (!holds(all, item_of(items, i), budget)) return false;
    return true;
}

Value contains(Arguments arguments, Budget& budget) { return holds_all(arguments[0], arguments[1], budget); }
Value equivalent(Arguments arguments, Budget& budget) {
    return holds_all(arguments[0], arguments[1], budget) && holds_all(arguments[1], arguments[0], budget);
}
Value intersects(Arguments arguments, Budget& budget) {
    for (std::size_t i = 0; i < size_of(arguments[1]) && !budget.spent(); ++i)
        if (holds(arguments[0], item_of(arguments[1], i), budget)) return true;
    return false;
}

Value to_duration(Arguments arguments, Budget&) {
    if (arguments[0].kind() != Kind::text) return arguments[0];
    const auto span = parse_span(arguments[0].text());
    return span ? Value(*span) : fault("type conversion error from 'string' to 'google.protobuf.Duration'");
}

Value to_timestamp(Arguments arguments, Budget&) {
    if (const auto* seconds = arguments[0].if_a<std::int64_t>()) {
        if (*seconds < -62'135'596'800 || *seconds > 253'402'300'799) return fault("timestamp overflow");
        return Timestamp{*seconds, 0};
    }
    if (arguments[0].kind() != Kind::text) return arguments[0];
    // a date alone is no timestamp here
    const auto text = arguments[0].text();
    const auto time = text.size() > 10 ? parse_timestamp(text) : std::nullopt;
    return time ? Value(*time) : fault("type conversion error from 'string' to 'google.protobuf.Timestamp'");
}

enum class Part { year, month, day, day_of_month, day_of_week, day_of_year, hour, minute, second, millisecond };

std::int64_t part_of(const Timestamp& time, Part part) {
    const auto days = std::chrono::floor<std::chrono::days>(std::chrono::seconds(time.seconds));
    const std::chrono::year_month_day date{std::chrono::sys_days(days)};
    const auto rest = time.seconds - std::chrono::seconds(days).count();
    switch (part) {
        case Part::year: return static_cast<int>(date.year());
        case Part::month: return static_cast<unsigned>(date.month()) - 1;
        case Part::day: return static_cast<unsigned>(date.day());
        case Part::day_of_month: return static_cast<unsigned>(date.day()) - 1;
        case Part::day_of_week: return std::chrono::weekday(std::chrono::sys_days(days)).c_encoding();
        case Part::day_of_year:
            return (std::chrono::sys_days(date) - std::chrono::sys_days(date.year() / 1 / 1)).count();
        case Part::hour: return rest / 3600;
        case Part::minute: return rest / 60 % 60;
        case Part::second: return rest % 60;
        case Part::millisecond: return time.nanoseconds / 1'000'000;
    }
    return 0;
}

template <Part part>
Value time_part(Arguments arguments, Budget&) {
    return part_of(arguments[0].as<Timestamp>(), part);
}

/// Of a duration: all of it in that unit; milliseconds are those within the second.
template <std::int64_t unit, std::int64_t modulus>
Value span_part(Arguments arguments, Budget&) {
    return arguments[0].as<Span>().nanoseconds / unit % modulus;
}

}  // namespace

void add_list_functions(std::vector<Function>& out) {
    out.push_back({"isSorted", true, {{{list}, 1, boolean, is_sorted}}});
    out.push_back({"sum", true, {{{list}, 1, unknown, sum}}});
    out.push_back({"min", true, {{{list}, 1, unknown, extreme<-1>}}});
    out.push_back({"max", true, {{{list}, 1, unknown, extreme<1>}}});
    out.push_back({"sets.contains", false, {{{list, list}, 2, boolean, contains}}});
    out.push_back({"sets.equivalent", false, {{{list, list}, 2, boolean, equivalent}}});
    out.push_back({"sets.intersects", false, {{{list, list}, 2, boolean, intersects}}});
    for (auto& function : out) {
        if (function.name == "indexOf") function.overloads.push_back({{list, unknown}, 2, integer, index_of});
        if (function.name == "lastIndexOf") function.overloads.push_back({{list, unknown}, 2, integer, last_index_of});
    }
}

void add_time_functions(std::vector<Function>& out) {
    constexpr Kind time = Kind::timestamp, span = Kind::duration, text = Kind::text;
    constexpr std::int64_t second = 1'000'000'000, all = INT64_MAX;
    out.push_back({"duration", false, {{{text}, 1, span, to_duration}, {{span}, 1, span, to_duration}}});
    out.push_back(
        {"timestamp",
         false,
         {{{text}, 1, time, to_timestamp}, {{time}, 1, time, to_timestamp}, {{integer}, 1, time, to_timestamp}}});
    out.push_back({"getFullYear", true, {{{time}, 1, integer, time_part<Part::year>}}});
    out.push_back({"getMonth", true, {{{time}, 1, integer, time_part<Part::month>}}});
    out.push_back({"getDate", true, {{{time}, 1, integer, time_part<Part::day>}}});
    out.push_back({"getDayOfMonth", true, {{{time}, 1, integer, time_part<Part::day_of_month>}}});
    out.push_back({"getDayOfWeek", true, {{{time}, 1, integer, time_part<Part::day_of_week>}}});
    out.push_back({"getDayOfYear", true, {{{time}, 1, integer, time_part<Part::day_of_year>}}});
    const auto both = [&](std::string_view name, auto of_time, auto of_span) {
        out.push_back({name, true, {{{time}, 1, integer, of_time}, {{span}, 1, integer, of_span}}});
    };
    both("getHours", time_part<Part::hour>, span_part<3600 * second, all>);
    both("getMinutes", time_part<Part::minute>, span_part<60 * second, all>);
    both("getSeconds", time_part<Part::second>, span_part<second, all>);
    both("getMilliseconds", time_part<Part::millisecond>, span_part<second / 1000, 1000>);
}

}  // namespace ocim::schema::cel
