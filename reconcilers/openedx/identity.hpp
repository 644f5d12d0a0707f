#pragma once

#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "openedx/site.hpp"
#include "runtime/kinds.hpp"

/// What a site keeps for good: chosen once, stored in its status before anything is made of it.
namespace ocim::openedx {

/// Fills what the status lacks with what the children say that were made of it: a status that was lost comes back the
/// same.
void recall(crd::Instance::Status& status, const crd::Instance& instance, const runtime::Children& children);

/// The internal names of the services, from the class as it is now, where the status has none.
void choose_domains(crd::Instance::Status& status, const crd::Instance& instance, const crd::InstanceClass& of_class);
/// How its names are made, where the status does not say: as the secrets that it has tell, else as the class says now.
void choose_scheme(crd::Instance::Status& status, const crd::InstanceClass& of_class, const api::Json* secrets);
/// The names in other systems, where the status has none.
void choose_names(crd::Instance::Status& status, const crd::Instance& instance, const SiteSecrets& secrets,
                  const runtime::Inputs& inputs);

/// What follows from the domains and is not kept: the addresses for people.
void fill_urls(crd::Instance::Status& status, const crd::Instance& instance, const crd::InstanceClass& of_class);

}  // namespace ocim::openedx
