#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::reconcilers {

/// Registers every kind of every area. The manager must not have been started.
void register_all(runtime::Manager& manager);

}  // namespace ocim::reconcilers
