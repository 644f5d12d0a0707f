#include "messaging/register.hpp"

#include "messaging/vhost.hpp"
#include "runtime/external.hpp"

namespace ocim::messaging {

void register_kinds(runtime::Manager& manager) { runtime::add_external<Vhost>(manager); }

}  // namespace ocim::messaging
