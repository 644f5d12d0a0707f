#include "monitoring/monitor.hpp"

#include "crd/mailrelays.hpp"
#include "crd/notifications.hpp"
#include "monitoring/findings.hpp"
#include "monitoring/newrelic_monitor.hpp"
#include "monitoring/prometheus_monitor.hpp"
#include "monitoring/wanted.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>

namespace ocim::monitoring {

namespace {

using Object = Monitor::Object;
using Verb = Action::Verb;

constexpr auto alerting = "Alerting";  // a condition

Key key_of(const Object& object) { return {object.metadata.key()}; }
runtime::Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

/// Whether those who are named are told by mail, as long as there are any; and once as an Event when they are not.
void say_who_is_told(const Object& object, const runtime::Inputs& inputs, runtime::Report<Object>& out) {
    if (object.spec.alert_emails.empty()) return;
    const auto service = inputs.get<crd::MonitoringService>("", object.spec.service_ref.name);
    const auto named = service && service->spec.prober ? service->spec.prober->mail_relay_ref : std::nullopt;
    const auto relay = named ? named->name : std::string("default");
    runtime::Finding finding{alerting, "True", "ByMail", "through MailRelay " + relay};
    const auto& alert = object.status.alert;
    const auto notice = alert ? inputs.get<crd::Notification>(object.metadata.namespace_, alert->name) : std::nullopt;
    const auto ready = [&](const api::Condition& item) { return item.type == "Ready"; };
    if (!inputs.find(crd::MailRelay::kind, "", relay)) {
        finding = {alerting, "False", "NoMailRelay",
                   "MailRelay " + relay +
                       " does not exist: nobody in spec.alertEmails is told; make it, or alert on the "
                       "metric ocim_probe_success"};
    } else if (notice && !notice->status.sent_at) {
        const auto found = std::ranges::find_if(notice->status.conditions, ready);
        const bool said = found != notice->status.conditions.end();
        finding = {alerting, "False", "NotSent",
                   "Notification " + alert->name + ": " + (said ? found->message : std::string("is being sent"))};
    }
    const bool known = std::ranges::any_of(object.status.conditions, [&](const auto& item) {
        return item.type == alerting && item.status == finding.status && item.reason == finding.reason;
    });
    if (!known && finding.reason == "NoMailRelay") out.notes.push_back({true, finding.reason, finding.message});
    out.findings.push_back(std::move(finding));
}

/// The service, if it is New Relic.
std::optional<crd::MonitoringService> new_relic(const Object& object, const runtime::Inputs& inputs) {
    auto service = inputs.get<crd::MonitoringService>("", object.spec.service_ref.name);
    if (service && !service->spec.new_relic) service.reset();
    return service;
}
/// The same, if it is a Prometheus.
std::optional<crd::MonitoringService> prometheus_of(const Object& object, const runtime::Inputs& inputs) {
    auto service = inputs.get<crd::MonitoringService>("", object.spec.service_ref.name);
    if (service && !service->spec.prometheus) service.reset();
    return service;
}

}  // namespace

std::vector<runtime::Reference> Monitor::needs(const Object& object) {
    auto out = secrets_of(object);
    out.push_back({crd::MonitoringService::kind, "", object.spec.service_ref.name, true});
    if (!object.spec.alert_emails.empty()) {
        out.push_back({crd::MailRelay::kind, "", "", true});
        if (object.status.alert)
            out.push_back({crd::Notification::kind, object.metadata.namespace_, object.status.alert->name, true});
    }
    return out;
}

std::vector<api::Cause> Monitor::admit(const Object& object, const Object*, const runtime::Inputs& inputs) {
    if (const auto wrong = wrong_with(object.spec))
        return {{"FieldValueInvalid", "Invalid value: \"" + wrong->value + "\": " + wrong->why, wrong->field}};
    if (new_relic(object, inputs)) return newrelic::faults(object.spec);
    if (prometheus_of(object, inputs)) return prometheus::faults(object.spec);
    return {};
}

std::vector<Action> Monitor::diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    if (const auto service = new_relic(object, inputs))
        return newrelic::diff(object, *service, inputs.installation, seen);
    if (const auto service = prometheus_of(object, inputs))
        return prometheus::diff(object, *service, inputs.installation, seen);
    auto probe = wanted(object, inputs);
    if (!probe) return {};
    const auto key = key_of(object);
    const auto mark = mark_of(object, inputs.installation);
    const auto found = seen.find(key);
    if (found == seen.end()) return {{Verb::create, key, mark, *std::move(probe)}};
    if (found->second.mark == mark && found->second.probe == *probe) return {};
    return {{Verb::update, key, mark, *std::move(probe)}};
}

