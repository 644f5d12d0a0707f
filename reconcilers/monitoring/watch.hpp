#pragma once

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "runtime/kinds.hpp"
#include "runtime/mark.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

/// What watches sites, as Monitors see it.
namespace ocim::monitoring {

/// "namespace/name" of the Monitor.
struct Key {
    std::string monitor;
    auto operator<=>(const Key&) const = default;
};

/// What is asked, how often, and what counts as up.
struct Probe {
    std::string url, connect_to;
    bool verify = true;
    std::map<std::string, Secret> headers;
    std::optional<unsigned> expected_status;       ///< nothing: 200 to 399
    std::string body_contains{}, body_excludes{};  ///< "": whatever it is
    Duration interval{60'000}, timeout{10'000};
    bool enabled = true;
    unsigned alert_after = 3;  ///< failures in a row
    bool operator==(const Probe&) const = default;
};

struct Outcome {
    bool up = false;
    std::optional<unsigned> status;
    std::string message;
    WallTime at{};
    bool alert = false;                             ///< it has failed as often as alert_after says
    std::optional<WallTime> certificate_expires{};  ///< the first of those that it showed
    bool operator==(const Outcome&) const = default;
};

struct Thing {
    std::optional<runtime::Mark> mark;
    Probe probe;
    /// Changes when the site went up or down or says something else, and otherwise once a minute at most.
    std::optional<Outcome> last;
    bool operator==(const Thing&) const = default;
};

using Snapshot = std::map<Key, Thing>;

struct Action {
    enum class Verb { create, update, delete_ };
    Verb verb = Verb::create;
    Key key;
    runtime::Mark mark;
    Probe probe;
    bool operator==(const Action&) const = default;
};

using Watch = runtime::System<Key, Thing, Action>;

}  // namespace ocim::monitoring
