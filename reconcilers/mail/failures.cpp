#include "mail/failures.hpp"

#include "crd/appservers.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/notifications.hpp"
#include "mail/notices.hpp"
#include "net/mail.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace ocim::mail {
namespace {

using crd::AppServer;
using runtime::Children;
using runtime::Composition;
using runtime::Inputs;
using Phase = AppServer::Status::Phase;

constexpr std::size_t kept_max = 20;            // of an Instance; the oldest go, which tell of what is long over
constexpr std::size_t reason_bytes_max = 4000;  // of what the AppServer says

bool failed(const AppServer& appserver) {
    return appserver.status.phase == Phase::configuration_failed || appserver.status.phase == Phase::error;
}

const api::Condition* condition(const AppServer& appserver, std::string_view type) {
    for (const auto& item : appserver.status.conditions)
        if (item.type == type) return &item;
    return nullptr;
}

/// What went wrong, so that a second attempt that fails in the same way is no news. One that a person made is an
/// attempt of his own. The failed task is no part of it: it becomes known only after the failure.
std::string cause_of(const AppServer& appserver) {
    const auto& hash = appserver.spec.configuration_hash;
    auto out = hash ? "configuration " + *hash : "appserver " + appserver.metadata.uid;
    const auto* configured = condition(appserver, "Configured");
    const auto* ready = condition(appserver, "Ready");
    out += " " + (configured ? configured->reason : std::string()) + " " + (ready ? ready->reason : std::string());
    return out;
}

std::vector<std::string> recipients(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    std::set<std::string> out;
    if (of_class.spec.notifications)
        out.insert(of_class.spec.notifications->emails.begin(), of_class.spec.notifications->emails.end());
    if (instance.spec.monitoring)
        out.insert(instance.spec.monitoring->emails.begin(), instance.spec.monitoring->emails.end());
    std::erase_if(out, [](const auto& address) { return !net::good_mail_address(address); });
    return {out.begin(), out.end()};
}

crd::Notification notification(const crd::Instance& instance, const AppServer& appserver,
                               const crd::InstanceClass& of_class, std::vector<std::string> to) {
    crd::Notification out;
    out.metadata.name = notice_name(instance.metadata.name, "failed-" + short_hash(cause_of(appserver)));
    out.metadata.namespace_ = instance.metadata.namespace_;
    const auto& told = of_class.spec.notifications;
    out.spec.mail_relay_ref.name =
        told && told->mail_relay_ref ? told->mail_relay_ref->name : std::string(default_relay);
    out.spec.to = std::move(to);
    const auto whose = instance.metadata.namespace_ + "/" + instance.metadata.name;
    out.spec.subject = "AppServer " + appserver.metadata.name + " of " + whose + " failed";
    const auto* ready = condition(appserver, "Ready");
    const auto display = instance.spec.display_name.value_or("");
    auto& text = out.spec.text;
    text = "The AppServer " + appserver.metadata.name + " of the Instance " + whose +
           (display.empty() ? "" : " (" + display + ")") + " could not be provisioned.\n\n";
    text += "Reason: " + (ready ? ready->reason + ": " + ready->message.substr(0, reason_bytes_max) : "unknown") + "\n";
    if (appserver.status.provision && appserver.status.provision->failed_task)
        text += "Failed task: " + appserver.status.provision->failed_task->substr(0, reason_bytes_max) + "\n";
    text +=
        appserver.spec.configuration_hash
            ? "\nIt is tried again as often as spec.rollout.attempts says. Attempts that fail in the same way are not "
              "told of again.\n"
            : "\n";
    text += "\nHow it stands: kubectl -n " + instance.metadata.namespace_ + " get instance " + instance.metadata.name +
            "\nThe whole log: ocim logs appserver/" + appserver.metadata.name + " -n " + instance.metadata.namespace_ +
            "\n";
    if (appserver.status.provision) {
        out.spec.log_ref.emplace().name = appserver.metadata.name + "-log";
        text += "The end of the log is attached.\n";
    }
    out.spec.text = fit_for_json(text, 16'000);
    return out;
}

}  // namespace

std::vector<api::Kind> Failures::child_kinds() { return {crd::Notification::kind}; }

std::vector<runtime::Reference> Failures::needs(const Object& object) {
    return {{crd::InstanceClass::kind, "", object.spec.class_name},
            {AppServer::kind, object.metadata.namespace_, "", true, "spec.instanceName", object.metadata.name}};
}

Composition<crd::Instance> Failures::compose(const Object& object, const Children& children, const Inputs& inputs) {
    Composition<Object> out;
    const auto of_class = inputs.get<crd::InstanceClass>("", object.spec.class_name);
    out.complete = of_class.has_value();
    if (!of_class) return out;
    std::set<std::string> current;
    auto to = recipients(object, *of_class);
    const auto told_of = children.all<crd::Notification>();
    for (const auto& appserver : inputs.all<AppServer>()) {
        if (appserver.metadata.deleting() || !failed(appserver)) continue;
        auto wanted = notification(object, appserver, *of_class, to);
        if (!current.insert(wanted.metadata.name).second || to.empty()) continue;
        // of one AppServer once, also when its reason becomes known only afterwards
        const auto same = [&](const auto& told) { return told.spec.subject == wanted.spec.subject; };
        if (std::ranges::any_of(told_of, same)) continue;
        if (!children.find(crd::Notification::kind, wanted.metadata.name))
            out.children.push_back({api::encode_object(wanted), std::nullopt, true, {}, false});
    }
    keep_notices(children, current, kept_max, out.children);
    return out;
}

}  // namespace ocim::mail
