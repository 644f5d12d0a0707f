#pragma once

#include "api/json.hpp"
#include "base/clock.hpp"

#include <optional>
#include <string>

/// What an object's conditions and events mean for a person. Pure.
namespace ocim::cli {

/// How an object stands.
struct Standing {
    bool ready = false;    ///< or has no conditions: it is enough that it is there
    bool stalled = false;  ///< nothing is tried until somebody changes something
    bool paused = false;
    std::string reason, message;
    std::optional<WallTime> since;
};
Standing standing_of(const api::Json& object);

/// It is not ready for longer than anything may need that goes on by itself. Not what is paused.
bool is_overdue(const Standing& standing, WallTime now);

/// The newest of what was done for an object, of its events.
struct LastCall {
    WallTime at{};
    bool failed = false;
    std::string what;  ///< what it was, and the answer if it failed
    std::int64_t times = 1;
};
/// `events`: a list of core events. `uid`: whose.
std::optional<LastCall> last_call(const api::Json& events, std::string_view uid);

/// When it is tried again, in words. `waits`: on something that is not ready itself.
std::string next_try(const Standing& standing, const std::optional<LastCall>& last, bool waits, WallTime now);
/// Who must do something, in words. `name`: "dnsrecord/www -n school".
std::string who_must_act(const Standing& standing, bool waits, const std::string& backend, const std::string& name,
                         WallTime now);

}  // namespace ocim::cli
