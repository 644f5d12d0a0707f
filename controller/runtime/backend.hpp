#pragma once

#include "runtime/batch.hpp"
#include "runtime/board.hpp"
#include "runtime/breaker.hpp"
#include "runtime/debug.hpp"
#include "runtime/orphans.hpp"
#include "runtime/queue.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ocim::runtime {

/// What one action came to.
struct Landed {
    PlannedAction action;
    Result<void> result;
};

/// Who has objects in a backend.
class BackendUser {
public:
    virtual ~BackendUser() = default;
    virtual void wake(const ObjectKey& object, WorkQueue::Priority priority) = 0;
    /// All actions that were submitted together for `object` have ended.
    virtual void landed(const ObjectKey& object, std::vector<Landed> actions) = 0;
    /// What was submitted for `object` did not go out and will not: decide again.
    virtual void withdrawn(const ObjectKey& object) = 0;
    /// The backend was opened anew: what the System remembered of what was done for `object` is forgotten.
    virtual void reopened(const ObjectKey& object) = 0;
    /// uids of all objects of the kind.
    virtual std::set<std::string> live_uids() const = 0;
    /// Whether there is an object "namespace/name", be it on its way out.
    virtual bool has_object(const std::string& namespace_name) const = 0;
};

/// One backend as one kind uses it: when to look, when to probe, which actions go out together, and who is told.
/// Every call to it starts here. The loop's.
class Backend {
public:
    /// `user` must outlive it.
    Backend(Engine& engine, BackendBoard& board, const ExternalAdapter& adapter, ObjectKey key, BackendUser& user);
    ~Backend();
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    const ObjectKey& key() const { return key_; }
    World& world() { return *world_; }
    const BackendSettings& settings() const { return settings_; }
    /// Why nothing can be worked on there; nothing when it can.
    std::optional<Trouble> trouble() const;
    bool exists() const { return exists_; }

    void join(const ObjectKey& object);
    void leave(const ObjectKey& object);
    bool empty() const { return objects_.empty(); }
    /// Work is waiting for it: it is probed more often.
    void set_busy(const ObjectKey& object, bool busy);

    /// What is there keeps `object` from being ready: it is woken when actions of others have changed that.
    void set_hopeful(const ObjectKey& object, bool hopeful);

    /// Wakes `object` after the next complete observation that begins at `when` or later and after the moment
    /// `after` (see World::tick).
    void await_observation(const ObjectKey& object, std::uint64_t after, Instant when);
    /// A complete observation soon, for whoever is woken by what it shows.
    void observe_by(Instant when);

    /// The results come by BackendUser::landed().
    void submit(const ObjectKey& object, std::vector<PlannedAction> actions);
    /// Until when a call of unknown outcome may still land on that key.
    std::optional<Instant> blocked_until(KeyId key) const;

    /// The backend object, or something that it needs, is different.
    void refresh();
    /// Something that it waits for may have come.
    void poke() { wake_.notify(); }
    bool needs_kind(const api::Kind& kind) const;
    bool refers_to(const std::string& kind, const ObjectKey& key) const;

    /// Whoever is in it knows what there is to know: it was looked at, or cannot be.
    bool settled() const;

    /// For people who ask.
    api::json::object describe(const DebugTimes& times) const;
    Instant next_observation() const { return observe_at_; }
    /// Whether `object` waits for a look.
    bool awaits_observation(const ObjectKey& object) const;
    Instant next_probe() const { return breaker_.next_probe(busy_ > 0); }

    /// Starts.
    void start();
    /// Starts no call from now on.
    void drain();
    /// Nobody will ask for it again; another one of the same name may take its place from now on. stop() follows.
    void retire();
    /// Waits for the calls in flight until `deadline`, then cancels them.
    awaitable<void> stop(Instant deadline);

private:
    class Flight;
    struct Member {
        bool busy = true;
        std::optional<std::uint64_t> awaits;  // an observation that begins after this moment
    };
    struct Instruments {
        prometheus::Gauge *up = nullptr, *orphans = nullptr;  // null for backends of somebody else
    };

    void forget_metrics();
    void note_call(std::string call, const Result<void>& result);
    api::json::object describe_cache(const DebugTimes& times) const;
    api::json::object describe_breaker(const DebugTimes& times) const;
    api::json::object describe_limits(const DebugTimes& times) const;
    LastErrors::Place place() const;
    void read(const Json& object);
    void cannot_open(bool stalled, std::string reason, std::string message);
    void hold_what_we_need();

    awaitable<void> run();
    std::optional<Instant> start_what_is_due(Instant now);
    std::optional<Instant> start_observation(Instant now);
    std::optional<Instant> start_actions(Instant now, std::size_t calls_max);
    bool has_room() const;
    bool ready_to_open(Instant now) const;
    void open(Instant now);
    void opened(const Result<void>& result, Instant now);

    awaitable<void> probe();
    awaitable<void> observe();
    void observed(const Result<News>& result, Instant began);
    void look_for_orphans(Instant now);
    void tell_orphans(const Orphans::Found& found);
    awaitable<void> fly(std::vector<Batch::Item> items);
    void account(const Landed& landed, const ObjectKey& object);
    void swept(const Landed& landed);
    std::optional<Instant> tell_hopeful(Instant now);
    void call_ended(Breaker::Call call, const Result<void>& result);
    void count(Breaker::Call call, const Result<void>& result);
    void learn(Breaker::Call call, const Result<void>& result);

    bool may_act() const;
    void note_trouble();
    void report();
    void wake_all(WorkQueue::Priority priority);
    void withdraw();

    Engine& engine_;
    BackendBoard& board_;
    const ExternalAdapter& adapter_;
    const ObjectKey key_;
    const std::string name_;  // "kind|backend", for the board
    BackendUser& user_;
    Instruments metrics_;
    std::set<KeyId> lapsing_;  // what the sweep under way drops because its time is over

    std::unique_ptr<World> world_;
    BackendSettings settings_;
    std::vector<Reference> needs_;
    bool exists_ = false, stalled_ = false;
    std::optional<std::size_t> opened_with_;  // fingerprint of the backend and its inputs; nothing: not opened
    std::optional<std::size_t> wanted_;       // the newest fingerprint; nothing: it cannot be opened
    unsigned open_failures_ = 0, observe_failures_ = 0;
    Instant open_at_{}, observe_at_{};
    std::optional<Trouble> open_trouble_, observe_trouble_, told_trouble_;

    std::map<ObjectKey, Member> objects_;
    std::set<ObjectKey> hopeful_;
    std::uint64_t told_folded_ = 0;  // of what is there, the hopeful ones know so much
    Instant tell_at_{};
    std::map<KeyId, Instant> blocked_;
    Breaker breaker_;
    Pace pace_;
    Batch batch_;
    Orphans orphans_;
    std::size_t orphan_count_ = 0;
    std::optional<WallTime> last_observed_;
    std::map<std::string, Outcome> last_calls_;  // by call
    api::json::object more_;                     // of what was seen last, for the status

    std::uint64_t observing_from_ = 0;  // the moment before the last observation began
    bool probing_ = false, observing_ = false, draining_ = false, retired_ = false;
    bool actions_first_ = false;  // a look was the last to go
    bool sweeping_ = false, told_too_many_ = false;
    std::size_t acting_ = 0, busy_ = 0;
    Signal wake_;
    TaskGroup loop_, calls_;
};

}  // namespace ocim::runtime
