#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::compute {

/// VirtualMachine in a Cloud.
void register_kinds(runtime::Manager& manager);

}  // namespace ocim::compute
