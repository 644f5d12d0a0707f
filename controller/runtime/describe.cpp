#include "runtime/external_controller.hpp"

#include <cmath>

/// What queues, objects and backends tell of themselves to people who ask: rows of the pages of debug.hpp.
namespace ocim::runtime {

namespace {

using api::json::array;
using api::json::object;

constexpr std::size_t next_max = 10;  // of one queue: the rest is in the page of objects

object row_of(const ObjectKey& key) {
    object out;
    if (!key.namespace_.empty()) out["namespace"] = key.namespace_;
    out["name"] = key.name;
    return out;
}

object row_of(const Outcome& outcome) {
    object out{{"at", rfc3339_micro(outcome.at)}, {"call", outcome.call}};
    out["result"] = outcome.error_class ? name_of(*outcome.error_class) : std::string_view("success");
    if (!outcome.message.empty()) out["message"] = outcome.message;
    if (outcome.outcome_unknown) out["outcomeUnknown"] = true;
    return out;
}

std::string_view state_name(Breaker::State state) {
    switch (state) {
        case Breaker::State::closed: return "Closed";
        case Breaker::State::open: return "Open";
        case Breaker::State::trial: return "Trial";
    }
    return "Closed";
}

std::string_view name_of(WorkQueue::Priority priority) {
    return priority == WorkQueue::Priority::high ? "High" : "Low";
}

/// Two digits behind the point say all there is to say.
double rounded(double value) { return std::round(value * 100) / 100; }

}  // namespace

// --- a queue and its objects

api::json::object Controller::describe_queue(const DebugTimes& times) const {
    const auto counts = queue_.counts(times.now());
    object out{{"controller", name_},        {"kind", kind_.name},
               {"objects", facts_.size()},   {"waiting", counts.waiting},
               {"due", counts.due},          {"inWork", counts.running},
               {"retrying", counts.failing}, {"inWorkMax", engine_.settings.visits_max}};
    array next, working;
    for (const auto& [key, due] : queue_.next(next_max)) {
        auto row = row_of(ObjectKey::parse(key));
        times.put(row, "nextTry", due);
        if (const auto failures = queue_.failures(key)) row["failures"] = failures;
        next.push_back(std::move(row));
    }
    for (const auto& [key, since] : queue_.running()) {
        auto row = row_of(ObjectKey::parse(key));
        times.put(row, "since", since);
        working.push_back(std::move(row));
    }
    out["next"] = std::move(next);
    out["working"] = std::move(working);
    return out;
}

std::optional<api::json::object> Controller::describe_object(const ObjectKey& key, const DebugTimes& times) const {
    if (!facts_.contains(key)) return std::nullopt;
    object out{{"controller", name_}, {"kind", kind_.name}};
    for (auto& [field, value] : row_of(key)) out[field] = std::move(value);
    const auto place = queue_.place(key.text());
    out["state"] = place.running_since ? "InWork" : place.due ? "Waiting" : "Idle";
    times.put(out, "nextTry", place.due);
    if (place.due) out["priority"] = name_of(place.priority);
    times.put(out, "inWorkSince", place.running_since);
    if (place.failures) out["failures"] = place.failures;
    describe_more(key, times, out);
    return out;
}

std::optional<ObjectKey> Controller::object_after(const std::optional<ObjectKey>& key) const {
    const auto next = key ? facts_.upper_bound(*key) : facts_.begin();
    return next == facts_.end() ? std::nullopt : std::optional(next->first);
}

void ExternalController::describe_more(const ObjectKey& key, const DebugTimes& times, object& out) const {
    const auto found = tracked_.find(key);
    if (found == tracked_.end()) return;
    const auto& tracked = found->second;
    if (tracked.acting) {
        out["state"] = "Acting";
        object acting{{"action", tracked.doing}};
        times.put(acting, "since", tracked.acting_since);
        out["acting"] = std::move(acting);
    }
    if (tracked.failures) out["failures"] = tracked.failures;
    if (tracked.not_before > times.now()) times.put(out, "notBefore", tracked.not_before);
    if (tracked.last_call) out["lastCall"] = row_of(*tracked.last_call);
    const auto backend = tracked.backend ? backends_.find(*tracked.backend) : backends_.end();
    if (backend == backends_.end()) return;
    auto place = row_of(backend->first);
    place["kind"] = external_.backend_kind().name;
    out["backend"] = std::move(place);
    if (const auto trouble = backend->second->trouble()) {
        out["blockedBy"] = trouble->reason;
        times.put(out, "nextProbe", backend->second->next_probe());
    } else {
        times.put(out, "nextLook", backend->second->next_observation());
        if (backend->second->awaits_observation(key)) out["awaitsLook"] = true;
    }
}

std::string Controller::reconcile_id(const ObjectKey& key) const {
    const auto number = reconcile_numbers_.find(key.text());
    return name_ + "-" + std::to_string(number == reconcile_numbers_.end() ? last_reconcile_ : number->second);
}

void Controller::note_error(const ObjectKey& key, Outcome outcome) {
    if (facts_.contains(key)) engine_.errors.note({name_, std::string(kind_.name), key}, std::move(outcome));
}

// --- a backend

LastErrors::Place Backend::place() const {
    return {adapter_.name(), std::string(adapter_.backend_kind().name), key_, true};
}

void Backend::note_call(std::string call, const Result<void>& result) {
    auto outcome = Outcome::of(engine_.clock.wall(), call, result);
    if (!result && !retired_) engine_.errors.note(place(), outcome);
    last_calls_.insert_or_assign(std::move(call), std::move(outcome));
}

bool Backend::awaits_observation(const ObjectKey& object) const {
    const auto found = objects_.find(object);
    return found != objects_.end() && found->second.awaits;
}

api::json::object Backend::describe(const DebugTimes& times) const {
    object out{{"controller", adapter_.name()}, {"kind", adapter_.backend_kind().name}};
    for (auto& [field, value] : row_of(key_)) out[field] = std::move(value);
    out["objects"] = objects_.size();
    out["objectsWaiting"] = busy_;
    out["opened"] = world_->is_open();
    if (const auto why = trouble()) out["trouble"] = object{{"reason", why->reason}, {"message", why->message}};
    out["cache"] = describe_cache(times);
    out["breaker"] = describe_breaker(times);
    out["limits"] = describe_limits(times);
    object calls;
    for (const auto& [call, outcome] : last_calls_) calls[call] = row_of(outcome);
    out["lastCalls"] = std::move(calls);
    return out;
}

api::json::object Backend::describe_cache(const DebugTimes& times) const {
    object out{{"known", world_->known()},
               {"entries", world_->things()},
               {"bytesAtLeast", world_->bytes_min()},
               {"orphans", orphan_count_},
               {"looking", observing_}};
    if (last_observed_) {
        out["lastLook"] = rfc3339_micro(*last_observed_);
        out["ageSeconds"] = rounded(std::chrono::duration<double>(times.wall() - *last_observed_).count());
    }
    if (!observing_ && breaker_.may_observe() && world_->is_open()) times.put(out, "nextLook", observe_at_);
    return out;
}

api::json::object Backend::describe_breaker(const DebugTimes& times) const {
    object out{{"state", state_name(breaker_.state())},
               {"failedProbes", breaker_.probe_failures()},
               {"failedLooks", breaker_.observe_failures()}};
    if (!probing_ && world_->is_open()) times.put(out, "nextProbe", next_probe());
    return out;
}

api::json::object Backend::describe_limits(const DebugTimes& times) const {
    object out{{"requestsPerSecond", rounded(pace_.limit())},
               {"requestsPerSecondNow", rounded(pace_.rate())},
               {"inFlight", acting_ + (observing_ ? 1 : 0)},
               {"inFlightMax", settings_.in_flight},
               {"actionsWaiting", batch_.size()},
               {"actionsPerCallMax", settings_.actions_max},
               {"unknownOutcomes", blocked_.size()}};
    if (pace_.not_before() > times.now()) times.put(out, "retryAfter", pace_.not_before());
    return out;
}

}  // namespace ocim::runtime
