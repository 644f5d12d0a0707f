#include "monitoring/newrelic_entities.hpp"

#include "monitoring/newrelic.hpp"
#include "monitoring/newrelic_client.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ocim::monitoring::newrelic {

namespace {

using api::Json;
namespace json = api::json;

constexpr const char *installation_tag = "ocim-installation", *object_tag = "ocim-object", *uid_tag = "ocim-uid",
                     *retained_tag = "ocim-retained", *settings_tag = "ocim-settings", *alerts_tag = "ocim-alerts";

constexpr std::array our_tags{installation_tag, object_tag, uid_tag, retained_tag, settings_tag, alerts_tag};

struct Period {
    std::int64_t minutes;
    std::string_view word;
};
constexpr std::array periods{
    Period{1, "EVERY_MINUTE"},       Period{5, "EVERY_5_MINUTES"},      Period{10, "EVERY_10_MINUTES"},
    Period{15, "EVERY_15_MINUTES"},  Period{30, "EVERY_30_MINUTES"},    Period{60, "EVERY_HOUR"},
    Period{6 * 60, "EVERY_6_HOURS"}, Period{12 * 60, "EVERY_12_HOURS"}, Period{24 * 60, "EVERY_DAY"}};

/// The one value of a tag; "" when it has none or several.
std::string one(const Tags& tags, const char* key) {
    const auto found = tags.find(key);
    return found == tags.end() || found->second.size() != 1 ? std::string() : found->second.front();
}

std::optional<runtime::Mark> mark_of(const Tags& tags) {
    runtime::Mark out{one(tags, installation_tag), one(tags, object_tag), one(tags, uid_tag),
                      one(tags, retained_tag) == "true"};
    if (out.installation.empty() || out.namespace_name.empty() || out.uid.empty()) return std::nullopt;
    return out;
}

std::optional<std::int64_t> number(const Json& item, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(item, path);
    return found && found->is_int64() ? std::optional(found->get_int64()) : std::nullopt;
}

void read_summary(const Json& item, Entity& out) {
    const auto status = api::find_text(item, {"monitorSummary", "status"});
    if (!status.empty()) out.shown.enabled = status == "ENABLED" || status == "FAULTY";
    const auto running = number(item, {"monitorSummary", "locationsRunning"}).value_or(0);
    const auto failing = number(item, {"monitorSummary", "locationsFailing"}).value_or(0);
    if (running + failing <= 0) return;
    out.up = failing == 0;
    out.message = failing == 0 ? "answers everywhere"
                               : "fails at " + std::to_string(failing) + (failing == 1 ? " location" : " locations");
}

}  // namespace

std::string_view period_word(std::int64_t minutes) {
    const auto found = std::ranges::find(periods, minutes, &Period::minutes);
    return found == periods.end() ? std::string_view() : found->word;
}

std::string canonical_url(std::string url) {
    const auto scheme = url.find("://");
    const bool bare = scheme != std::string::npos && url.find_first_of("/?#", scheme + 3) == std::string::npos;
    if (bare) url += '/';
    return url;
}

Result<std::optional<Entity>> entity_of(const Json& item) {
    if (api::find_text(item, {"monitorType"}) != "SIMPLE") return std::optional<Entity>();
    Entity out;
    out.shown.guid = api::find_text(item, {"guid"});
    out.shown.name = api::find_text(item, {"name"});
    out.shown.url = canonical_url(std::string(api::find_text(item, {"monitoredUrl"})));
    const auto period = number(item, {"period"});
    const auto* tags = api::find(item, {"tags"});
    if (out.shown.guid.empty() || !period || !tags || !tags->is_array())
        return strange("a monitor is malformed", false);
    out.shown.period_minutes = static_cast<int>(std::clamp<std::int64_t>(*period, 0, 1'000'000));
    for (const auto& tag : tags->get_array()) {
        const auto* values = api::find(tag, {"values"});
        if (!values || !values->is_array()) return strange("a tag is malformed", false);
        auto& kept = out.tags[std::string(api::find_text(tag, {"key"}))];
        for (const auto& value : values->get_array())
            if (value.is_string()) kept.emplace_back(value.get_string());
    }
    out.mark = mark_of(out.tags);
    out.shown.settings = one(out.tags, settings_tag);
    out.shown.alerts = one(out.tags, alerts_tag);
    read_summary(item, out);
    return std::optional(std::move(out));
}

