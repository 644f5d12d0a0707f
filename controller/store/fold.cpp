#include "store/fold.hpp"

#include <map>

namespace ocim::store {

Journal::Loaded fold(std::vector<Change> changes, Revision compacted, Revision revision) {
    Journal::Loaded out;
    out.compacted = compacted;
    out.revision = std::max(revision, compacted);
    std::map<std::string, Item> state;
    for (auto& change : changes) {
        out.revision = std::max(out.revision, change.revision);
        const auto before = state.find(change.key);
        if (before != state.end()) {
            change.previous_revision = before->second.revision;
            change.previous = before->second.value;
        }
        if (!change.deleted)
            state.insert_or_assign(change.key, Item{change.revision, change.value, change.time_ms});
        else if (before != state.end())
            state.erase(before);
        if (change.revision > compacted) out.history.push_back(std::move(change));
    }
    out.state.assign(std::make_move_iterator(state.begin()), std::make_move_iterator(state.end()));
    return out;
}

}  // namespace ocim::store
