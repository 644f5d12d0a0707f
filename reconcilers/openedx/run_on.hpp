#pragma once

#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "crd/provisioningruns.hpp"
#include "runtime/kinds.hpp"

#include <string>
#include <vector>

/// Who may have a playbook run on the controller's host: only sites whose class says so, and never one of a pull
/// request, since extra variables are templates, which run code where Ansible runs. Pure.
namespace ocim::openedx {

constexpr auto refused_reason = "RefusedOnController";

/// Whether a PullRequestWatch made it: a stranger's code runs there.
bool of_pull_request(const crd::Instance& instance);

bool runs_on_controller(const crd::InstanceClass& of_class);

/// Why not, in words; "" when it may.
std::string refused_on_controller(const crd::Instance& instance, const crd::InstanceClass& of_class);

/// The same of a run: it belongs to an AppServer of an Instance that may. Whoever may make a run may not by that have
/// it run here. "" also for runs on machines.
std::string refused_on_controller(const crd::ProvisioningRun& run, const runtime::Inputs& inputs);
/// What that looks at, and what only that names.
std::vector<runtime::Reference> controller_needs(const crd::ProvisioningRun& run);
std::vector<runtime::Reference> further_controller_needs(const crd::ProvisioningRun& run,
                                                         const runtime::Inputs& inputs);

}  // namespace ocim::openedx
