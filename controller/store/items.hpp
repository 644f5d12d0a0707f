#pragma once

#include "store/store.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <map>
#include <string>
#include <string_view>

/// What the store holds now; room-internal.
namespace ocim::store {

/// So that a map of strings can be asked with a view.
struct HashOfText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// By key: in order for those who list, and by a hash for those who ask for one, who would otherwise compare the long
/// common beginnings of keys again and again.
class Items {
public:
    using Ordered = std::map<std::string, Item, std::less<>>;
    const Ordered& ordered() const { return ordered_; }
    std::size_t size() const { return ordered_.size(); }

    const Item* find(std::string_view key) const {
        const auto found = by_hash_.find(key);
        return found == by_hash_.end() ? nullptr : &found->second->second;
    }
    void put(const std::string& key, Item item) {
        const auto found = by_hash_.find(key);
        if (found != by_hash_.end()) {
            found->second->second = std::move(item);
            return;
        }
        const auto at = ordered_.emplace(key, std::move(item)).first;
        by_hash_.emplace(at->first, at);
    }
    /// Those that come in order.
    void append(std::string key, Item item) {
        const auto at = ordered_.emplace_hint(ordered_.end(), std::move(key), std::move(item));
        by_hash_.emplace(at->first, at);
    }
    void erase(std::string_view key) {
        const auto found = by_hash_.find(key);
        if (found == by_hash_.end()) return;
        const auto at = found->second;
        by_hash_.erase(found);  // first: its key is the other's
        ordered_.erase(at);
    }
    void expect(std::size_t count) { by_hash_.reserve(count); }

private:
    Ordered ordered_;
    boost::unordered_flat_map<std::string_view, Ordered::iterator, HashOfText, std::equal_to<>> by_hash_;
};

}  // namespace ocim::store
