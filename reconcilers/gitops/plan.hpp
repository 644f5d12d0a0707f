#pragma once

#include "gitops/source.hpp"

#include <optional>
#include <vector>

/// What is to be done about a snapshot, and what keeps it from being done: what diff() and report() both say.
namespace ocim::gitops {

using Entry = crd::GitSource::Status::InventoryItem;

ObjectId id_of(const Entry& entry);

struct Plan {
    enum class Standing {
        suspended,
        unknown,    ///< nothing was fetched yet, or it cannot be
        refused,    ///< the commit has faults
        unwritten,  ///< what would be applied is not in the stored inventory yet
        open,       ///< nothing is in the way
    };
    Standing standing = Standing::unknown;
    const Fetched* fetched = nullptr;  ///< into the snapshot; null when it was not looked at yet
    std::vector<const Thing*> apply;   ///< in order
    std::vector<Action> prune;         ///< in order, whether it is allowed or not
    bool confirmed = true;             ///< it is allowed
    std::size_t deferred = 0;          ///< wanted, and to be looked at again when others are there
    std::size_t going = 0;             ///< pruned and not gone yet
    std::vector<Entry> inventory;      ///< as it is to be stored: nothing is forgotten that may be there
};

Plan plan_of(const crd::GitSource& object, const Snapshot& seen);

/// What of the inventory is still there, last applied first. The second: how many of them are going already.
std::pair<std::vector<Action>, std::size_t> removals(const crd::GitSource& object, const Snapshot& seen,
                                                     bool also_wanted);

}  // namespace ocim::gitops
