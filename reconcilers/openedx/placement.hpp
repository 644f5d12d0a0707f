#pragma once

#include "base/result.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "runtime/kinds.hpp"

namespace ocim::openedx {

using Placement = std::decay_t<decltype(*crd::Instance::Status{}.placement)>;

/// What placing an Instance looks at: every backend there is.
std::vector<runtime::Reference> placement_needs();

/// What of an Instance's data lives on servers of its own.
struct DataPlaces {
    bool databases = false, broker = false, storage = false;
};

/// Chooses a backend of each sort that the Instance needs: of those that the class admits, that accept new tenants,
/// that the namespace may use and that are Ready, the one with the fewest objects, the first by name among equals. What
/// `placed` holds already stays. Error: invalid, naming what there is none of and what would help; unreachable when
/// none of those that may be chosen is Ready now.
Result<Placement> place(const crd::Instance& instance, const crd::InstanceClass& of_class, const Placement& placed,
                        const std::string& lms_domain, const DataPlaces& data, const runtime::Inputs& inputs);

/// The selectors of a class that nothing matches, in words.
std::vector<std::string> unmatched(const crd::InstanceClass& of_class, const runtime::Inputs& inputs);

}  // namespace ocim::openedx
