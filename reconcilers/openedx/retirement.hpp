#pragma once

#include "crd/appservers.hpp"
#include "crd/instances.hpp"
#include "runtime/kinds.hpp"

#include <vector>

/// How a site goes, archived or for good: always in stages.
namespace ocim::openedx {

/// What a site that is being taken off still consists of.
struct Remains {
    bool visited = false;                  ///< something leads visitors to it, or watches it
    bool served = false;                   ///< there are AppServers
    std::vector<runtime::Child> standing;  ///< what must stay for now, because of what goes before it
    bool unsettled = false;                ///< what a person made has just been taken over, and can go next
};
Remains remains_of(const runtime::Children& children, const runtime::Inputs& inputs);

/// Whether a Secret was kept, with the data that it opens, by an Instance of this name that is no more, and this one
/// has not taken that data over yet: it has no right to delete the Secret then, for the data would be lost.
bool is_of_former_life(const crd::Instance& instance, const runtime::Children& children, const api::Json& secret);
/// Of what is wanted, such Secrets stay nobody's for now.
void leave_former_life(const crd::Instance& instance, const runtime::Children& children,
                       std::vector<runtime::Child>& wanted);

/// Deletion: what leads visitors here and watches, then the servers, then the data, by the policy as it is now.
runtime::Composition<crd::Instance> compose_deletion(const crd::Instance& instance, const runtime::Children& children,
                                                     const runtime::Inputs& inputs);

}  // namespace ocim::openedx
