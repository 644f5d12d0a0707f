#include "registry/times.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <array>

namespace ocim::registry {

using api::Json;

namespace {

/// The fields that are told to the microsecond; all other times are in whole seconds.
constexpr std::array<std::string_view, 4> in_micros{"eventTime", "lastObservedTime", "acquireTime", "renewTime"};

}  // namespace

void put_times_in_form(Json& object, const schema::Schema& schema) {
    schema.for_each_text(object, [](std::string_view name, std::string_view format, Json& text) {
        if (format != "date-time") return;
        const auto time = parse_rfc3339(text.get_string());
        if (!time) return;
        text = std::ranges::find(in_micros, name) != in_micros.end() ? rfc3339_micro(*time) : rfc3339(*time);
    });
}

Result<std::string> time_in_form(std::string_view text) {
    const auto time = parse_rfc3339(text);
    if (time) return rfc3339(*time);
    return Error{ErrorClass::invalid, "parsing time " + api::to_text(Json(text)) +
                                          " as \"2006-01-02T15:04:05Z07:00\": it is not of that form"};
}

}  // namespace ocim::registry
