#pragma once

#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "openedx/variables.hpp"
#include "runtime/kinds.hpp"

#include <vector>

/// Who may log in to the machines of a site.
namespace ocim::openedx {

/// The GitHubOrganizations that an Instance, or a class, names.
std::vector<runtime::Reference> admin_needs(const crd::Instance& instance);
std::vector<runtime::Reference> admin_needs(const crd::InstanceClass& of_class);

/// Users and organizations of the class, then of the Instance, each once, and who is in these. Error: not_found, when
/// one is not there or was never looked up: who is not known is not nobody.
Result<void> add_admins(Site& site, const crd::Instance& instance, const crd::InstanceClass& of_class,
                        const runtime::Inputs& inputs);

}  // namespace ocim::openedx
