#include "schema/column.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ocim::schema {
namespace {

using api::Json;

std::string text_of(const Json& value) {
    return value.is_string() ? std::string(value.get_string()) : api::to_text(value);
}

Json number_cell(const Json& value, bool integer) {
    if (value.is_int64()) return value;
    if (value.is_uint64()) return value;
    if (!value.is_double()) return {};
    const double number = value.get_double();
    if (!integer) return value;
    // what does not fit has no honest integer form
    if (!(std::abs(number) < 9.2e18)) return {};
    return static_cast<std::int64_t>(number);
}

Json date_cell(const Json& value, WallTime now) {
    if (!value.is_string()) return {};
    const auto then = parse_rfc3339(value.get_string());
    if (!then) return "<invalid>";
    return Json(age(*then, now));
}

Json count_cell(const std::vector<const Json*>& found) {
    std::int64_t count = 0;
    for (const auto* value : found) {
        if (const auto* object = value->if_object()) count += static_cast<std::int64_t>(object->size());
        if (const auto* array = value->if_array()) count += static_cast<std::int64_t>(array->size());
    }
    return count;
}

Json list_cell(const std::vector<const Json*>& found) {
    std::string out;
    for (const auto* value : found) out += (out.empty() ? "" : ", ") + text_of(*value);
    return Json(out);
}

std::string lower_kind(std::string reference) {
    const auto end = std::min(reference.find('/'), reference.size());
    std::transform(reference.begin(), reference.begin() + static_cast<std::ptrdiff_t>(end), reference.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return reference;
}

std::string two_units(std::int64_t big, const char* big_unit, std::int64_t small, const char* small_unit) {
    auto out = std::to_string(big) + big_unit;
    if (small != 0) out += std::to_string(small) + small_unit;
    return out;
}

}  // namespace

Json Column::cell(const Json& object, WallTime now) const {
    const auto found = path.find(object);
    if (format == "count") return count_cell(found);
    if (format == "list") return list_cell(found);
    if (auto text = path.text(object)) return Json(format == "reference" ? lower_kind(std::move(*text)) : *text);
    // of several paths the first that has a value speaks
    const auto first = std::ranges::find_if(found, [](const Json* value) { return !value->is_null(); });
    if (first == found.end()) return {};
    const Json& value = **first;
    if (type == "string") return Json(text_of(value));
    if (type == "integer") return number_cell(value, true);
    if (type == "number") return number_cell(value, false);
    if (type == "boolean") return value.is_bool() ? value : Json();
    if (type == "date") return date_cell(value, now);
    return {};
}

std::string age(WallTime then, WallTime now) {
    using namespace std::chrono;
    const auto passed = duration_cast<seconds>(now - then).count();  // toward zero
    // clocks of two machines may differ a little
    if (passed < -1) return "<invalid>";
    if (passed < 0) return "0s";
    if (passed < 120) return std::to_string(passed) + "s";
    const auto minutes = passed / 60;
    if (minutes < 10) return two_units(minutes, "m", passed % 60, "s");
    if (minutes < 180) return std::to_string(minutes) + "m";
    const auto hours = minutes / 60;
    if (hours < 8) return two_units(hours, "h", minutes % 60, "m");
    if (hours < 48) return std::to_string(hours) + "h";
    const auto days = hours / 24;
    if (days < 8) return two_units(days, "d", hours % 24, "h");
    if (days < 365 * 2) return std::to_string(days) + "d";
    if (days < 365 * 8) return two_units(days / 365, "y", days % 365, "d");
    return std::to_string(days / 365) + "y";
}

}  // namespace ocim::schema
