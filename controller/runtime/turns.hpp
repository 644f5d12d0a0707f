#pragma once

#include "runtime/cache.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ocim::runtime {

/// Of some things only so many may be under way at a time, whichever backends they are in. What one object says of it.
struct Turn {
    std::string of;          ///< what has the places: "Cloud demo"
    std::size_t limit = 0;   ///< how many places that are
    std::string bound;       ///< where the limit is declared, for people: "spec.maxConcurrentRuns of Cloud demo"
    bool under_way = false;  ///< it has begun and has not ended
    bool operator==(const Turn&) const = default;
};

/// Who has a place and who waits for one, the oldest first. Sans-I/O; what it knows is in the objects and their things,
/// and is gathered anew after a restart.
class Turns {
public:
    /// It is under way, whether or not there was a place.
    void hold(const ObjectKey& key, const std::string& of);
    /// Wants to begin. True: it has a place. Otherwise it waits: who asks is served before who is younger, by
    /// `created`. `unknown` others may be under way.
    bool take(const ObjectKey& key, const Turn& turn, const std::string& created, std::size_t unknown);
    /// Needs no place, or no more.
    void leave(const ObjectKey& key);
    /// Waits no longer, because something else keeps it; a place that it has stays its.
    void stop_waiting(const ObjectKey& key);

    bool holds(const ObjectKey& key) const;
    std::size_t taken(const std::string& of) const;
    /// Who may find a place now that somebody left; told once.
    std::vector<ObjectKey> take_next();

private:
    struct Place {
        std::string of, created;
        bool held = false;
    };
    std::size_t ahead_of(const ObjectKey& key, const Place& place) const;
    void wake_oldest(const std::string& of);

    std::map<ObjectKey, Place> places_;
    std::vector<ObjectKey> next_;
};

}  // namespace ocim::runtime
