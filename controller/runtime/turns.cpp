#include "runtime/turns.hpp"

#include <algorithm>
#include <tuple>

namespace ocim::runtime {

void Turns::hold(const ObjectKey& key, const std::string& of) {
    auto& place = places_[key];
    place.of = of;
    place.held = true;
}

bool Turns::take(const ObjectKey& key, const Turn& turn, const std::string& created, std::size_t unknown) {
    auto& place = places_[key];
    if (place.held) return true;
    place.of = turn.of;
    place.created = created;
    if (taken(turn.of) + unknown + ahead_of(key, place) >= turn.limit) return false;
    place.held = true;
    wake_oldest(turn.of);  // there may be room for another
    return true;
}

void Turns::leave(const ObjectKey& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    const auto of = found->second.of;
    places_.erase(found);
    wake_oldest(of);
}

void Turns::stop_waiting(const ObjectKey& key) {
    if (!holds(key)) leave(key);
}

bool Turns::holds(const ObjectKey& key) const {
    const auto found = places_.find(key);
    return found != places_.end() && found->second.held;
}

std::size_t Turns::taken(const std::string& of) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(places_, [&](const auto& item) { return item.second.held && item.second.of == of; }));
}

std::size_t Turns::ahead_of(const ObjectKey& key, const Place& place) const {
    return static_cast<std::size_t>(std::ranges::count_if(places_, [&](const auto& item) {
        return !item.second.held && item.second.of == place.of &&
               std::tie(item.second.created, item.first) < std::tie(place.created, key);
    }));
}

void Turns::wake_oldest(const std::string& of) {
    const ObjectKey* oldest = nullptr;
    const Place* its = nullptr;
    for (const auto& [key, place] : places_) {
        if (place.held || place.of != of) continue;
        if (its && std::tie(its->created, *oldest) < std::tie(place.created, key)) continue;
        oldest = &key;
        its = &place;
    }
    if (oldest && std::ranges::find(next_, *oldest) == next_.end()) next_.push_back(*oldest);
}

std::vector<ObjectKey> Turns::take_next() { return std::exchange(next_, {}); }

}  // namespace ocim::runtime
