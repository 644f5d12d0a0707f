#include "runtime/backend.hpp"

#include "base/log.hpp"
#include "runtime/queue.hpp"

#include <boost/system/system_error.hpp>

/// The calls of a backend: what goes out, and what is made of the answers.
namespace ocim::runtime {

using namespace std::chrono_literals;
using Priority = WorkQueue::Priority;

namespace {

constexpr Duration observe_retry_min = 1s, observe_retry_max = 30s;

std::string call_name(Breaker::Call call) {
    switch (call) {
        case Breaker::Call::probe: return "probe";
        case Breaker::Call::observe: return "observe";
        case Breaker::Call::act: return "act";
    }
    return "act";
}

std::string result_name(const Result<void>& result) {
    return result ? "success" : std::string(name_of(result.error().error_class));
}

/// `work` within `limit`; an exception that is no cancellation becomes an error.
template <class T>
awaitable<Result<T>> bounded(Clock& clock, Duration limit, std::string what, awaitable<Result<T>> work) {
    std::string broken;
    try {
        co_return co_await with_deadline(clock, limit, std::move(what), std::move(work));
    } catch (const boost::system::system_error&) { throw; } catch (const std::exception& error) {
        broken = error.what();
    }
    Error error{ErrorClass::transient, "internal error: " + broken};
    error.outcome_unknown = true;
    co_return error;
}

}  // namespace

/// Actions on their way, and the results so far. An object is told when all of its own are in.
class Backend::Flight final : public ActionResults {
public:
    Flight(Backend& backend, std::vector<Batch::Item> items) : backend_(backend), items_(std::move(items)) {
        results_.resize(items_.size());
        for (const auto& item : items_) ++open_[item.object];
    }

    std::vector<PlannedAction> actions() const {
        std::vector<PlannedAction> out;
        for (const auto& item : items_) out.push_back(item.action);
        return out;
    }

    void set(std::size_t action, Result<void> result) override {
        assert(action < items_.size());
        if (results_[action]) return;  // the first answer counts
        results_[action] = std::move(result);
        const auto& object = items_[action].object;
        backend_.account({items_[action].action, *results_[action]}, object);
        if (--open_[object] == 0) land(object);
    }
    /// Whatever has no result yet never will have one.
    void close(const Error& why) {
        for (std::size_t i = 0; i < items_.size(); ++i)
            if (!results_[i]) set(i, why);
    }

private:
    void land(const ObjectKey& object) {
        std::vector<Landed> all;
        for (std::size_t i = 0; i < items_.size(); ++i)
            if (items_[i].object == object) all.push_back({items_[i].action, *results_[i]});
        if (object == ObjectKey{})
            for (const auto& one : all) backend_.swept(one);
        else
            backend_.user_.landed(object, std::move(all));
    }

