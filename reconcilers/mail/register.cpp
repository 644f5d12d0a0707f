#include "mail/register.hpp"

#include "mail/alerts.hpp"
#include "mail/failures.hpp"
#include "mail/notification.hpp"
#include "runtime/composite.hpp"
#include "runtime/external.hpp"

namespace ocim::mail {

void register_kinds(runtime::Manager& manager) {
    const auto taken = std::make_shared<Taken>();  // of every relay, also of one that is opened anew
    runtime::add_external<Notifications>(manager, [taken](const auto& relay, const auto& inputs, const auto& services) {
        return Notifications::open_with(taken, relay, inputs, services);
    });
    runtime::add_composite<Failures>(manager);
    runtime::add_composite<Alerts>(manager);
}

}  // namespace ocim::mail
