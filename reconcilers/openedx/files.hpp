#pragma once

#include "openedx/parts.hpp"
#include "openedx/variables.hpp"

#include <optional>
#include <string>
#include <vector>

/// Where a site's files are, when they are not on its machine.
namespace ocim::openedx {

/// Whether they are at an ObjectStore, as it is declared; what is placed stays. Never with ephemeral databases. Those
/// of a pull request are on the machine unless it has keys of its own: its code must not have those of all sites.
bool declared_stored(const crd::Instance& instance, const crd::InstanceClass& of_class);

/// What was settled when the site was made and its spec now wants otherwise, by field; nothing when it does not.
std::optional<api::Cause> storage_changed(const crd::Instance::Spec& spec, const crd::Instance::Status& settled);

/// The Secrets with the keys that the site uses: the Instance's own, and those that its ObjectStore names.
std::vector<runtime::Reference> file_needs(const crd::Instance& instance);
std::vector<runtime::Reference> further_file_needs(const crd::Instance& instance, const runtime::Inputs& inputs);

/// Nothing to add when they are on the machine. Error: not_found, when something that it refers to is not there;
/// invalid, when a site made this way cannot use such a store.
Result<void> add_files(Site& site, const crd::Instance& instance, const crd::InstanceClass& of_class,
                       const runtime::Inputs& inputs);

/// The container, and a Secret that says where it is and with which keys the site uses it.
std::vector<runtime::Child> file_children(const InstanceView& view);

}  // namespace ocim::openedx
