#include "openedx/register.hpp"

#include "openedx/appserver.hpp"
#include "openedx/instance.hpp"
#include "openedx/instance_class.hpp"
#include "openedx/redeployment.hpp"
#include "openedx/run.hpp"
#include "runtime/composite.hpp"
#include "runtime/external.hpp"

namespace ocim::openedx {

void register_kinds(runtime::Manager& manager) {
    runtime::add_composite<InstanceClasses>(manager);
    runtime::add_composite<Instances>(manager);
    runtime::add_composite<AppServers>(manager);
    runtime::add_composite<Redeployments>(manager);
    runtime::add_external<Runs>(manager);
}

}  // namespace ocim::openedx
