#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::openedx {

/// Instance, InstanceClass, AppServer and ProvisioningRun.
void register_kinds(runtime::Manager& manager);

}  // namespace ocim::openedx
