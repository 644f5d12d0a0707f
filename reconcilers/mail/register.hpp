#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::mail {

/// Registers Notification, and who makes them for Instances and Monitors. The manager must not have been started.
void register_kinds(runtime::Manager& manager);

}  // namespace ocim::mail
