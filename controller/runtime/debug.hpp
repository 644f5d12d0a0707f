#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

/// What a running manager tells of itself when people look for the reason of something: queues, backends, caches and
/// the last errors. Names, times, counts and the texts of errors, which hold no secret; no spec, no data. Its shape is
/// described in docs/operations.md.
namespace ocim::runtime {

class Manager;

/// Monotonic time as people write it.
class DebugTimes {
public:
    explicit DebugTimes(const Clock& clock) : now_(clock.now()), wall_(clock.wall()) {}
    Instant now() const { return now_; }
    WallTime wall() const { return wall_; }
    std::string text(Instant when) const;
    /// Nothing where nothing is to be expected.
    void put(api::json::object& out, std::string_view field, std::optional<Instant> when) const;

private:
    Instant now_;
    WallTime wall_;
};

/// Which part of a page.
struct DebugQuery {
    static constexpr std::size_t limit_default = 250, limit_max = 1'000;  // rows: 1 ms to put together, some 0.5 MB

    std::string kind{}, namespace_{}, name{};  ///< of which objects or backends; empty: all
    std::size_t limit = limit_default;
    std::string after{};  ///< metadata.continue of the page before
};

inline constexpr std::array<std::string_view, 5> debug_pages{"backends", "caches", "errors", "objects", "queues"};

/// One page as a list: apiVersion, kind, metadata, time, items. `page` is one of debug_pages. Error invalid: `after`
/// cannot be read.
Result<api::json::object> debug_page(const Manager& manager, std::string_view page, const DebugQuery& query);

}  // namespace ocim::runtime
