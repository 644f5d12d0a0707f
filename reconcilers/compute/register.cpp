#include "compute/register.hpp"

#include "compute/machine.hpp"
#include "runtime/external.hpp"

namespace ocim::compute {

void register_kinds(runtime::Manager& manager) { runtime::add_external<Machines>(manager); }

}  // namespace ocim::compute
