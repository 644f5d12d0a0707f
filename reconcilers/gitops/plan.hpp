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
        untried,    ///< of a new commit not everything could be tried
        unwritten,  ///< what would be applied is not in the stored inventory yet
        open,       ///< nothing is in the way
    };
    Standing standing = Standing::unknown;
    const Fetched* fetched = nullptr;  ///< into the snapshot; null when it was not looked at yet
    std::vector<const Thing*> apply;   ///< in order
    std::vector<Action> prune;         ///< in order, whether it is allowed or not
    std::vector<ObjectId> blind;       ///< would be pruned if it is there, and nobody can look
    bool confirmed = true;             ///< pruning is allowed
    std::string confirmation;          ///< the word that allows it: the commit, and what would go
    std::string confirmed_as;          ///< as it is stored while it is worked on; "" when nobody is asked
    std::vector<std::string> untried;  ///< "Instance campus/demo: why"
    std::size_t deferred = 0;          ///< wanted, and to be looked at again when others are there
    std::size_t going = 0;             ///< pruned and not gone yet
    std::vector<Entry> inventory;      ///< as it is to be stored: nothing is forgotten that may be there
};

Plan plan_of(const crd::GitSource& object, const Snapshot& seen);

/// What of the inventory is still there.
struct Removals {
    std::vector<Action> actions;    ///< last applied first
    std::size_t going = 0;          ///< so many are going already
    std::vector<ObjectId> unknown;  ///< could not be looked at
};
/// `last`: of everything, since the GitSource is going; then what is unknown is in the actions too, which look first.
Removals removals(const crd::GitSource& object, const Snapshot& seen, bool last);

}  // namespace ocim::gitops
