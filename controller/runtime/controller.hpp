#pragma once

#include "runtime/adapter.hpp"
#include "runtime/debug.hpp"
#include "runtime/engine.hpp"
#include "runtime/queue.hpp"
#include "runtime/state_metrics.hpp"

#include <map>
#include <optional>
#include <string>

namespace ocim::runtime {

/// The part that both drivers share: a kind's queue, its visits, and who is visited when something changes.
class Controller {
public:
    using Priority = WorkQueue::Priority;

    Controller(Engine& engine, const KindAdapter& adapter);
    virtual ~Controller() = default;
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    const KindAdapter& adapter() const { return adapter_; }
    const api::Kind& kind() const { return kind_; }

    /// Something in the cache is different.
    void changed(const Change& change, Priority priority);
    /// Every object of a kind is known now: who refers to one decides again.
    void wake_dependents(const api::Kind& kind);
    /// Serves the queue until it is cancelled.
    awaitable<void> run();
    /// Starts no visit from now on.
    void drain() { draining_ = true; }
    /// No visit is under way, and none is due before `horizon`.
    bool settled(Instant horizon) const;
    /// Ends visits under way and everything else; drain() came before.
    virtual awaitable<void> stop();

    void add(const ObjectKey& key, Priority priority);
    /// With Settings::planning: visits those that somebody asks about.
    void add_concerned();
    void add_at(const ObjectKey& key, Instant when, Priority priority = Priority::low);

    // --- for people who ask (debug.hpp)
    const std::string& name() const { return name_; }
    api::json::object describe_queue(const DebugTimes& times) const;
    /// What is known of one object besides what the API server has; nothing when there is no such object.
    std::optional<api::json::object> describe_object(const ObjectKey& key, const DebugTimes& times) const;
    /// The first object after that one.
    std::optional<ObjectKey> object_after(const std::optional<ObjectKey>& key) const;

protected:
    virtual void describe_more(const ObjectKey&, const DebugTimes&, api::json::object&) const {}
    /// What all log lines of the visit under way have in common.
    std::string reconcile_id(const ObjectKey& key) const;
    void note_error(const ObjectKey& key, Outcome outcome);

    /// What one visit came to.
    struct Visited {
        std::optional<Duration> again_after;
    };
    virtual awaitable<Result<Visited>> visit(ObjectKey key) = 0;
    /// An object of our kind is different, `facts` of it are in; null: it is gone.
    virtual void own_changed(const ObjectKey& key, const ObjectPtr& object, const Result<ObjectFacts>* facts) = 0;
    /// An object of any other kind is different.
    virtual void other_changed(const Change& change, Priority priority) = 0;
    /// With Settings::planning: whether somebody asks about the object.
    bool concerns(const Json& object, const ObjectFacts& facts) const;

    /// What the object says of itself; null when it is not in the cache.
    const Result<ObjectFacts>* facts(const ObjectKey& key) const;
    ClaimIndex::Claimant claimant(const Json& object) const;
    /// Fills `inputs` with what the object needs, and with what only these name.
    std::optional<Lacking> look_up(const Json& object, const ObjectFacts& facts, Inputs& inputs);
    std::optional<Verdict> lost_claim(const Json& object, const ObjectFacts& facts) const;
    /// What would have been refused when the object was written, had anybody been there to refuse it: a cluster's API
    /// server does not ask us, and ours cannot tell before what the object needs is there.
    std::optional<Verdict> unfit(const Json& object, Inputs& inputs) const;
    void note(const Json& object, bool warning, std::string reason, std::string action, std::string text);

    Engine& engine_;
    const KindAdapter& adapter_;
    const api::Kind kind_;
    const std::string name_, finalizer_, field_manager_;
    WorkQueue queue_;
    StatusWriter statuses_;

private:
    struct Instruments {
        prometheus::Counter &success, &error, &requeue_after, &errors, &panics;
        prometheus::Gauge& active;
        prometheus::Histogram& seconds;
    };
    static Instruments instruments(const std::string& name, Engine& engine);

    void index(const Change& change);
    void index_needs(const ObjectKey& key, const Result<ObjectFacts>& said);
    /// The object needs these as well; what was said before of it is forgotten.
    void set_further_needs(const ObjectKey& key, std::vector<Reference> further);
    awaitable<void> visit_one(std::string key);
    void settle(const std::string& key, const Result<Visited>& result, Instant began);

    Instruments metrics_;
    std::optional<StalledMetric> stalled_;  // nothing: somebody else answers for the objects
    std::map<ObjectKey, Result<ObjectFacts>> facts_;
    std::map<ObjectKey, std::vector<Reference>> further_needs_;
    ReferenceIndex references_;
    std::map<std::string, std::uint64_t> reconcile_numbers_;  // of the visits under way
    std::uint64_t last_reconcile_ = 0;
    bool draining_ = false;
    Signal wake_;
    TaskGroup visits_;
};

}  // namespace ocim::runtime
