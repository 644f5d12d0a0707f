#include "loadbalancing/register.hpp"

#include "loadbalancing/fragment.hpp"
#include "runtime/external.hpp"

namespace ocim::loadbalancing {

void register_kinds(runtime::Manager& manager) { runtime::add_external<Fragment>(manager); }

}  // namespace ocim::loadbalancing
