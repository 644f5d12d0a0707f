#include "monitoring/prometheus_live.hpp"

#include "api/json.hpp"
#include "monitoring/prometheus_files.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>

namespace ocim::monitoring::prometheus {

namespace {

using api::Json;
using runtime::Mark;

constexpr const char *success = "probe_success", *status = "probe_http_status_code",
                     *expiry = "probe_ssl_earliest_cert_expiry";

Error not_prometheus() { return {ErrorClass::unreachable, "what answers there is not Prometheus"}; }

/// The list at `path` of a reply that is a success.
Result<api::json::array> list_of(std::string_view reply, std::initializer_list<std::string_view> path) {
    auto read = api::parse_json(reply);
    if (!read || api::find_text(read->value, {"status"}) != "success") return not_prometheus();
    const auto* found = api::find(read->value, path);
    if (!found || !found->is_array()) return not_prometheus();
    return found->get_array();
}

Labels labels_of(const Json& value, std::string_view field) {
    Labels out;
    const auto* found = api::find(value, {field});
    if (!found || !found->is_object()) return out;
    for (const auto& item : found->get_object())
        if (item.value().is_string()) out[item.key()] = item.value().get_string();
    return out;
}

double number_of(const Json& value) {
    if (value.is_int64()) return static_cast<double>(value.get_int64());
    if (value.is_uint64()) return static_cast<double>(value.get_uint64());
    return value.is_double() ? value.get_double() : 0;
}

/// The value of a sample, which is a text: "1", "1.7e+09", "NaN".
std::optional<double> sample_of(const Json& item) {
    const auto* pair = api::find(item, {"value"});
    if (!pair || !pair->is_array() || pair->get_array().size() != 2 || !pair->get_array()[1].is_string())
        return std::nullopt;
    const std::string_view text = pair->get_array()[1].get_string();
    double out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(out)) return std::nullopt;
    return out;
}

/// What was found of one Monitor, which may have several targets.
struct Found {
    std::optional<bool> up;
    std::optional<double> status, expiry;
};

Outcome told(const Found& found, WallTime at) {
    Outcome out;
    out.up = *found.up;
    out.at = at;
    if (found.status && *found.status >= 100 && *found.status < 600) out.status = static_cast<unsigned>(*found.status);
    if (found.expiry && *found.expiry > 0)
        out.certificate_expires = WallTime(std::chrono::seconds(static_cast<std::int64_t>(*found.expiry)));
    out.message = out.up ? "answers as the exporter's module expects" : "the exporter's module finds it down";
    if (out.status) out.message += ", status " + std::to_string(*out.status);
    return out;
}

/// As Prometheus writes it: "2h30s".
std::string duration_text(std::int64_t seconds) {
    std::string out;
    for (const auto& [unit, length] : {std::pair('d', 86'400), std::pair('h', 3'600), std::pair('m', 60)}) {
        if (seconds >= length) out += std::to_string(seconds / length) + unit;
        seconds %= length;
    }
    return seconds > 0 || out.empty() ? out + std::to_string(seconds) + "s" : out;
}

/// What the file says of how often it is scraped; others may have written it.
std::optional<std::int64_t> interval_of(const Thing& thing) {
    if (!thing.entry || thing.entry->group.targets.empty()) return std::nullopt;
    const auto& labels = thing.entry->group.labels;
    const auto found = labels.find(probe_label);
    if (found == labels.end()) return std::nullopt;
    const auto& text = found->second;
    std::int32_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    const bool whole = error == std::errc() && std::string_view(end, text.data() + text.size()).starts_with("s-");
    return whole && out > 0 ? std::optional<std::int64_t>(out) : std::nullopt;
}

}  // namespace

Result<void> is_success(std::string_view reply) {
    const auto read = api::parse_json(reply);
    if (!read || api::find_text(read->value, {"status"}) != "success") return not_prometheus();
    return {};
}

