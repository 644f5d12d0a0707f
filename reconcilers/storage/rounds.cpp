#include "storage/rounds.hpp"

#include <algorithm>

namespace ocim::storage {

std::vector<std::string> Rounds::due(const std::map<std::string, std::string>& listed) {
    std::erase_if(known_, [&](const auto& item) {
        return item.second.certain && !item.second.thing && !listed.contains(item.first);
    });
    for (auto& [name, known] : known_) known.listed = false;
    for (const auto& [name, stamp] : listed) {
        auto& known = known_[name];
        known.listed = true;
        // what we made was not in the listing yet, and has no stamp of ours
        if (known.stamp != stamp && !(known.certain && known.stamp.empty())) known.certain = false;
        known.stamp = stamp;
    }
    std::vector<std::string> out;
    std::vector<std::pair<std::uint64_t, std::string>> again;
    for (const auto& [name, known] : known_) {
        const bool missing = !listed.contains(name), ghost = known.certain && !known.thing;
        if (!known.certain || missing || ghost)
            out.push_back(name);
        else
            again.emplace_back(known.asked, name);
    }
    const auto count = std::min(again_max_, again.size());
    std::ranges::partial_sort(again, again.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < count; ++i) out.push_back(std::move(again[i].second));
    return out;
}

void Rounds::looked(const std::string& name, std::optional<Thing> thing, std::uint64_t began) {
    auto& known = known_[name];
    if (known.touched > began) return;
    if (thing && thing->locked && known.listed) {
        if (!known.thing) known.thing.emplace();
        known.thing->unseen = locked_here;
        known.certain = !known.thing->mark;  // what was ours is asked for until it shows; the others have their turn
    } else {
        known.thing = std::move(thing);
        known.certain = true;
    }
    known.asked = ++tick_;
}

bool Rounds::listed(const std::string& name) const {
    const auto found = known_.find(name);
    return found != known_.end() && found->second.listed;
}

void Rounds::unseen(const std::string& name, const std::string& why, std::uint64_t began) {
    auto& known = known_[name];
    if (known.touched > began) return;
    if (!known.thing) known.thing.emplace();
    known.thing->unseen = why;
    known.certain = false;
}

void Rounds::touch(const std::string& name) {
    auto& known = known_[name];
    known.certain = false;
    known.touched = ++tick_;
}

void Rounds::made(const std::string& name, const std::optional<Thing>& thing) {
    auto& known = known_[name];
    known.thing = thing;
    known.certain = true;
    known.stamp.clear();
    known.touched = known.asked = ++tick_;
}

Snapshot Rounds::all() const {
    Snapshot out;
    for (const auto& [name, known] : known_)
        if (known.thing) out.emplace(Key{name}, *known.thing);
    return out;
}

}  // namespace ocim::storage
