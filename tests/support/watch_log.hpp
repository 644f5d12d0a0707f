#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What watchers saw, against what was written and against each other.
namespace ocim::test {

struct WatchEvent {
    enum class Type { added, modified, deleted };
    Type type = Type::added;
    std::string key;
    std::uint64_t revision = 0;
    std::uint64_t value = 0;

    bool operator==(const WatchEvent&) const = default;
};

/// A write that was acknowledged.
struct Committed {
    std::string key;
    std::uint64_t revision = 0;
    std::uint64_t value = 0;
};

/// Empty when every watcher saw every change exactly once, in the order of revisions, and as the same thing; else what
/// is wrong. All began on an empty collection and read up to the same revision. `state` is what is there then.
std::string violation_of(const std::vector<std::vector<WatchEvent>>& watchers, const std::vector<Committed>& writes,
                         const std::map<std::string, std::uint64_t>& state);

}  // namespace ocim::test
