#include "monitoring/findings.hpp"

#include "monitoring/wanted.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>

namespace ocim::monitoring {

namespace {

using Object = crd::Monitor;

runtime::Finding up_finding(const Object& object, const std::optional<Outcome>& last) {
    if (!object.spec.enabled) return {"Up", "Unknown", "Disabled", "spec.enabled is false"};
    if (!last) return {"Up", "Unknown", "NotProbedYet", ""};
    return {"Up", last->up ? "True" : "False", last->up ? "ProbeSucceeded" : "ProbeFailed", last->message};
}

/// Says so while there is time, and once as an Event.
void warn_of_expiry(const Object& object, const runtime::Inputs& inputs, runtime::Report<Object>& out) {
    constexpr auto expiring = "CertificateExpiring";
    if (!out.status.certificate_expires) return;
    const auto expires = parse_rfc3339(*out.status.certificate_expires);
    const auto warn_before = runtime::parse_duration(object.spec.tls.warn_before);
    if (!expires || !warn_before) return;
    const auto& when = *out.status.certificate_expires;
    if (inputs.now + *warn_before < *expires) {
        out.findings.push_back({expiring, "False", "Valid", "until " + when});
        return;
    }
    const bool over = *expires <= inputs.now;
    runtime::Finding finding{
        expiring, "True", over ? "Expired" : "ExpiresSoon",
        "the first of its certificates " + std::string(over ? "ended" : "ends") + " at " + when + ": renew it"};
    const bool known = std::ranges::any_of(object.status.conditions, [&](const auto& item) {
        return item.type == expiring && item.status == "True" && item.reason == finding.reason;
    });
    if (!known) out.notes.push_back({true, "CertificateExpiring", target_of(object.spec) + ": " + finding.message});
    out.findings.push_back(std::move(finding));
}

/// "<monitor>-down-<when>".
std::string alert_name(const Object& object, const std::string& since) {
    constexpr std::size_t room = 220;  // of the 253 of a name
    std::string when;
    for (const char c : since)
        if (c >= '0' && c <= '9') when += c;
    return object.metadata.name.substr(0, room) + "-down-" + when;
}

/// An alert begins once with the last of so many failures, and ends with the first success.
void follow_alert(const Object& object, const Outcome& last, Object::Status& status) {
    const bool open = status.alert && !status.alert->recovered_at;
    if (last.alert && !open) {
        const auto since = rfc3339(last.at);
        auto& alert = status.alert.emplace();
        alert.name = alert_name(object, since);
        alert.since = since;
        alert.message = last.message;
    } else if (last.up && open) {
        status.alert->recovered_at = rfc3339(last.at);
    }
}

}  // namespace

runtime::Report<Object> tell_findings(const Object& object, const runtime::Inputs& inputs,
                                      const std::optional<Outcome>& last) {
    runtime::Report<Object> out;
    // what was found before we were started anew holds until the next probe
    const auto& before = object.status;
    out.status.up = before.up;
    out.status.last_probe = before.last_probe;
    out.status.status_code = before.status_code;
    out.status.message = before.message;
    out.status.alert = before.alert;
    out.status.certificate_expires = before.certificate_expires;

    out.findings = {up_finding(object, last)};
    if (!object.spec.enabled) {
        out.status = {};
    } else if (last) {
        out.status.up = last->up;
        out.status.last_probe = rfc3339(last->at);
        out.status.status_code.reset();
        if (last->status) out.status.status_code = static_cast<std::int32_t>(*last->status);
        out.status.message = last->message;
        if (last->certificate_expires)
            out.status.certificate_expires = rfc3339(*last->certificate_expires);
        else if (last->up)
            out.status.certificate_expires.reset();
        follow_alert(object, *last, out.status);
        if (before.up.value_or(true) != last->up)
            out.notes = {
                {!last->up, last->up ? "ProbeSucceeded" : "ProbeFailed", target_of(object.spec) + " " + last->message}};
    }
    out.status.target = target_of(object.spec);
    warn_of_expiry(object, inputs, out);
    return out;
}

}  // namespace ocim::monitoring
