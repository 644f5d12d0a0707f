#include "monitoring/register.hpp"

#include "monitoring/monitor.hpp"
#include "runtime/external.hpp"

namespace ocim::monitoring {

void register_kinds(runtime::Manager& manager) { runtime::add_external<Monitor>(manager); }

}  // namespace ocim::monitoring
