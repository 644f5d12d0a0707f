#include "simulation/postbox.hpp"

#include "crd/mailrelays.hpp"
#include "crd/notifications.hpp"
#include "mail/notification.hpp"
#include "runtime/external.hpp"
#include "support/memory_client.hpp"

#include <algorithm>

namespace ocim::simulation {

void Postbox::register_mail(runtime::Manager& manager) {
    relay_.perish();  // a relay cannot be asked: a program that died knows no more what it has handed over
    runtime::add_external<mail::Notifications>(
        manager,
        [this](const crd::MailRelay&, const runtime::Inputs&,
               const runtime::Services& services) -> Result<std::unique_ptr<mail::Relay>> {
            const auto effect = [this](mail::Snapshot& things, const mail::Action& action) -> Result<void> {
                auto& mail = mailbox_[action.key];
                mail.subject = action.message.subject;
                ++mail.times[action.message.id];
                things[action.key] = {WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1))};
                return {};
            };
            const auto keys = [](const mail::Action& action) { return std::vector{action.key}; };
            return simulated<mail::Notifications>(relay_, universe_, services, effect, keys);
        });
}

api::Json Postbox::relay_object() {
    return test::json(
        "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MailRelay','metadata':{'name':'default'},"
        "'spec':{'smtp':{'host':'mail.example.org'},'from':'ocim@example.org'}}");
}

void Postbox::set_faults(test::Faults faults) {
    faulty_ = faulty_ || faults.late_landing + faults.lost_reply > 0;
    relay_.faults = faults;
}

std::multiset<std::string> Postbox::mails() const {
    std::multiset<std::string> out;
    for (const auto& [key, mail] : mailbox_) out.insert(key.to + ": " + mail.subject);
    return out;
}

void Postbox::judge(Judge& judge, Program& program, std::size_t people) {
    for (const auto& [key, mail] : mailbox_) {
        judge.expect(mail.times.size() == 1, key.notification + " has several Message-IDs for " + key.to);
        judge.expect(faulty_ || mail.times.begin()->second <= universe_.boots, key.notification + " came too often");
    }
    for (const auto& object : program.list(crd::Notification::kind)) {
        const auto uid = api::find_text(object, {"metadata", "uid"});
        const auto taken = static_cast<std::size_t>(
            std::ranges::count_if(mailbox_, [&](const auto& item) { return item.first.uid == uid; }));
        judge.expect(taken == people, called(object) + " reached " + std::to_string(taken) + " people");
    }
}

}  // namespace ocim::simulation
