#include "compute/register.hpp"

#include "compute/group.hpp"
#include "compute/machine.hpp"
#include "runtime/external.hpp"

namespace ocim::compute {

void register_kinds(runtime::Manager& manager, LocalMachines local) {
    runtime::add_external<Machines>(manager,
                                    local == LocalMachines::offered ? Machines::open : Machines::open_elsewhere);
    runtime::add_external<Groups>(manager);
}

}  // namespace ocim::compute
