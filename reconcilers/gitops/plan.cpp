#include "gitops/plan.hpp"

#include <algorithm>
#include <cstdint>
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

/// What is wanted, by the name that it has under each group it is served in.
std::set<std::string> wanted_uids(const Snapshot& seen) {
    std::set<std::string> out;
    for (const auto& [id, thing] : seen)
        if (thing.wanted && !thing.uid.empty()) out.insert(thing.uid);
    return out;
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
    const auto uids = with_wanted ? wanted_uids(seen) : std::set<std::string>();
    for (const auto& entry : object.status.inventory) {
        const auto id = id_of(entry);
        const auto* thing = find(seen, id);
        const bool is_another = thing && !thing->wanted && uids.contains(thing->uid);
        if (!is_over(thing) && !is_another)
            out.emplace(id, is_wanted(thing) ? entry_of(id, thing->api_version) : entry);
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

/// FNV-1a: tells sets of one commit apart; what cannot be forged is the name of the commit beside it.
std::string hash_of(std::vector<ObjectId> ids) {
    std::ranges::sort(ids);
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const auto& id : ids)
        for (const char one : id.group + "/" + id.text() + "\n") {
            hash ^= static_cast<unsigned char>(one);
            hash *= 0x100000001b3ULL;
        }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += digits[(hash >> shift) & 0xfU];
    return out;
}

bool takes_others_along(const ObjectId& id) {
    return (id.group.empty() && id.kind == "Namespace") ||
           (id.group == "apiextensions.k8s.io" && id.kind == "CustomResourceDefinition");
}

/// Whether somebody has to confirm what is to be pruned, and has. What was confirmed is stored before the first of it
/// goes: then it holds although there is less and less of it, as long as the same is wanted.
void judge_pruning(const crd::GitSource& object, const Snapshot& seen, Plan& plan) {
    if (plan.prune.empty()) return;
    std::vector<ObjectId> gone = plan.blind, wanted;
    for (const auto& action : plan.prune) gone.push_back(action.id);
    for (const auto& [id, thing] : seen)
        if (thing.wanted) wanted.push_back(id);
    const auto most = static_cast<std::size_t>(std::max(object.spec.max_deletions_per_commit, 0));
    const bool drastic = std::ranges::any_of(gone, takes_others_along);
    if (gone.size() <= most && !wanted.empty() && !drastic) return;
    plan.confirmation = plan.fetched->commit + "/" + hash_of(std::move(gone));
    const auto found = object.metadata.annotations.find(std::string(confirm_annotation));
    const auto said = found == object.metadata.annotations.end() ? std::string() : found->second;
    const auto stored = said + "/" + hash_of(std::move(wanted));
    const bool goes_on = said.starts_with(plan.fetched->commit + "/") && object.status.confirmed_deletions == stored;
    plan.confirmed = said == plan.confirmation || goes_on;
    if (plan.confirmed) plan.confirmed_as = stored;
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

Removals removals(const crd::GitSource& object, const Snapshot& seen, bool last) {
    Removals out;
    const auto uids = last ? std::set<std::string>() : wanted_uids(seen);
    for (const auto& entry : object.status.inventory) {
        const auto id = id_of(entry);
        const auto* thing = find(seen, id);
        if (is_wanted(thing) && !last) continue;
        const bool unknown = thing && !thing->unknown.empty();
        if (unknown) out.unknown.push_back(id);
        if (unknown && !last) continue;
        // nobody looked at it in this run: whoever deletes looks first
        if (!thing || unknown) {
            out.actions.push_back({Action::Verb::delete_, id, entry.api_version, {}, "", last});
            continue;
        }
        if (!thing->exists || !thing->ours || thing->kept || uids.contains(thing->uid)) continue;
        if (thing->health.state == Health::State::terminating)
            ++out.going;
        else
            out.actions.push_back({Action::Verb::delete_, id, entry.api_version, {}, thing->uid, last});
    }
    std::ranges::sort(out.actions, std::greater(), [](const Action& one) { return place_of(one.id); });
    return out;
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
    for (const auto& [id, thing] : seen) {
        out.deferred += thing.wanted && thing.deferred;
        if (thing.wanted && !thing.untried.empty()) out.untried.push_back(id.text() + ": " + thing.untried);
    }
    if (object.spec.prune) {
        auto rest = removals(object, seen, false);
        out.prune = std::move(rest.actions);
        out.going = rest.going;
        out.blind = std::move(rest.unknown);
        judge_pruning(object, seen, out);
    }
    const bool noted = object.status.confirmed_deletions.value_or("") == out.confirmed_as || out.confirmed_as.empty();
    const bool stored = noted && is_stored(object, out.fetched->commit, seen);
    out.standing = stored ? Standing::open : Standing::unwritten;
    // all of a commit or nothing; what it has of one that was applied may be put right one by one
    if (!out.untried.empty() && object.status.applied_commit != out.fetched->commit) out.standing = Standing::untried;
    out.apply = to_apply(seen);
    return out;
}

}  // namespace ocim::gitops
