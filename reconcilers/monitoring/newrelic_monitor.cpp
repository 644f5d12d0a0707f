#include "monitoring/newrelic_monitor.hpp"

#include "api/json.hpp"
#include "monitoring/newrelic.hpp"
#include "monitoring/newrelic_alerts.hpp"
#include "monitoring/newrelic_entities.hpp"
#include "monitoring/wanted.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ocim::monitoring::newrelic {

namespace {

using Object = crd::Monitor;
using Verb = Action::Verb;
using runtime::Mark;
using runtime::Ownership;
using runtime::Verdict;
namespace json = api::json;

constexpr std::size_t name_max = 256;  // characters of a monitor's name

Mark mark_of(const Object& object, const std::string& installation) {
    return {installation, object.metadata.key(), object.metadata.uid, false};
}

api::Cause cause(std::string field, const std::string& why) {
    return {"FieldValueInvalid", "Invalid value: " + why, std::move(field)};
}

Probe probe_of(const Object::Spec& spec) {
    Probe out;
    out.url = *spec.url;
    out.verify = !spec.tls.insecure_skip_verify;
    out.enabled = spec.enabled;
    if (spec.body) out.body_contains = spec.body->contains.value_or("");
    for (const auto& header : spec.headers) out.headers[header.name] = Secret(header.value.value_or(""));
    return out;
}

/// Of all that New Relic's list does not tell.
std::string settings_digest(const Probe& probe, const std::vector<std::string>& locations) {
    json::array places(locations.begin(), locations.end());
    json::object headers;
    for (const auto& [name, value] : probe.headers) headers[name] = value.reveal();  // those of a Secret are refused
    return digest(api::to_text(json::object{{"locations", std::move(places)},
                                            {"verify", probe.verify},
                                            {"contains", probe.body_contains},
                                            {"headers", std::move(headers)}}));
}

SyntheticOrder order_of(const Object& object, const crd::MonitoringService& service, const std::string& installation) {
    const auto& spec = object.spec;
    SyntheticOrder out;
    out.locations = service.spec.new_relic->locations;
    std::ranges::sort(out.locations);
    const auto doubles = std::ranges::unique(out.locations);
    out.locations.erase(doubles.begin(), doubles.end());
    if (!spec.alert_emails.empty())
        out.group = make_group({installation, service.metadata.name}, spec.alert_emails, spec.interval_seconds,
                               spec.alert_after_failures);
    auto& synthetic = out.synthetic;
    synthetic.url = canonical_url(*spec.url);
    synthetic.period_minutes = spec.interval_seconds / 60;
    synthetic.enabled = spec.enabled;
    synthetic.settings = settings_digest(probe_of(spec), out.locations);
    if (out.group) synthetic.alerts = out.group->id;
    const auto tail = out.group ? alert_word(out.group->id) : std::string();
    synthetic.name = spec.url->substr(0, name_max - tail.size()) + tail;
    return out;
}

bool same(const Thing& found, const Synthetic& wanted, const Mark& mark) {
    const auto& there = *found.synthetic;
    return found.mark == mark && there.name == wanted.name && there.url == wanted.url &&
           there.period_minutes == wanted.period_minutes &&
           there.enabled.value_or(*wanted.enabled) == *wanted.enabled && there.settings == wanted.settings &&
           there.alerts == wanted.alerts;
}

using Item = Snapshot::value_type;

/// All that are marked as the object's, or as of a former one of its name.
std::vector<const Item*> of_name(const std::string& monitor, const Snapshot& seen) {
    std::vector<const Item*> out;
    if (const auto found = seen.find(Key{monitor}); found != seen.end() && found->second.synthetic)
        out.push_back(&*found);
    const auto prefix = double_key(monitor, "").monitor;
    for (auto it = seen.lower_bound(Key{prefix}); it != seen.end() && it->first.monitor.starts_with(prefix); ++it)
        if (it->second.synthetic) out.push_back(&*it);
    return out;
}

/// One that nobody marked and that watches the same.
const Item* stranger(const std::string& url, const Snapshot& seen) {
    const auto prefix = stranger_key(url, "").monitor;
    for (auto it = seen.lower_bound(Key{prefix}); it != seen.end() && it->first.monitor.starts_with(prefix); ++it)
        if (!it->second.mark) return &*it;
    return nullptr;
}

/// The whole judgement about one object: why nothing may be done, or what is to be done.
struct Judgement {
    std::optional<Verdict> blocked{};
    std::vector<Action> actions{};
    const Thing* own = nullptr;
};

Judgement not_owned(const Item& found) {
    const auto& mark = found.second.mark;
    const auto whose =
        mark ? "is marked as of a former " + mark->namespace_name : std::string("carries no mark of ours");
    return {Verdict{Verdict::State::stalled, "NotOwned",
                    "the monitor " + found.second.synthetic->guid + " of " + found.second.synthetic->url +
                        " exists at New Relic and " + whose +
                        "; delete it there, or let adoptionPolicy: Adopt take it over"},
            {},
            nullptr};
}

/// What there is for the object, if there is any, and what is too many of it.
struct Found {
    const Item *own = nullptr, *foreign = nullptr;
    std::vector<const Item*> more{};
};
Found find(const Object& object, const Mark& self, const Snapshot& seen) {
    Found out;
    for (const auto* item : of_name(object.metadata.key(), seen)) {
        if (runtime::ownership(item->second.mark, self) == Ownership::foreign)
            out.foreign = item;
        else if (!out.own)
            out.own = item;
        else
            out.more.push_back(item);
    }
    if (!out.foreign) out.foreign = stranger(canonical_url(*object.spec.url), seen);
    return out;
}

Judgement judge(const Object& object, const crd::MonitoringService& service, const std::string& installation,
                const Snapshot& seen) {
    if (const auto wrong = faults(object.spec); !wrong.empty())
        return {Verdict{Verdict::State::stalled, "InvalidSpec", wrong[0].field + ": " + wrong[0].message}, {}, nullptr};
    const auto self = mark_of(object, installation);
    auto order = order_of(object, service, installation);
    const auto found = find(object, self, seen);
    const bool adopt = object.spec.adoption_policy == Object::Spec::AdoptionPolicy::adopt;
    const auto* target = found.own ? found.own : found.foreign;
    if (target == found.foreign && target && !runtime::takeable(target->second.mark, self, adopt))
        return not_owned(*target);
    Judgement out;
    out.own = found.own ? &found.own->second : nullptr;
    for (const auto* item : found.more) {
        SyntheticOrder double_{.synthetic = *item->second.synthetic};
        out.actions.push_back({Verb::delete_, item->first, *item->second.mark, {}, std::move(double_)});
    }
    if (target && same(target->second, order.synthetic, self)) return out;
    if (target) {
        order.synthetic.guid = target->second.synthetic->guid;
        order.adopt = adopt && !found.own;
    }
    const auto key = found.own ? found.own->first : Key{object.metadata.key()};
    out.actions.push_back({target ? Verb::update : Verb::create, key, self, probe_of(object.spec), std::move(order)});
    return out;
}

void note_change(const Object& object, const Outcome& last, runtime::Report<Object>& out) {
    if (object.status.up.value_or(true) == last.up) return;
    out.notes.push_back(
        {!last.up, last.up ? "ProbeSucceeded" : "ProbeFailed", target_of(object.spec) + " " + last.message});
}

runtime::Finding up_finding(const Object& object, const std::optional<Outcome>& last) {
    if (!object.spec.enabled) return {"Up", "Unknown", "Disabled", "spec.enabled is false"};
    if (!last) return {"Up", "Unknown", "NotProbedYet", ""};
    return {"Up", last->up ? "True" : "False", last->up ? "ProbeSucceeded" : "ProbeFailed", last->message};
}

}  // namespace

