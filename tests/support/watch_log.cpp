#include "support/watch_log.hpp"

#include <algorithm>

namespace ocim::test {

namespace {

std::string describe(const WatchEvent& event) {
    constexpr const char* types[] = {"ADDED", "MODIFIED", "DELETED"};
    return std::string(types[static_cast<int>(event.type)]) + " " + event.key + " value " +
           std::to_string(event.value) + " at " + std::to_string(event.revision);
}

/// One watcher by himself: each event makes sense after those before it.
std::string senseless(const std::vector<WatchEvent>& events, std::map<std::string, std::uint64_t>& state) {
    std::uint64_t last = 0;
    for (const auto& event : events) {
        if (event.revision <= last) return "after revision " + std::to_string(last) + " comes " + describe(event);
        last = event.revision;
        const bool known = state.contains(event.key);
        const bool right = event.type == WatchEvent::Type::added ? !known : known;
        if (!right) return describe(event) + (known ? ", which was there" : ", which was not there");
        if (event.type == WatchEvent::Type::deleted)
            state.erase(event.key);
        else
            state[event.key] = event.value;
    }
    return {};
}

}  // namespace

std::string violation_of(const std::vector<std::vector<WatchEvent>>& watchers, const std::vector<Committed>& writes,
                         const std::map<std::string, std::uint64_t>& state) {
    for (std::size_t i = 0; i < watchers.size(); ++i) {
        const auto who = "watcher " + std::to_string(i) + ": ";
        const auto& events = watchers[i];
        std::map<std::string, std::uint64_t> sum;
        if (auto wrong = senseless(events, sum); !wrong.empty()) return who + wrong;
        if (sum != state) return who + "its events do not add up to what is there";
        for (const auto& write : writes) {
            const auto found = std::ranges::lower_bound(events, write.revision, {}, &WatchEvent::revision);
            const bool seen = found != events.end() && found->revision == write.revision && found->key == write.key &&
                              found->value == write.value;
            if (!seen)
                return who + "the write of " + write.key + " value " + std::to_string(write.value) + " at " +
                       std::to_string(write.revision) + " is missing";
        }
        const auto [mine, first] = std::ranges::mismatch(events, watchers.front());
        if (mine != events.end()) return who + "saw " + describe(*mine) + ", which the first one did not";
        if (first != watchers.front().end()) return who + "missed " + describe(*first);
    }
    return {};
}

}  // namespace ocim::test
