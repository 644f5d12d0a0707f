#pragma once

#include "runtime/adapter.hpp"
#include "runtime/cache.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

namespace ocim::runtime {

/// Actions that wait for company before they go out as one call. Pure: time comes in as an argument.
class Batch {
public:
    struct Item {
        ObjectKey object;
        PlannedAction action;
    };
    /// The first waits `wait` for company; while more arrive, up to `wait_max`.
    Batch(Duration wait, Duration wait_max) : wait_(wait), wait_max_(wait_max) {}

    /// The actions of one object stay together and in order.
    void add(const ObjectKey& object, std::vector<PlannedAction> actions, Instant now) {
        if (groups_.empty()) first_ = now;
        last_ = now;
        std::vector<Item> group;
        for (auto& action : actions) group.push_back({object, std::move(action)});
        groups_.push_back(std::move(group));
    }
    /// When it should go; nothing when it is empty.
    std::optional<Instant> due() const {
        if (groups_.empty()) return std::nullopt;
        return std::min(first_ + wait_max_, last_ + wait_);
    }
    /// At most about `most` actions, oldest first, whole objects only. What is left has waited already.
    std::vector<Item> take(std::size_t most) {
        std::vector<Item> out;
        while (!groups_.empty() && (out.empty() || out.size() + groups_.front().size() <= most)) {
            for (auto& item : groups_.front()) out.push_back(std::move(item));
            groups_.pop_front();
        }
        return out;
    }
    /// Everything, because it will not go.
    std::vector<Item> take_all() { return take(~std::size_t{0}); }
    bool empty() const { return groups_.empty(); }
    std::size_t size() const {
        std::size_t out = 0;
        for (const auto& group : groups_) out += group.size();
        return out;
    }

private:
    Duration wait_, wait_max_;
    std::deque<std::vector<Item>> groups_;
    Instant first_{}, last_{};
};

}  // namespace ocim::runtime
