#include "database/register.hpp"

#include "database/script.hpp"
#include "database/tenant.hpp"
#include "runtime/external.hpp"

namespace ocim::database {

void register_kinds(runtime::Manager& manager) {
    runtime::add_external<Tenant>(manager);
    runtime::add_external<Scripts>(manager);
}

}  // namespace ocim::database
