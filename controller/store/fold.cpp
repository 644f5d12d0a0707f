#include "store/fold.hpp"

#include <map>

namespace ocim::store {

Journal::Loaded fold(std::vector<Change> changes, Revision compacted, Revision revision) {
    Journal::Loaded out;
    out.compacted = compacted;
    out.revision = std::max(revision, compacted);
    std::map<std::string, std::pair<Revision, Bytes>> state;
    for (auto& change : changes) {
        out.revision = std::max(out.revision, change.revision);
        const auto before = state.find(change.key);
        if (before != state.end()) {
            change.previous_revision = before->second.first;
            change.previous = before->second.second;
        }
        if (!change.deleted)
            state.insert_or_assign(change.key, std::pair(change.revision, change.value));
        else if (before != state.end())
            state.erase(before);
        if (change.revision > compacted) out.history.push_back(std::move(change));
    }
    out.state.assign(std::make_move_iterator(state.begin()), std::make_move_iterator(state.end()));
    return out;
}

}  // namespace ocim::store
