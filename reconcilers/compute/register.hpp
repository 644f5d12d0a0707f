#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::compute {

/// Whether a Cloud may make its machines on the host of the program: with spec.local.
enum class LocalMachines { refused, offered };

/// VirtualMachine in a Cloud.
void register_kinds(runtime::Manager& manager, LocalMachines local);

}  // namespace ocim::compute
