#include "runtime/index.hpp"

#include <tuple>
#include <utility>

namespace ocim::runtime {

namespace {

std::string place(const std::string& kind, const std::string& namespace_, const std::string& name) {
    return kind + '\n' + namespace_ + '\n' + name;
}
/// Of those that have a value in a field. No name begins with a line's end.
std::string place_of_value(const std::string& kind, const std::string& namespace_, const std::string& field,
                           const std::string& value) {
    return place(kind, namespace_, '\n' + field + '\n' + value);
}

}  // namespace

void ReferenceIndex::set(const std::string& dependent, const std::vector<Reference>& references) {
    if (const auto old = places_.extract(dependent))
        for (const auto& where : old.mapped()) {
            const auto held = dependents_.find(where);
            if (held == dependents_.end()) continue;
            held->second.erase(dependent);
            if (held->second.empty()) dependents_.erase(held);
        }
    if (references.empty()) return;
    auto& places = places_[dependent];
    for (const auto& reference : references) {
        const auto kind = kind_id(reference.kind);
        if (reference.name.empty() && !reference.field.empty()) {
            fields_[kind].insert(reference.field);
            places.push_back(place_of_value(kind, reference.namespace_, reference.field, reference.value));
        } else {
            places.push_back(place(kind, reference.namespace_, reference.name));
        }
        dependents_[places.back()].insert(dependent);
    }
}

void ReferenceIndex::add_to(const std::string& place, std::set<std::string>& out) const {
    if (const auto held = dependents_.find(place); held != dependents_.end())
        out.insert(held->second.begin(), held->second.end());
}

std::set<std::string> ReferenceIndex::dependents(const Change& change) const {
    std::set<std::string> out;
    const auto& [namespace_, name] = change.key;
    add_to(place(change.kind, namespace_, name), out);
    add_to(place(change.kind, namespace_, ""), out);
    add_to(place(change.kind, "", ""), out);
    const auto narrowed = fields_.find(change.kind);
    if (narrowed == fields_.end()) return out;
    for (const auto& field : narrowed->second)
        for (const auto* object : {change.before.get(), change.after.get()}) {
            if (!object) continue;
            for (const auto& value : texts_at(*object, field)) {
                add_to(place_of_value(change.kind, namespace_, field, value), out);
                add_to(place_of_value(change.kind, "", field, value), out);
            }
        }
    return out;
}

std::set<std::string> ReferenceIndex::dependents(const std::string& kind) const {
    std::set<std::string> out;
    const auto prefix = kind + '\n';
    for (auto it = dependents_.lower_bound(prefix); it != dependents_.end() && it->first.starts_with(prefix); ++it)
        out.insert(it->second.begin(), it->second.end());
    return out;
}

bool ClaimIndex::Older::operator()(const Claimant& a, const Claimant& b) const {
    return std::tuple(a.created, !a.begun, a.uid, a.kind_id, a.key) <
           std::tuple(b.created, !b.begun, b.uid, b.kind_id, b.key);
}

std::vector<ClaimIndex::Claimant> ClaimIndex::set(const Claimant& who, const std::vector<Claim>& claims) {
    std::set<std::string> keys;
    for (const auto& claim : claims) keys.insert(claim.key);
    const std::pair id{who.kind_id, who.key};
    std::vector<Claimant> others;
    const auto note = [&](const std::set<Claimant, Older>& claimants) {
        for (const auto& other : claimants)
            if (!other.same_object(who)) others.push_back(other);
    };
    const auto known = entries_.find(id);
    if (known != entries_.end()) {
        const auto& old = known->second;
        const Older older;
        if (old.keys == keys && !older(old.who, who) && !older(who, old.who)) return others;
        for (const auto& key : old.keys) {
            auto& claimants = claimants_[key];
            claimants.erase(old.who);
            note(claimants);
            if (claimants.empty()) claimants_.erase(key);
        }
        entries_.erase(known);
    }
    if (keys.empty()) return others;
    for (const auto& key : keys) {
        auto& claimants = claimants_[key];
        note(claimants);
        claimants.insert(who);
    }
    entries_.emplace(id, Entry{who, std::move(keys)});
    return others;
}

std::optional<ClaimIndex::Lost> ClaimIndex::lost(const Claimant& who, const std::vector<Claim>& claims) const {
    for (const auto& claim : claims) {
        const auto* first = holder(claim.key);
        if (first && !first->same_object(who)) return Lost{claim, *first};
    }
    return std::nullopt;
}

const ClaimIndex::Claimant* ClaimIndex::holder(const std::string& claim) const {
    const auto found = claimants_.find(claim);
    return found == claimants_.end() ? nullptr : &*found->second.begin();
}

Inputs::Holders ClaimIndex::others(std::string kind_id, ObjectKey key) const {
    return [this, kind_id = std::move(kind_id), key = std::move(key)](const std::string& claim) {
        const auto* first = holder(claim);
        if (!first || (first->kind_id == kind_id && first->key == key)) return std::optional<std::string>();
        return std::optional(held_by(*first, key.namespace_));
    };
}

std::string held_by(const ClaimIndex::Claimant& holder, const std::string& namespace_) {
    if (!holder.key.namespace_.empty() && holder.key.namespace_ != namespace_)
        return "another object of this installation";
    return holder.kind + " \"" + holder.key.name + "\"";
}

}  // namespace ocim::runtime