Key stranger_key(const std::string& url, const std::string& guid) { return {"unmarked " + url + " " + guid}; }
Key double_key(const std::string& monitor, const std::string& guid) { return {monitor + " " + guid}; }

std::vector<api::Cause> faults(const Object::Spec& spec) {
    std::vector<api::Cause> out;
    if (!spec.url) out.push_back(cause(spec.dns ? "spec.dns" : "spec.tcp", "New Relic's ping asks for a URL"));
    if (spec.basic_auth) out.push_back(cause("spec.basicAuth", "no Secret goes to New Relic"));
    if (spec.interval_seconds % 60 != 0 || period_word(spec.interval_seconds / 60).empty())
        out.push_back(cause("spec.intervalSeconds",
                            "New Relic asks every 60, 300, 600, 900, 1800, 3600, 21600, 43200 or 86400 seconds"));
    if (spec.connect_to) out.push_back(cause("spec.connectTo", "New Relic connects to where the URL's name leads"));
    if (spec.expected_status)
        out.push_back(cause("spec.expectedStatus", "New Relic's ping takes any 2xx, and cannot be told otherwise"));
    if (spec.body && spec.body->excludes)
        out.push_back(cause("spec.body.excludes", "New Relic's ping knows only a text that must be there"));
    for (std::size_t i = 0; i < spec.alert_emails.size(); ++i)
        if (spec.alert_emails[i].find(',') != std::string::npos)
            out.push_back(cause("spec.alertEmails[" + std::to_string(i) + "]", "a comma is between addresses there"));
    for (std::size_t i = 0; i < spec.headers.size(); ++i)
        if (spec.headers[i].value_ref)
            out.push_back(cause("spec.headers[" + std::to_string(i) + "].valueRef",
                                "what New Relic sends, all of its account's users can read: no Secret goes there"));
    return out;
}

