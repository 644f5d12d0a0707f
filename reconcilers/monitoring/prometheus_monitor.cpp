#include "monitoring/prometheus_monitor.hpp"

#include "monitoring/findings.hpp"
#include "monitoring/prometheus_files.hpp"
#include "monitoring/prometheus_live.hpp"
#include "monitoring/wanted.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace ocim::monitoring::prometheus {

namespace {

using Object = crd::Monitor;
using Verb = Action::Verb;
using runtime::Mark;
using runtime::Ownership;
using runtime::Verdict;

constexpr auto alert_name = "OcimMonitorDown";
constexpr std::string_view dns_port = ":53";
constexpr auto not_loaded = "NotLoaded";
constexpr Duration look_again_soon{2'000};

Key key_of(const Object& object) { return {object.metadata.key()}; }
Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

std::string seconds_text(std::int64_t seconds) { return std::to_string(seconds) + "s"; }

/// The URL with another host, and the name of the first, which the exporter asks for there.
void redirect(const std::string& url, const std::string& connect_to, Group& out) {
    const auto begin = url.find("://") + 3;
    const auto end = std::min(url.find_first_of("/?#", begin), url.size());
    auto host = url.substr(begin, end - begin);
    out.labels["__param_hostname"] = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
    out.targets = {url.substr(0, begin) + connect_to + url.substr(end)};
}

/// Of two that are spelled differently and mean the same server Prometheus asks one.
void only_once(std::vector<std::string>& targets) {
    std::vector<std::string> out;
    for (auto& target : targets)
        if (std::ranges::find(out, target) == out.end()) out.push_back(std::move(target));
    targets = std::move(out);
}

Group group_of(const Object& object, const crd::MonitoringService& service, const Mark& mark) {
    const auto& spec = object.spec;
    const auto& modules = service.spec.prometheus->modules;
    Group out;
    std::string module;
    if (spec.url) {
        out.targets = {*spec.url};
        if (spec.connect_to) redirect(*spec.url, *spec.connect_to, out);
        module = modules.http;
    } else if (spec.tcp) {
        out.targets = {spec.tcp->address};
        module = spec.tcp->tls ? modules.tls : modules.tcp;
    } else {
        out.targets = spec.dns->servers;
        for (auto& server : out.targets)
            if (server.find(':') == std::string::npos || server.ends_with(']')) server += dns_port;
    }
    if (!spec.enabled) out.targets.clear();
    only_once(out.targets);
    auto& labels = out.labels;
    labels["__param_module"] = spec.module.value_or(module);
    labels[probe_label] = probe_name(out, spec.interval_seconds);
    labels["ocim"] = mark.installation;
    labels["namespace"] = object.metadata.namespace_;
    labels["monitor"] = object.metadata.name;
    labels["__scrape_interval__"] = seconds_text(spec.interval_seconds);
    // Prometheus drops a target that may take longer than its interval
    labels["__scrape_timeout__"] = seconds_text(std::min(spec.timeout_seconds, spec.interval_seconds));
    labels[mark_label] = mark.text();
    return labelled(std::move(out));
}

Rule rule_of(const Object& object, const crd::MonitoringService& service, const Mark& mark, const Group& group) {
    const auto& spec = object.spec;
    Rule out;
    out.alert = alert_name;
    const auto selector = "probe_success{monitor=" + promql_string(object.metadata.name) +
                          ",namespace=" + promql_string(object.metadata.namespace_) +
                          ",ocim=" + promql_string(mark.installation) + "," + probe_label + "=" +
                          promql_string(group.labels.at(probe_label)) + "}";
    out.expression = last_scraped(selector, spec.interval_seconds) + " == 0";
    // the last of so many probes in a row comes so long after the first
    out.lasts = seconds_text(std::int64_t{spec.interval_seconds} * (spec.alert_after_failures - 1));
    out.labels["severity"] = plain_text(service.spec.prometheus->severity);
    std::string emails;
    for (const auto& email : spec.alert_emails) emails += (emails.empty() ? "" : ", ") + email;
    if (!emails.empty()) out.labels["alert_emails"] = plain_text(emails);
    const auto target = target_of(spec);
    out.annotations["summary"] = plain_text(target + " is down");
    out.annotations["description"] =
        plain_text("Monitor " + object.metadata.key() + ": " + std::to_string(spec.alert_after_failures) +
                   " probes in a row of " + target + " failed.");
    out.annotations[mark_annotation] = mark.text();
    return out;
}

Entry entry_of(const Object& object, const crd::MonitoringService& service, const Mark& mark) {
    Entry out;
    out.group = group_of(object, service, mark);
    if (object.spec.enabled) out.rule = rule_of(object, service, mark, out.group);
    return out;
}

/// The same with another mark.
Entry remarked(Entry entry, const Mark& mark) {
    entry.group.labels[mark_label] = mark.text();
    entry.group = labelled(std::move(entry.group));
    if (entry.rule) entry.rule->annotations[mark_annotation] = mark.text();
    entry.doubled = false;
    return entry;
}

/// For descriptions alone.
Probe probe_of(const Object::Spec& spec) {
    Probe out;
    out.url = target_of(spec);
    out.enabled = spec.enabled;
    return out;
}

/// Why nothing may be done, or what is to be done.
struct Judgement {
    std::optional<Verdict> blocked{};
    std::vector<Action> actions{};
    const Thing* own = nullptr;
};

Judgement judge(const Object& object, const crd::MonitoringService& service, const std::string& installation,
                const Snapshot& seen) {
    using State = Verdict::State;
    Judgement out;
    if (const auto wrong = wrong_with(object.spec)) {
        out.blocked = Verdict{State::stalled, "InvalidSpec", wrong->field + ": " + wrong->why};
        return out;
    }
    if (const auto wrong = faults(object.spec); !wrong.empty()) {
        out.blocked = Verdict{State::stalled, "InvalidSpec", wrong[0].field + ": " + wrong[0].message};
        return out;
    }
    const auto self = mark_of(object, installation);
    const auto key = key_of(object);
    const auto found = seen.find(key);
    const bool adopt = object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt;
    const bool there = found != seen.end();
    if (there && !runtime::takeable(found->second.mark, self, adopt)) {
        out.blocked = Verdict{State::stalled, "NotOwned",
                              "an entry for " + key.monitor +
                                  " exists in Prometheus' files and is not ours; remove it there, or let "
                                  "adoptionPolicy: Adopt take it over"};
        return out;
    }
    auto entry = entry_of(object, service, self);
    // what it was before its service became a Prometheus is no entry
    if (there && found->second.mark == self && found->second.entry) out.own = &found->second;
    const bool right = out.own && found->second.entry == entry && found->second.loaded != Loaded::no;
    if (right) return out;
    Action action{there ? Verb::update : Verb::create, key, self, probe_of(object.spec)};
    action.prometheus = Order{std::move(entry), adopt};
    out.actions.push_back(std::move(action));
    return out;
}

Verdict verdict_of(const Judgement& judged, const Object& object) {
    using State = Verdict::State;
    if (judged.blocked) return *judged.blocked;
    if (!judged.actions.empty()) return {State::progressing, "OutOfSync", "the files are not yet as declared"};
    if (judged.own->loaded != Loaded::yes)
        return {State::progressing, not_loaded,
                "the target is in the file, and Prometheus does not have it: is the file named in file_sd_configs, and "
                "does its job keep the target?"};
    return {State::ready, object.spec.enabled ? "Monitored" : "Disabled", ""};
}

/// Within seconds at first, because Prometheus follows the file by itself; the longer it has not, the later. From the
/// drift interval on the look that comes by itself will do.
std::optional<Duration> until_next_look(const Object& object, const crd::MonitoringService& service, WallTime now) {
    for (const auto& item : object.status.conditions) {
        if (item.type != "Ready" || item.reason != not_loaded) continue;
        const auto since = parse_rfc3339(item.last_transition_time);
        const auto interval = runtime::parse_duration(service.spec.drift_interval);
        if (!since || !interval) break;
        const auto waited = std::chrono::duration_cast<Duration>(now - *since);
        if (waited >= *interval) return std::nullopt;
        return std::max(waited, look_again_soon);
    }
    return look_again_soon;
}

}  // namespace

std::vector<api::Cause> faults(const Object::Spec& spec) {
    std::vector<api::Cause> out;
    if (spec.module) return out;
    const auto fault = [&](bool given, const char* field) {
        if (given)
            out.push_back({"FieldValueInvalid",
                           "a blackbox exporter has this in a module; name the module in spec.module", field});
    };
    fault(spec.dns.has_value(), "spec.dns");
    fault(spec.expected_status.has_value(), "spec.expectedStatus");
    fault(spec.body.has_value(), "spec.body");
    fault(!spec.headers.empty(), "spec.headers");
    fault(spec.basic_auth.has_value(), "spec.basicAuth");
    fault(spec.tls.insecure_skip_verify, "spec.tls.insecureSkipVerify");
    fault(spec.tcp && spec.tcp->server_name, "spec.tcp.serverName");
    fault(spec.tcp && !spec.tcp->query_response.empty(), "spec.tcp.queryResponse");
    return out;
}

std::vector<Action> diff(const Object& object, const crd::MonitoringService& service, const std::string& installation,
                         const Snapshot& seen) {
    return judge(object, service, installation, seen).actions;
}

std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto found = seen.find(key_of(object));
    if (found == seen.end() || !found->second.entry) return {};
    const auto self = mark_of(object, installation);
    const auto& mark = found->second.mark;
    if (!mark || mark->installation != installation || mark->uid != self.uid) return {};
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    if (!retain) {
        Action action{Verb::delete_, found->first, *mark, probe_of(object.spec)};
        action.prometheus = Order{*found->second.entry, false};
        return {std::move(action)};
    }
    if (mark->retained && found->second.loaded != Loaded::no) return {};
    auto kept = self;
    kept.retained = true;
    Action action{Verb::update, found->first, kept, probe_of(object.spec)};
    action.prometheus = Order{remarked(*found->second.entry, kept), false};
    return {std::move(action)};
}

runtime::Report<Object> report(const Object& object, const crd::MonitoringService& service,
                               const runtime::Inputs& inputs, const Snapshot& seen) {
    const auto judged = judge(object, service, inputs.installation, seen);
    auto out = tell_findings(object, inputs, judged.own ? judged.own->last : std::nullopt);
    const bool stands = judged.own && judged.own->entry->rule && judged.own->loaded != Loaded::no;
    if (!object.spec.alert_emails.empty())
        out.findings.push_back(
            stands
                ? runtime::Finding{"Alerting", "True", "ByAlertmanager",
                                   "the alert OcimMonitorDown is in force; who is told, Alertmanager decides, by its "
                                   "labels namespace, monitor and alert_emails"}
                : runtime::Finding{"Alerting", "False", object.spec.enabled ? "OutOfSync" : "Disabled",
                                   "Prometheus has no alert for it"});
    out.verdict = verdict_of(judged, object);
    if (out.verdict.reason == not_loaded) out.look_again = until_next_look(object, service, inputs.now);
    return out;
}

}  // namespace ocim::monitoring::prometheus