Tags mutable_tags(const Json& entity) {
    Tags out;
    const auto* tags = api::find(entity, {"tagsWithMetadata"});
    if (!tags || !tags->is_array()) return out;
    for (const auto& tag : tags->get_array()) {
        const auto* values = api::find(tag, {"values"});
        if (!values || !values->is_array()) continue;
        for (const auto& value : values->get_array()) {
            const auto* writable = api::find(value, {"mutable"});
            if (writable && writable->is_bool() && writable->get_bool())
                out[std::string(api::find_text(tag, {"key"}))].emplace_back(api::find_text(value, {"value"}));
        }
    }
    return out;
}

Tags ours_of(const Tags& tags) {
    Tags out;
    for (const auto* key : our_tags)
        if (const auto found = tags.find(key); found != tags.end()) out.insert(*found);
    return out;
}

Tags joined(Tags tags, const Tags& ours) {
    for (const auto* key : our_tags) tags.erase(key);
    tags.merge(ours_of(ours));
    return tags;
}

Tags with_ours(Tags tags, const runtime::Mark& mark, const Synthetic& wanted) {
    Tags ours{{installation_tag, {mark.installation}},
              {object_tag, {mark.namespace_name}},
              {uid_tag, {mark.uid}},
              {settings_tag, {wanted.settings}}};
    if (mark.retained) ours[retained_tag] = {"true"};
    if (!wanted.alerts.empty()) ours[alerts_tag] = {wanted.alerts};
    return joined(std::move(tags), ours);
}

bool agrees(Synthetic shown, const Synthetic& wanted) {
    shown.guid = wanted.guid;
    if (!shown.enabled) shown.enabled = wanted.enabled;
    return shown == wanted;
}

json::array tags_input(const Tags& tags) {
    json::array out;
    for (const auto& [key, values] : tags)
        out.push_back(json::object{{"key", key}, {"values", json::array(values.begin(), values.end())}});
    return out;
}

json::object monitor_input(const Probe& probe, const SyntheticOrder& order, const Tags& tags) {
    const auto& wanted = order.synthetic;
    json::array headers;
    for (const auto& [name, value] : probe.headers)
        headers.push_back(json::object{{"name", name}, {"value", value.reveal()}});
    return {{"name", wanted.name},
            {"uri", wanted.url},
            {"period", period_word(wanted.period_minutes)},
            {"status", wanted.enabled.value_or(true) ? "ENABLED" : "DISABLED"},
            {"locations", json::object{{"public", json::array(order.locations.begin(), order.locations.end())}}},
            {"tags", tags_input(tags)},
            {"advancedOptions", json::object{{"useTlsValidation", probe.verify},
                                             {"redirectIsFailure", false},
                                             {"shouldBypassHeadRequest", true},
                                             {"responseValidationText", probe.body_contains},
                                             {"customHeaders", std::move(headers)}}}};
}

const Entity* marked_as(const Entities& entities, const runtime::Mark& mark) {
    for (const auto& [guid, entity] : entities)
        if (runtime::ownership(entity.mark, mark) == runtime::Ownership::ours) return &entity;
    return nullptr;
}

const Entity* unmarked(const Entities& entities, const std::string& url) {
    for (const auto& [guid, entity] : entities)
        if (!entity.mark && entity.shown.url == url) return &entity;
    return nullptr;
}

}  // namespace ocim::monitoring::newrelic
