#pragma once

#include "base/result.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "runtime/kinds.hpp"

#include <set>
#include <string>
#include <vector>

namespace ocim::openedx {

using Placement = std::decay_t<decltype(*crd::Instance::Status{}.placement)>;

/// What placing anything looks at: every backend there is.
std::vector<runtime::Reference> placement_needs();
/// What placing this Instance looks at: of what it is placed at already only that, so that it sleeps while others come.
std::vector<runtime::Reference> placement_needs(const crd::Instance& instance);

/// What an Instance says of its places, by its status: counted over all Instances (runtime/tally.hpp).
std::set<std::string> placed_at(const api::Json& status);

/// What of an Instance's data lives on servers of its own.
struct DataPlaces {
    bool databases = false, mongodb = false, broker = false, storage = false;
};

/// Chooses a backend of each sort that the Instance needs: of those that the class admits, that accept new tenants,
/// that the namespace may use, that have room and that are Ready, the one with the fewest objects, those counted that
/// are still to come, the first by name among equals. What `placed` holds already stays, whatever has become of it.
/// Error, naming every candidate that the namespace may use and what stands against it: unreachable when one only has
/// to become Ready; rate_limited when what could take it is full, with when to look again; invalid when somebody must
/// change something.
Result<Placement> place(const crd::Instance& instance, const crd::InstanceClass& of_class, const Placement& placed,
                        const std::string& lms_domain, const DataPlaces& data, const runtime::Inputs& inputs);

/// The selectors of a class that nothing matches, in words.
std::vector<std::string> unmatched(const crd::InstanceClass& of_class, const runtime::Inputs& inputs);

}  // namespace ocim::openedx
