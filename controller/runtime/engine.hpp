#pragma once

#include "runtime/cache.hpp"
#include "runtime/conditions.hpp"
#include "runtime/events.hpp"
#include "runtime/index.hpp"
#include "runtime/informers.hpp"
#include "runtime/last_errors.hpp"
#include "runtime/manager.hpp"

namespace ocim::runtime {

/// What all drivers of one manager share. The loop's.
struct Engine {
    Engine(boost::asio::any_io_executor loop_, client::Client& client_, Clock& clock_, Random& random_,
           Metrics& metrics_, BlockingPool& blocking_, Manager::Settings settings_)
        : loop(std::move(loop_)),
          client(client_),
          clock(clock_),
          random(random_),
          metrics(metrics_),
          blocking(blocking_),
          settings(std::move(settings_)),
          informers(loop, client, clock, random, cache),
          events(client, clock, random, metrics),
          background(loop) {}

    boost::asio::any_io_executor loop;
    client::Client& client;
    Clock& clock;
    Random& random;
    Metrics& metrics;
    BlockingPool& blocking;
    Manager::Settings settings;
    std::string installation;
    Instant started{};
    bool muted = false;  ///< nobody is visited for what changes

    Cache cache;
    Informers informers;
    ClaimIndex claims;
    EventRecorder events;
    LastErrors errors;
    TaskGroup background;  // what systems do between calls

    Services services() {
        return {loop, clock, random, metrics, blocking, installation, settings.data_directory, &background};
    }
};

/// What a decision cannot have.
struct Lacking {
    bool unread = false;  ///< we do not know yet whether it exists; false: it does not
    bool soon = false;    ///< it is being read by its name: whoever needs it is woken, and nothing need be said
    Verdict verdict;
};
/// Fills `inputs` with what `references` name. Nothing lacking means all is there. A kind that is not watched yet is
/// watched from now on, and unread until it was listed.
std::optional<Lacking> resolve(Engine& engine, const std::vector<Reference>& references, Inputs& inputs);

// --- writes. Each folds its answer into the cache, so that the next look sees it. `writer` is who is not told.

/// Adds our finalizer, against the very version that `object` is. Error conflict: it has changed.
awaitable<Result<ObjectPtr>> add_finalizer(Engine& engine, api::Kind kind, ObjectPtr object, std::string finalizer,
                                           const void* writer);
/// Takes it off; ok when it is not there or the object is gone. What comes back is null when the object is gone.
awaitable<Result<ObjectPtr>> remove_finalizer(Engine& engine, api::Kind kind, ObjectPtr object, std::string finalizer,
                                              const void* writer);
bool has_finalizer(const Json& object, std::string_view finalizer);
bool is_deleting(const Json& object);
/// Which object made this one and keeps it; null for what a person made.
const Json* controller_reference(const Json& object);
/// metadata.annotations[name], or "".
std::string_view annotation(const Json& object, std::string_view name);

inline constexpr std::string_view group = "ocim.opencraft.com";
inline constexpr std::string_view paused_annotation = "ocim.opencraft.com/paused";
inline constexpr std::string_view abandon_annotation = "ocim.opencraft.com/abandon";
inline constexpr std::string_view reconcile_at_annotation = "ocim.opencraft.com/reconcile-at";
inline constexpr std::string_view in_use_finalizer = "ocim.opencraft.com/in-use";

/// Writes statuses by server-side apply, and only when they say something new.
class StatusWriter {
public:
    StatusWriter(Engine& engine, api::Kind kind, std::string field_manager, const void* writer)
        : engine_(engine), kind_(kind), field_manager_(std::move(field_manager)), writer_(writer) {}

    /// True when something was written. The object may be gone meanwhile: that is no error.
    awaitable<Result<bool>> write(ObjectPtr object, Standing standing);
    void forget(const ObjectKey& key) { last_.erase(key); }

private:
    Engine& engine_;
    api::Kind kind_;
    std::string field_manager_;
    const void* writer_;
    std::map<ObjectKey, Json> last_;  // what we applied last
};

}  // namespace ocim::runtime
