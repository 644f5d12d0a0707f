#pragma once

#include "api/apply.hpp"
#include "api/field_set.hpp"

#include <string>
#include <vector>

namespace ocim::api {

/// One entry of metadata.managedFields: who set which fields by which way.
struct ManagedEntry {
    std::string manager;
    bool apply = false;
    std::string api_version, time, subresource;
    FieldSet fields;

    /// Of the same manager by the same way: an applier is one whatever the version it applies.
    bool same_manager(const ManagedEntry& other) const;
};
using ManagedEntries = std::vector<ManagedEntry>;

ManagedEntry entry_of(const Manager& manager);

/// The entries that can be read.
ManagedEntries read_entries(const Json* managed_fields);
/// Null when there is none. Appliers come first, then the older ones.
Json write_entries(const ManagedEntries& entries);

/// Merges the oldest entries of plain writes into one when there are more than Kubernetes keeps.
void cap_updates(ManagedEntries& entries);

}  // namespace ocim::api