std::vector<Action> Monitor::remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    if (auto out = newrelic::remove(object, installation, seen); !out.empty()) return out;
    const auto found = seen.find(key_of(object));
    if (found != seen.end() && found->second.entry) return prometheus::remove(object, installation, seen);
    if (found == seen.end() || found->second.synthetic || found->second.mark != mark_of(object, installation))
        return {};
    return {{Verb::delete_, found->first, *found->second.mark, {}}};
}

runtime::Report<Object> Monitor::report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen) {
    if (const auto service = new_relic(object, inputs))
        return newrelic::report(object, *service, inputs.installation, seen);
    if (const auto service = prometheus_of(object, inputs)) return prometheus::report(object, *service, inputs, seen);
    using State = runtime::Verdict::State;
    const auto probe = wanted(object, inputs);
    const auto found = seen.find(key_of(object));
    const bool current = probe && found != seen.end() && found->second.probe == *probe &&
                         found->second.mark == mark_of(object, inputs.installation);
    const auto last = current ? found->second.last : std::nullopt;
    auto out = tell_findings(object, inputs, last);
    say_who_is_told(object, inputs, out);
    if (!probe)
        out.verdict = probe.error();
    else if (!current)
        out.verdict = {State::progressing, "OutOfSync", "the monitor is not yet as declared"};
    else
        out.verdict = {State::ready, object.spec.enabled ? "Monitored" : "Disabled", ""};
    // results come by themselves: they are looked for about as often as they can change
    if (object.spec.enabled && current) out.look_again = last ? probe->interval : Duration(1'000);
    return out;
}

/// Only New Relic makes two of one for whoever asks twice.
bool Monitor::settled(const Object& object, const std::string& installation, const Snapshot& seen) {
    return newrelic::settled(object, installation, seen);
}

std::vector<runtime::Marked<Key>> Monitor::marked(const Snapshot& seen) {
    std::vector<runtime::Marked<Key>> out;
    for (const auto& [key, thing] : seen)
        if (thing.mark) out.push_back({key, *thing.mark, true});
    return out;
}

/// What is found at a site is news for one Monitor; what has no mark may be in anybody's way.
std::optional<std::string> Monitor::concerns(const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end() || !found->second.mark) return std::nullopt;
    return found->second.mark->namespace_name;
}

std::vector<Action> Monitor::sweep(const Key& key, const Snapshot& seen) {
    const auto found = seen.find(key);
    if (found == seen.end() || !found->second.mark) return {};
    Action out{Verb::delete_, key, *found->second.mark, {}};
    if (const auto& there = found->second.synthetic) out.order = SyntheticOrder{.synthetic = *there};
    return {std::move(out)};
}

std::string_view Monitor::verb(const Action& action) {
    switch (action.verb) {
        case Verb::create: return "create";
        case Verb::update: return "update";
        case Verb::delete_: break;
    }
    return "delete";
}

std::string Monitor::describe(const Action& action) {
    const std::string word(verb(action));
    if (action.verb == Verb::delete_) return word + " monitor " + action.key.monitor;
    return word + " monitor " + action.key.monitor + " of " + target_of(action.probe) +
           (action.probe.enabled ? "" : ", disabled");
}

}  // namespace ocim::monitoring
