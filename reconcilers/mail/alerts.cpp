#include "mail/alerts.hpp"

#include "crd/monitoringservices.hpp"
#include "crd/notifications.hpp"
#include "mail/notices.hpp"
#include "net/mail.hpp"

#include <algorithm>

namespace ocim::mail {
namespace {

using runtime::Children;
using runtime::Composition;
using runtime::Inputs;

constexpr std::size_t kept_max = 10;  // of a Monitor

struct Told {
    std::string name, subject, text;
};

crd::Notification notification(const crd::Monitor& monitor, const std::string& relay, std::vector<std::string> to,
                               const Told& told) {
    crd::Notification out;
    out.metadata.name = told.name;
    out.metadata.namespace_ = monitor.metadata.namespace_;
    out.spec.mail_relay_ref.name = relay;
    out.spec.to = std::move(to);
    out.spec.subject = fit_for_json(told.subject, 500);
    out.spec.text = fit_for_json(told.text + "\nMonitor: " + monitor.metadata.key() + "\n", 16'000);
    return out;
}

std::vector<Told> wanted(const crd::Monitor& monitor) {
    const auto& alert = monitor.status.alert;
    if (!alert) return {};
    const auto what = monitor.status.target.value_or(monitor.spec.url.value_or(monitor.metadata.name));
    std::vector<Told> out;
    out.push_back({alert->name, what + " is down",
                   what + " is down since " + alert->since +
                       " at the latest: " + std::to_string(monitor.spec.alert_after_failures) +
                       " probes in a row failed.\n\nThe last one: " + alert->message.value_or("") + "\n"});
    if (alert->recovered_at)
        out.push_back({notice_name(alert->name, "over"), what + " is up again",
                       what + " is up again since " + *alert->recovered_at + ". It was down since " + alert->since +
                           " at the latest.\n"});
    return out;
}

}  // namespace

std::vector<api::Kind> Alerts::child_kinds() { return {crd::Notification::kind}; }

std::vector<runtime::Reference> Alerts::needs(const Object& object) {
    return {{crd::MonitoringService::kind, "", object.spec.service_ref.name, true}};
}

Composition<crd::Monitor> Alerts::compose(const Object& object, const Children& children, const Inputs& inputs) {
    Composition<Object> out;
    const auto service = inputs.get<crd::MonitoringService>("", object.spec.service_ref.name);
    out.complete = service.has_value();
    if (!service) return out;
    const auto named = service->spec.prober ? service->spec.prober->mail_relay_ref : std::nullopt;
    const auto relay = named ? named->name : std::string(default_relay);
    auto to = object.spec.alert_emails;
    std::erase_if(to, [](const auto& address) { return !net::good_mail_address(address); });
    std::set<std::string> current;
    for (const auto& told : wanted(object)) {
        current.insert(told.name);
        if (!to.empty() && !children.find(crd::Notification::kind, told.name))
            out.children.push_back(
                {api::encode_object(notification(object, relay, to, told)), std::nullopt, true, {}, false});
    }
    keep_notices(children, current, kept_max, out.children);
    return out;
}

}  // namespace ocim::mail
