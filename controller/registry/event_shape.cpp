#include "registry/event_shape.hpp"

#include "registry/names.hpp"

#include <array>

namespace ocim::registry {

using api::Cause;
using api::Json;

namespace {

struct Renamed {
    std::string_view core, v1;
};

constexpr std::array renamed{
    Renamed{"involvedObject", "regarding"},
    Renamed{"message", "note"},
    Renamed{"source", "deprecatedSource"},
    Renamed{"firstTimestamp", "deprecatedFirstTimestamp"},
    Renamed{"lastTimestamp", "deprecatedLastTimestamp"},
    Renamed{"count", "deprecatedCount"},
    Renamed{"reportingComponent", "reportingController"},
};

void rename(Json& event, std::string_view from, std::string_view to) {
    auto& fields = event.as_object();
    if (auto* value = fields.if_contains(from)) {
        auto moved = std::move(*value);
        fields.erase(from);
        fields.insert_or_assign(to, std::move(moved));
    }
}

constexpr std::size_t word_bytes_max = 128;
constexpr std::size_t note_bytes_max = 1024;

void require(const Json& event, const char* field, std::size_t bytes_max, std::vector<Cause>& out) {
    const auto text = api::find_text(event, {field});
    if (text.empty()) out.push_back({"FieldValueRequired", "Required value", field});
    if (text.size() > bytes_max)
        out.push_back({"FieldValueInvalid",
                       "Invalid value: \"\": can have at most " + std::to_string(bytes_max) + " characters", field});
}

}  // namespace

void event_to_core(Json& event) {
    for (const auto& [core, v1] : renamed) rename(event, v1, core);
    auto& fields = event.as_object();
    if (!fields.contains("involvedObject")) fields["involvedObject"] = api::json::object();
}

void event_from_core(Json& event) {
    for (const auto& [core, v1] : renamed) rename(event, core, v1);
}

std::string event_path_in_core(std::string path) {
    for (const auto& [core, v1] : renamed)
        if (path == v1 || path.starts_with(std::string(v1) + ".")) return std::string(core) + path.substr(v1.size());
    return path;
}

std::vector<Cause> validate_event(const Json& event, const Json* old) {
    std::vector<Cause> out;
    if (old) {
        for (const auto& [key, value] : event.get_object()) {
            if (key == "series" || key == "metadata") continue;
            const auto* before = old->get_object().if_contains(key);
            if (!before || *before != value)
                out.push_back({"FieldValueInvalid", "Invalid value: " + api::to_text(value) + ": field is immutable",
                               std::string(key)});
        }
        return out;
    }
    require(event, "eventTime", word_bytes_max, out);
    require(event, "reportingController", word_bytes_max, out);
    for (const auto& why : wrong_with_qualified_name(api::find_text(event, {"reportingController"})))
        if (!api::find_text(event, {"reportingController"}).empty())
            out.push_back({"FieldValueInvalid", "Invalid value: " + why, "reportingController"});
    require(event, "reportingInstance", word_bytes_max, out);
    require(event, "action", word_bytes_max, out);
    require(event, "reason", word_bytes_max, out);
    if (api::find_text(event, {"note"}).size() > note_bytes_max)
        out.push_back({"FieldValueInvalid", "Invalid value: \"\": can have at most 1024 bytes", "note"});
    const auto type = api::find_text(event, {"type"});
    if (type != "Normal" && type != "Warning")
        out.push_back({"FieldValueInvalid", "Invalid value: \"\": has invalid value: " + std::string(type), "type"});
    for (const char* field : {"deprecatedCount", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"})
        if (event.get_object().contains(field))
            out.push_back({"FieldValueInvalid",
                           "Invalid value: " + api::to_text(event.at(field)) + ": needs to be unset", field});
    return out;
}

}  // namespace ocim::registry
