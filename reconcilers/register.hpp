#pragma once

#include "compute/register.hpp"

namespace ocim::webhooks {
class Hooks;
}

namespace ocim::reconcilers {

/// Registers every kind of every area. The manager must not have been started. `hooks` must outlive it.
void register_all(runtime::Manager& manager, webhooks::Hooks& hooks, compute::LocalMachines local);

}  // namespace ocim::reconcilers
