#pragma once

#include "cli/connection.hpp"
#include "cli/standing.hpp"

#include <optional>
#include <string>

/// What the controllers themselves know of an object: from the pages below /debug, where there are any and we may see
/// them.
namespace ocim::cli {

/// What a controller is about to do with one object, or with one backend. Times are exact.
struct Insight {
    std::string doing{};  ///< an action that is under way
    std::optional<WallTime> doing_since{};
    std::optional<WallTime> next_try{};    ///< when the object is decided about again
    std::optional<WallTime> next_look{};   ///< when its backend is looked at again, which may change it
    std::optional<WallTime> next_probe{};  ///< when its backend, which does not work, is asked again
    bool awaits_look = false;              ///< nothing is decided before the next look
    std::optional<LastCall> last{};        ///< to the outside, with its answer
};

/// Of one item of /debug/objects. Pure.
Insight insight_of_object(const api::Json& row);
/// Of the items of /debug/backends that are about one backend: the earliest probe, the newest call. Pure.
Insight insight_of_backend(const api::json::array& rows);

/// When it is tried again, in words: exactly. Nothing: the controllers do not know better than its conditions.
std::optional<std::string> next_try(const Standing& standing, const Insight& insight, bool waits, WallTime now);

/// Asks a server for it. Once refused it does not ask again.
class Insights {
public:
    explicit Insights(Connection& server) : server_(server) {}
    std::optional<Insight> of(const std::string& kind, const std::string& namespace_, const std::string& name);

private:
    std::optional<api::json::array> rows(const std::string& page, const std::string& query);

    Connection& server_;
    bool refused_ = false;
};

}  // namespace ocim::cli
