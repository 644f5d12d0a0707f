#include "registry/times.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <array>

namespace ocim::registry {

using api::Json;

namespace {

/// The fields that are told to the microsecond; all other times are in whole seconds.
constexpr std::array<std::string_view, 4> in_micros{"eventTime", "lastObservedTime", "acquireTime", "renewTime"};

void visit(Json& value, const Json& schema, std::string_view name) {
    if (auto* text = value.if_string()) {
        if (api::find_text(schema, {"format"}) != "date-time") return;
        const auto time = parse_rfc3339(*text);
        if (!time) return;
        value = std::ranges::find(in_micros, name) != in_micros.end() ? rfc3339_micro(*time) : rfc3339(*time);
        return;
    }
    if (auto* list = value.if_array()) {
        const auto* items = api::find(schema, {"items"});
        if (!items) return;
        for (auto& item : *list) visit(item, *items, name);
        return;
    }
    auto* object = value.if_object();
    if (!object) return;
    for (auto& [key, item] : *object)
        if (const auto* below = api::find(schema, {"properties", key})) visit(item, *below, key);
}

}  // namespace

void put_times_in_form(Json& object, const Json& schema) { visit(object, schema, ""); }

Result<std::string> time_in_form(std::string_view text) {
    const auto time = parse_rfc3339(text);
    if (time) return rfc3339(*time);
    return Error{ErrorClass::invalid, "parsing time " + api::to_text(Json(text)) +
                                          " as \"2006-01-02T15:04:05Z07:00\": it is not of that form"};
}

}  // namespace ocim::registry