Result<RulesInForce> rules_in_force(std::string_view reply, std::string_view file) {
    const auto groups = list_of(reply, {"data", "groups"});
    if (!groups) return groups.error();
    RulesInForce out;
    for (const auto& group : *groups) {
        const auto path = api::find_text(group, {"file"});
        if (path.substr(path.rfind('/') + 1) != file) continue;
        const auto* rules = api::find(group, {"rules"});
        if (!rules || !rules->is_array()) return not_prometheus();
        for (const auto& item : rules->get_array()) {
            Rule rule{std::string(api::find_text(item, {"name"})), std::string(api::find_text(item, {"query"})), "",
                      labels_of(item, "labels"), labels_of(item, "annotations")};
            const auto found = rule.annotations.find(mark_annotation);
            const auto mark = found == rule.annotations.end() ? std::nullopt : Mark::parse(found->second);
            if (!mark) continue;
            const auto* lasts = api::find(item, {"duration"});
            rule.lasts = std::to_string(lasts ? std::llround(number_of(*lasts)) : 0) + "s";
            out.emplace(Key{mark->namespace_name}, std::move(rule));
        }
    }
    return out;
}

bool in_force(const RulesInForce& rules, const Key& key, const std::optional<Rule>& rule) {
    const auto [begin, end] = rules.equal_range(key);
    if (!rule) return begin == end;
    return begin != end && std::next(begin) == end && begin->second == *rule;
}

Result<std::map<std::string, std::size_t>> targets_in_force(std::string_view reply) {
    const auto targets = list_of(reply, {"data", "activeTargets"});
    if (!targets) return targets.error();
    std::map<std::string, std::size_t> out;
    for (const auto& target : *targets) {
        const auto label = api::find_text(target, {"discoveredLabels", entry_label});
        if (!label.empty()) ++out[std::string(label)];
    }
    return out;
}

std::string last_scraped(const std::string& selector, std::int64_t interval_seconds) {
    constexpr std::int64_t late_seconds = 30;  // a scrape, and the look at it, may come so late
    return "last_over_time(" + selector + "[" + duration_text(2 * interval_seconds + late_seconds) + "])";
}

std::string query(const std::string& installation, const Snapshot& files) {
    std::set<std::int64_t> intervals;
    for (const auto& [key, thing] : files)
        if (const auto interval = interval_of(thing)) intervals.insert(*interval);
    std::string out;
    for (const auto interval : intervals) {
        const auto selector = std::string("{__name__=~\"") + success + "|" + status + "|" + expiry +
                              "\",ocim=" + promql_string(installation) + "," + probe_label + "=~\"" +
                              std::to_string(interval) + "s-.*\"}";
        out += (out.empty() ? "" : " or ") + last_scraped(selector, interval);
    }
    return out;
}

Result<Findings> findings(std::string_view reply, WallTime now) {
    const auto samples = list_of(reply, {"data", "result"});
    if (!samples) return samples.error();
    std::map<std::pair<Key, std::string>, Found> found;
    for (const auto& item : *samples) {
        auto labels = labels_of(item, "metric");
        const auto value = sample_of(item);
        const auto space = labels.find("namespace"), monitor = labels.find("monitor"), name = labels.find("__name__");
        if (!value || space == labels.end() || monitor == labels.end() || name == labels.end()) continue;
        auto& one = found[{Key{space->second + "/" + monitor->second}, labels[probe_label]}];
        if (name->second == success) one.up = one.up.value_or(true) && *value == 1;
        if (name->second == status) one.status = *value;
        if (name->second == expiry) one.expiry = one.expiry ? std::min(*one.expiry, *value) : *value;
    }
    const auto minute = std::chrono::floor<std::chrono::minutes>(now);
    Findings out;
    for (const auto& [key, one] : found)
        if (one.up) out.emplace(key, told(one, minute));
    return out;
}

}  // namespace ocim::monitoring::prometheus
