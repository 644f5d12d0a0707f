#include "dns/register.hpp"

#include "dns/record.hpp"
#include "runtime/external.hpp"

namespace ocim::dns {

void register_kinds(runtime::Manager& manager) { runtime::add_external<Record>(manager); }

}  // namespace ocim::dns
