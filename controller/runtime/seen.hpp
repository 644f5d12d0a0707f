#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace ocim::runtime {

/// What we know of one backend: the last observation, and over it what our own actions have changed since.
///
/// Order is counted, not timed. An observation that began before an action ended does not replace what that action
/// said of its key: it may have looked before or after the effect.
template <class Key, std::equality_comparable Thing>
class Seen {
public:
    using Map = std::map<Key, Thing>;

    /// What is there, as far as we know; nothing at all before the first observation.
    const Map& things() const { return things_; }
    bool known() const { return known_; }

    /// The next moment in the order of what happens to this backend.
    std::uint64_t tick() { return ++moment_; }

    /// An action has ended just now and says what its key holds.
    void fold(const Key& key, const std::optional<Thing>& now) {
        acted_[key] = tick();
        set(key, now ? &*now : nullptr);
    }

    /// Takes an observation that began at the moment `began`. True when it changes what we know.
    bool observed(Map found, std::uint64_t began) {
        for (auto it = acted_.begin(); it != acted_.end();) {
            if (it->second < began) {
                it = acted_.erase(it);
                continue;
            }
            keep(it->first, found);
            ++it;
        }
        const bool first = !known_;
        news_.clear();
        if (!first) news_ = differences(things_, found);
        for (const auto& key : news_) changed_[key] = moment_;
        const bool changed = first || !news_.empty();
        if (changed) things_ = std::move(found);
        known_ = true;
        began_ = began;
        return changed;
    }
    /// What the last observation has shown to be something else, unless it was the first.
    const std::vector<Key>& news() const { return news_; }

    /// The moment at which the newest complete observation began; 0 before the first.
    std::uint64_t began() const { return began_; }
    /// The moment of the last change of that key; the same as long as what is there stays the same.
    std::uint64_t changed(const Key& key) const {
        const auto found = changed_.find(key);
        return found == changed_.end() ? 0 : found->second;
    }
    /// How often results of actions have made what we know something else.
    std::uint64_t folded() const { return folded_; }
    /// Another System looks from here on: what was seen stays, but it is no longer known.
    void forget() { known_ = false; }

private:
    void keep(const Key& key, Map& found) const {
        const auto ours = things_.find(key);
        if (ours == things_.end())
            found.erase(key);
        else
            found.insert_or_assign(key, ours->second);
    }
    void set(const Key& key, const Thing* now) {
        const auto held = things_.find(key);
        if (now ? held != things_.end() && held->second == *now : held == things_.end()) return;
        changed_[key] = moment_;
        ++folded_;
        if (now)
            things_.insert_or_assign(key, *now);
        else
            things_.erase(held);
    }
    /// Both are in the same order: one walk.
    static std::vector<Key> differences(const Map& before, const Map& after) {
        std::vector<Key> out;
        auto old = before.begin();
        auto now = after.begin();
        while (old != before.end() || now != after.end()) {
            if (now == after.end() || (old != before.end() && old->first < now->first)) {
                out.push_back((old++)->first);
            } else if (old == before.end() || now->first < old->first) {
                out.push_back((now++)->first);
            } else {
                if (!(old->second == now->second)) out.push_back(now->first);
                ++old;
                ++now;
            }
        }
        return out;
    }

    Map things_;
    std::map<Key, std::uint64_t> acted_;    // when the last action on a key ended
    std::map<Key, std::uint64_t> changed_;  // when what is there last became something else
    std::vector<Key> news_;
    std::uint64_t moment_ = 0, began_ = 0, folded_ = 0;
    bool known_ = false;
};

}  // namespace ocim::runtime