    Backend& backend_;
    std::vector<Batch::Item> items_;
    std::vector<std::optional<Result<void>>> results_;
    std::map<ObjectKey, std::size_t> open_;
};

bool Backend::has_room() const { return acting_ + (observing_ ? 1 : 0) < settings_.in_flight; }

/// Says when to ask again.
std::optional<Instant> Backend::start_observation(Instant now) {
    if (!breaker_.may_observe() || observing_ || !has_room()) return std::nullopt;
    if (observe_at_ > now) return observe_at_;
    if (const auto wait = pace_.take(now)) return wait;
    observing_ = true;
    observing_from_ = world_->tick();
    observe_at_ = Instant::max();  // until it has ended
    calls_.spawn("observation of " + name_, observe());
    return std::nullopt;
}

/// At most so many calls of many actions each. Says when to ask again.
std::optional<Instant> Backend::start_actions(Instant now, std::size_t calls_max) {
    for (std::size_t calls = 0; calls < calls_max; ++calls) {
        const auto due = batch_.due();
        if (!due || !may_act() || !has_room()) return std::nullopt;  // whoever changes that wakes us
        if (*due > now) return due;
        if (const auto wait = pace_.take(now)) return wait;
        ++acting_;
        actions_first_ = false;
        calls_.spawn("actions on " + name_, fly(batch_.take(settings_.actions_max)));
    }
    return std::nullopt;
}

void Backend::call_ended(Breaker::Call call, const Result<void>& result) {
    count(call, result);
    learn(call, result);
}

void Backend::count(Breaker::Call call, const Result<void>& result) {
    engine_.metrics
        .counter("ocim_backend_calls_total", "Calls to backends by result",
                 {{"kind", std::string(adapter_.backend_kind().name)},
                  {"call", call_name(call)},
                  {"result", result_name(result)}})
        .Increment();
    note_call(call_name(call), result);
}

void Backend::learn(Breaker::Call call, const Result<void>& result) {
    const auto now = engine_.clock.now();
    if (result) {
        breaker_.succeeded(call, now);
        pace_.speed_up();
        return;
    }
    breaker_.failed(call, result.error(), now);
    // of the many results of one batch only the first slows down
    if (result.error().error_class == ErrorClass::rate_limited && pace_.not_before() <= now)
        pace_.slow_down(now, result.error().retry_after.value_or(1s));
}

awaitable<void> Backend::probe() {
    auto work = world_->probe();
    const auto result = co_await bounded<void>(engine_.clock, engine_.settings.probe_limit, "a probe", std::move(work));
    probing_ = false;
    call_ended(Breaker::Call::probe, result);
    // a trial begins: whether it works again is for the next look to say
    if (result && breaker_.trouble()) observe_at_ = engine_.clock.now();
    note_trouble();
    wake_.notify();
}

awaitable<void> Backend::observe() {
    const auto began = engine_.clock.now();
    auto work = world_->observe();
    const auto result =
        co_await bounded<News>(engine_.clock, engine_.settings.observe_limit, "an observation", std::move(work));
    observing_ = false;
    actions_first_ = true;
    call_ended(Breaker::Call::observe, result ? Result<void>() : Result<void>(result.error()));
    observed(result, began);
    note_trouble();
    wake_.notify();
}

void Backend::observed(const Result<News>& result, Instant began) {
    const auto now = engine_.clock.now();
    if (!result) {
        const auto& error = result.error();
        observe_trouble_ = Trouble{"BackendFailing", error.message};
        auto wait = back_off(observe_failures_++, observe_retry_min, observe_retry_max, engine_.random);
        if (error.retry_after) wait = std::max(wait, *error.retry_after);
        observe_at_ = std::min(observe_at_, now + wait);
        return;
    }
    observe_failures_ = 0;
    observe_trouble_.reset();
    last_observed_ = engine_.clock.wall();
    more_ = world_->backend_report(engine_.installation);
    // spread: many backends should not be read in the same moment
    const auto interval = settings_.drift_interval.count();
    const auto spread = engine_.random.below(static_cast<std::uint64_t>(interval) / 10 + 1);
    observe_at_ =
        std::min(observe_at_, began + settings_.drift_interval - Duration(static_cast<Duration::rep>(spread)));
    look_for_orphans(now);
    const auto seen_from = world_->observation_began();
    for (auto& [object, member] : objects_) {
        const bool waited = member.awaits && *member.awaits < seen_from;
        if (waited) member.awaits.reset();
        if (waited || result->everybody || result->only.contains(object))
            user_.wake(object, waited ? Priority::high : Priority::low);
    }
}

void Backend::look_for_orphans(Instant now) {
    if (engine_.settings.planning) return;  // nothing is swept
    if (!adapter_.backend_is_ours() || !engine_.cache.synced(adapter_.kind())) return;
    const auto found = orphans_.observed(world_->marked(), engine_.installation, user_.live_uids(), world_->things(),
                                         now, {settings_.delete_orphans, settings_.orphan_min_age});
    orphan_count_ = found.count;
    tell_orphans(found);
    if (sweeping_) return;
    std::vector<PlannedAction> actions;
    lapsing_.clear();
    for (const auto key : found.sweep)
        for (auto& action : world_->sweep(key)) actions.push_back(std::move(action));
    for (auto& one : world_->lapsed(engine_.installation, engine_.clock.wall()))
        if (!user_.has_object(one.namespace_name))
            for (auto& action : one.actions) {
                lapsing_.insert(action.key);
                actions.push_back(std::move(action));
            }
    if (actions.empty()) return;
    sweeping_ = true;
    for (auto& action : actions) action.reconcile_id = "sweep";
    submit(ObjectKey{}, std::move(actions));
}

void Backend::tell_orphans(const Orphans::Found& found) {
    const auto object = engine_.cache.find(adapter_.backend_kind(), key_);
    if (!object) return;
    for (const auto& thing : found.fresh) {
        std::string what;
        for (const auto& action : world_->sweep(thing.key)) what += (what.empty() ? "" : ", ") + action.description;
        engine_.events.record(*object, adapter_.name(),
                              {true, "OrphanFound", "Observe",
                               "Something of ours has no object any more (it belonged to " + thing.mark.namespace_name +
                                   "); removing it would be: " + what});
    }
    if (found.too_many && !told_too_many_)
        engine_.events.record(*object, adapter_.name(),
                              {true, "OrphanSweepStopped", "Sweep",
                               std::to_string(found.count) +
                                   " orphans are more than max(3, 10 %) of what is there. "
                                   "Nothing was removed: look whether they are orphans, and remove them by hand."});
    told_too_many_ = found.too_many;
}

awaitable<void> Backend::fly(std::vector<Batch::Item> items) {
    Flight flight(*this, std::move(items));
    if (const auto& may_act = engine_.settings.may_act; may_act && !may_act()) {
        --acting_;
        flight.close({ErrorClass::transient,
                      "nothing is sent: this process does not lead any more, or the store was restored and waits "
                      "for \"ocim resume --all\""});
        wake_.notify();
        co_return;
    }
    auto work = world_->act(flight.actions(), flight);
    const auto ended =
        co_await bounded<void>(engine_.clock, engine_.settings.act_limit, "a batch of actions", std::move(work));
    --acting_;
    count(Breaker::Call::act, ended);
    Error unknown{ErrorClass::transient, "the system did not say what came of it"};
    if (!ended) unknown = ended.error();
    unknown.outcome_unknown = true;
    flight.close(unknown);
    note_trouble();
    wake_.notify();
}

void Backend::account(const Landed& landed, const ObjectKey& object) {
    const auto& [action, result] = landed;
    engine_.metrics
        .counter("ocim_external_actions_total", "Actions on things in backends by result",
                 {{"kind", adapter_.name()}, {"verb", action.verb}, {"result", result_name(result)}})
        .Increment();
    learn(Breaker::Call::act, result);
    note_trouble();
    wake_.notify();
    log::info(result ? "acted" : "action failed",
              {{"kind", std::string(adapter_.kind().name)},
               {"object", object.text()},
               {"backend", key_.text()},
               {"reconcile_id", action.reconcile_id},
               {"action", action.description},
               {"result", result ? std::string("success") : result.error().message}});
    if (result || !result.error().outcome_unknown) return;
    // only a create can double: the key waits until the call can no longer land
    const auto until = engine_.clock.now() + settings_.landing_max;
    if (action.verb == "create") blocked_[action.key] = std::max(until, blocked_[action.key]);
}

void Backend::swept(const Landed& landed) {
    sweeping_ = false;
    const auto object = engine_.cache.find(adapter_.backend_kind(), key_);
    if (!object) return;
    const bool done = static_cast<bool>(landed.result);
    const bool lapsed = lapsing_.contains(landed.action.key);
    const auto* reason =
        lapsed ? (done ? "RetentionEnded" : "RetentionNotEnded") : (done ? "OrphanRemoved" : "OrphanNotRemoved");
    engine_.events.record(
        *object, adapter_.name(),
        {!done, reason, "Sweep", landed.action.description + (done ? "" : ": " + landed.result.error().message)});
    observe_by(engine_.clock.now() + engine_.settings.batch_wait);
    wake_all(Priority::low);
}

}  // namespace ocim::runtime