std::vector<Action> diff(const Object& object, const crd::MonitoringService& service, const std::string& installation,
                         const Snapshot& seen) {
    return judge(object, service, installation, seen).actions;
}

std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto self = mark_of(object, installation);
    const bool retain = object.spec.deletion_policy == Object::Spec::DeletionPolicy::retain;
    std::vector<Action> out;
    for (const auto* item : of_name(object.metadata.key(), seen)) {
        const auto& [key, thing] = *item;
        if (!thing.mark || thing.mark->installation != installation || thing.mark->uid != self.uid) continue;
        SyntheticOrder order{.synthetic = *thing.synthetic};
        auto mark = *thing.mark;
        if (retain && mark.retained) continue;
        mark.retained = retain;
        out.push_back({retain ? Verb::update : Verb::delete_, key, std::move(mark), {}, std::move(order)});
    }
    return out;
}

bool settled(const Object& object, const std::string& installation, const Snapshot& seen) {
    const auto self = mark_of(object, installation);
    return std::ranges::any_of(of_name(object.metadata.key(), seen), [&](const Item* item) {
        const auto& [key, thing] = *item;
        return thing.mark == self && thing.synthetic && object.status.new_relic_guid == thing.synthetic->guid;
    });
}

runtime::Report<Object> report(const Object& object, const crd::MonitoringService& service,
                               const std::string& installation, const Snapshot& seen) {
    using State = Verdict::State;
    runtime::Report<Object> out;
    out.status.target = target_of(object.spec);
    const auto judged = judge(object, service, installation, seen);
    const auto last = judged.own ? judged.own->last : std::nullopt;
    out.findings.push_back(up_finding(object, last));
    if (object.spec.enabled && last) {
        out.status.up = last->up;
        out.status.last_probe = rfc3339(last->at);
        out.status.message = last->message;
        note_change(object, *last, out);
    }
    if (judged.own && judged.own->synthetic) out.status.new_relic_guid = judged.own->synthetic->guid;
    const bool stands = judged.own && !judged.own->synthetic->alerts.empty();
    if (!object.spec.alert_emails.empty())
        out.findings.push_back(stands ? runtime::Finding{"Alerting", "True", "ByNewRelic", "through a workflow there"}
                                      : runtime::Finding{"Alerting", "False", "OutOfSync",
                                                         "the policy and workflow at New Relic are not yet whole"});
    if (judged.blocked)
        out.verdict = *judged.blocked;
    else if (!judged.actions.empty())
        out.verdict = {State::progressing, "OutOfSync", "the monitor is not yet as declared"};
    else
        out.verdict = {State::ready, object.spec.enabled ? "Monitored" : "Disabled", ""};
    return out;
}

}  // namespace ocim::monitoring::newrelic
