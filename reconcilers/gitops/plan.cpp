#include "gitops/plan.hpp"

#include <algorithm>
#include <set>

namespace ocim::gitops {

namespace {

using Standing = Plan::Standing;

const Thing* find(const Snapshot& seen, const ObjectId& id) {
    const auto found = seen.find(id);
    return found == seen.end() ? nullptr : &found->second;
}

bool is_wanted(const Thing* thing) { return thing && thing->wanted; }

/// It was looked at, and is not there or somebody else's by now.
bool is_over(const Thing* thing) {
    return thing && !thing->wanted && thing->unknown.empty() && (!thing->exists || !thing->ours);
}

Entry entry_of(const ObjectId& id, const std::string& api_version) {
    Entry out;
    out.api_version = api_version;
    out.kind = id.kind;
    if (!id.namespace_.empty()) out.namespace_ = id.namespace_;
    out.name = id.name;
    return out;
}

/// What is stored and not known to be gone, and what is about to be applied.
std::vector<Entry> inventory_of(const crd::GitSource& object, const Snapshot& seen, bool with_wanted) {
    std::map<ObjectId, Entry> out;
    for (const auto& entry : object.status.inventory) {
        const auto id = id_of(entry);
        const auto* thing = find(seen, id);
        if (!is_over(thing)) out.emplace(id, is_wanted(thing) ? entry_of(id, thing->api_version) : entry);
    }
    if (with_wanted)
        for (const auto& [id, thing] : seen)
            if (thing.wanted) out.try_emplace(id, entry_of(id, thing.api_version));
    std::vector<Entry> entries;
    for (auto& [id, entry] : out) entries.push_back(std::move(entry));
    return entries;
}

/// That this commit is worked on, and all that it may leave behind.
bool is_stored(const crd::GitSource& object, const std::string& commit, const Snapshot& seen) {
    if (object.status.commit != commit) return false;
    std::set<ObjectId> stored;
    for (const auto& entry : object.status.inventory) stored.insert(id_of(entry));
    return std::ranges::all_of(seen, [&](const auto& one) { return !one.second.wanted || stored.contains(one.first); });
}

bool is_confirmed(const crd::GitSource& object, const std::string& commit) {
    const auto found = object.metadata.annotations.find(std::string(confirm_annotation));
    return found != object.metadata.annotations.end() && !commit.empty() && found->second == commit;
}

std::vector<const Thing*> to_apply(const Snapshot& seen) {
    std::vector<const Thing*> out;
    for (const auto& [id, thing] : seen)
        if (thing.wanted && thing.differs && !thing.deferred) out.push_back(&thing);
    std::ranges::sort(out, {}, [](const Thing* one) { return place_of(one->wanted->id); });
    return out;
}

}  // namespace

ObjectId id_of(const Entry& entry) {
    return {std::string(group_of(entry.api_version)), entry.kind, entry.namespace_.value_or(""), entry.name};
}

std::pair<std::vector<Action>, std::size_t> removals(const crd::GitSource& object, const Snapshot& seen,
                                                     bool also_wanted) {
    std::vector<Action> out;
    std::size_t going = 0;
    for (const auto& entry : object.status.inventory) {
        const auto id = id_of(entry);
        const auto* thing = find(seen, id);
        if (is_wanted(thing) && !also_wanted) continue;
        if (thing && !thing->unknown.empty()) continue;
        // nobody looked at it in this run: whoever deletes looks first
        if (!thing) {
            out.push_back({Action::Verb::delete_, id, entry.api_version});
            continue;
        }
        if (!thing->exists || !thing->ours || thing->kept) continue;
        if (thing->health.state == Health::State::terminating)
            ++going;
        else
            out.push_back({Action::Verb::delete_, id, entry.api_version, {}, thing->uid});
    }
    std::ranges::sort(out, std::greater(), [](const Action& one) { return place_of(one.id); });
    return {std::move(out), going};
}

Plan plan_of(const crd::GitSource& object, const Snapshot& seen) {
    Plan out;
    const auto* repository = find(seen, {});
    if (repository && repository->fetched) out.fetched = &*repository->fetched;
    const bool usable = out.fetched && !out.fetched->commit.empty() && out.fetched->faults.empty();
    out.inventory = inventory_of(object, seen, usable && !object.spec.suspend);
    if (object.spec.suspend) {
        out.standing = Standing::suspended;
        return out;
    }
    if (!usable) {
        out.standing = out.fetched && !out.fetched->faults.empty() ? Standing::refused : Standing::unknown;
        return out;
    }
    for (const auto& [id, thing] : seen) out.deferred += thing.wanted && thing.deferred;
    if (object.spec.prune) {
        auto [actions, going] = removals(object, seen, false);
        out.prune = std::move(actions);
        out.going = going;
        const auto most = static_cast<std::size_t>(std::max(object.spec.max_deletions_per_commit, 0));
        out.confirmed = out.prune.size() <= most || is_confirmed(object, out.fetched->commit);
    }
    out.standing = is_stored(object, out.fetched->commit, seen) ? Standing::open : Standing::unwritten;
    out.apply = to_apply(seen);
    return out;
}

}  // namespace ocim::gitops
