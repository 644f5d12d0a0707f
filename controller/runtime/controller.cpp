#include "runtime/controller.hpp"

#include "base/log.hpp"
#include "runtime/content.hpp"
#include "runtime/planning.hpp"

#include <boost/system/system_error.hpp>

namespace ocim::runtime {

using namespace std::chrono_literals;

namespace {

bool same(const Json& before, const Json& after, std::initializer_list<std::string_view> path) {
    const auto *a = api::find(before, path), *b = api::find(after, path);
    return a && b ? *a == *b : !a && !b;
}

/// What a visit itself never writes: the answer to its own write shows such a change when somebody else's came just
/// before it, and nothing else will tell of that.
bool others_changed_it(const Json& before, const Json& after) {
    return !same(before, after, {"metadata", "generation"}) || !same(before, after, {"metadata", "uid"}) ||
           !same(before, after, {"metadata", "deletionTimestamp"}) ||
           !same(before, after, {"metadata", "annotations"}) || !same(before, after, {"metadata", "labels"});
}
/// False when only the status, or what the server keeps for itself, is different.
bool asks_for_a_visit(const Json& before, const Json& after) {
    return others_changed_it(before, after) || !same(before, after, {"metadata", "finalizers"});
}

}  // namespace

Controller::Controller(Engine& engine, const KindAdapter& adapter)
    : engine_(engine),
      adapter_(adapter),
      kind_(adapter.kind()),
      name_(adapter.name()),
      finalizer_(std::string(group) + "/" + name_),
      field_manager_("ocim-" + name_),
      queue_({name_, engine.settings.retry_min, engine.settings.retry_max, engine.settings.starvation_max},
             engine.random, engine.metrics),
      statuses_(engine, kind_, field_manager_, this),
      metrics_(instruments(name_, engine)),
      visits_(engine.loop) {
    if (!adapter.attends()) stalled_.emplace(engine.metrics, name_);
}

Controller::Instruments Controller::instruments(const std::string& name, Engine& engine) {
    auto& metrics = engine.metrics;
    const auto total = [&](const std::string& result) -> prometheus::Counter& {
        return metrics.counter("controller_runtime_reconcile_total", "Visits by result",
                               {{"controller", name}, {"result", result}});
    };
    total("requeue");
    const Metrics::Labels labels{{"controller", name}};
    metrics.gauge("controller_runtime_max_concurrent_reconciles", "Visits at a time", labels)
        .Set(static_cast<double>(engine.settings.visits_max));
    return {total("success"),
            total("error"),
            total("requeue_after"),
            metrics.counter("controller_runtime_reconcile_errors_total", "Visits that failed", labels),
            metrics.counter("controller_runtime_reconcile_panics_total", "Visits that threw", labels),
            metrics.gauge("controller_runtime_active_workers", "Visits under way", labels),
            metrics.histogram("controller_runtime_reconcile_time_seconds", "Seconds a visit takes", labels)};
}

void Controller::changed(const Change& change, Priority priority) {
    if (change.kind == kind_id(kind_)) {
        index(change);
        const bool whole = change.before && change.after;
        bool news = change.writer == this ? whole && others_changed_it(*change.before, *change.after)
                                          : !whole || asks_for_a_visit(*change.before, *change.after);
        // to who attends to it, its status is what somebody else says
        if (adapter_.attends() && whole) news = news || tells_news(*change.before, *change.after);
        if (news) add(change.key, priority);
    } else {
        other_changed(change, priority);
    }
    const auto dependents = references_.dependents(change);
    if (dependents.empty() || (change.before && change.after && !tells_news(*change.before, *change.after))) return;
    for (const auto& dependent : dependents)
        if (dependent != change.key.text() || change.kind != kind_id(kind_)) add(ObjectKey::parse(dependent), priority);
}

void Controller::wake_dependents(const api::Kind& kind) {
    for (const auto& dependent : references_.dependents(kind_id(kind))) add(ObjectKey::parse(dependent), Priority::low);
}

void Controller::index(const Change& change) {
    const auto& object = change.after;
    if (!object) {
        references_.set(change.key.text(), {});
        facts_.erase(change.key);
        engine_.errors.forget({name_, std::string(kind_.name), change.key});
        further_needs_.erase(change.key);
        statuses_.forget(change.key);
        queue_.forget(change.key.text());
        if (stalled_) stalled_->forget(change.key);
        ClaimIndex::Claimant who;
        who.kind_id = kind_id(kind_);
        who.key = change.key;
        if (!adapter_.attends())
            for (const auto& other : engine_.claims.set(who, {}))
                if (other.kind_id == kind_id(kind_)) add(other.key, Priority::high);
        own_changed(change.key, object, nullptr);
        return;
    }
    if (stalled_) stalled_->set(change.key, *object);
    auto said = adapter_.facts(*object);
    index_needs(change.key, said);
    if (!adapter_.attends())
        for (const auto& other : engine_.claims.set(claimant(*object), said ? said->claims : std::vector<Claim>()))
            if (other.kind_id == kind_id(kind_)) add(other.key, Priority::high);
    const auto& held = facts_.insert_or_assign(change.key, std::move(said)).first->second;
    own_changed(change.key, object, &held);
}

void Controller::index_needs(const ObjectKey& key, const Result<ObjectFacts>& said) {
    auto needs = said ? said->needs : std::vector<Reference>();
    if (const auto further = further_needs_.find(key); said && further != further_needs_.end())
        needs.insert(needs.end(), further->second.begin(), further->second.end());
    references_.set(key.text(), needs);
}

std::optional<Lacking> Controller::look_up(const Json& object, const ObjectFacts& facts, Inputs& inputs) {
    auto lacking = resolve(engine_, facts.needs, inputs);
    if (lacking) return lacking;
    auto further = adapter_.further_needs(object, inputs);
    lacking = resolve(engine_, further, inputs);
    set_further_needs(ObjectKey::of(object), std::move(further));
    return lacking;
}

void Controller::set_further_needs(const ObjectKey& key, std::vector<Reference> further) {
    const auto said = facts_.find(key);
    if (further.empty() && !further_needs_.contains(key)) return;
    auto& held = further_needs_[key];
    if (said == facts_.end() || held == further) return;
    held = std::move(further);
    index_needs(key, said->second);
}

const Result<ObjectFacts>* Controller::facts(const ObjectKey& key) const {
    const auto found = facts_.find(key);
    return found == facts_.end() ? nullptr : &found->second;
}

ClaimIndex::Claimant Controller::claimant(const Json& object) const {
    return {std::string(kind_.name),
            kind_id(kind_),
            ObjectKey::of(object),
            std::string(api::find_text(object, {"metadata", "creationTimestamp"})),
            has_finalizer(object, finalizer_),
            std::string(api::find_text(object, {"metadata", "uid"}))};
}

std::optional<Verdict> Controller::lost_claim(const Json& object, const ObjectFacts& facts) const {
    const auto self = claimant(object);
    const auto lost = engine_.claims.lost(self, facts.claims);
    if (!lost) return std::nullopt;
    return Verdict{Verdict::State::stalled, "Claimed",
                   lost->claim.field + (lost->claim.value.empty() ? "" : ": \"" + lost->claim.value + "\"") +
                       ": already held by " + held_by(lost->holder, self.key.namespace_) +
                       ", which is older. Choose another, or delete that one."};
}

std::optional<Verdict> Controller::unfit(const Json& object, Inputs& inputs) const {
    const auto key = ObjectKey::of(object);
    inputs.set_holders(engine_.claims.others(kind_id(kind_), key));
    const auto causes = adapter_.admit(object, nullptr, inputs);
    inputs.set_holders({});
    if (causes.empty()) return std::nullopt;
    const auto& first = causes.front();
    return Verdict{Verdict::State::stalled, "InvalidSpec",
                   (first.field.empty() ? "" : first.field + ": ") + first.message};
}

void Controller::note(const Json& object, bool warning, std::string reason, std::string action, std::string text) {
    engine_.events.record(object, name_, {warning, std::move(reason), std::move(action), std::move(text)});
}

void Controller::add(const ObjectKey& key, Priority priority) { add_at(key, engine_.clock.now(), priority); }

void Controller::add_at(const ObjectKey& key, Instant when, Priority priority) {
    if (engine_.muted) return;
    queue_.add(key.text(), when, priority);
    wake_.notify();
}

std::vector<Reference> references_of(const KindAdapter& adapter, const ObjectKey& key, const ObjectFacts& facts) {
    auto out = facts.needs;
    const auto* external = dynamic_cast<const ExternalAdapter*>(&adapter);
    if (!external || facts.backend_name.empty()) return out;
    const auto kind = external->backend_kind();
    out.insert(out.begin(), {kind, kind.namespaced ? key.namespace_ : "", facts.backend_name});
    return out;
}

bool Controller::concerns(const Json& object, const ObjectFacts& facts) const {
    const auto references = references_of(adapter_, ObjectKey::of(object), facts);
    return engine_.settings.planning->concerns(kind_, object, references);
}

void Controller::add_concerned() {
    for (const auto& [key, said] : facts_) {
        const auto object = engine_.cache.find(kind_, key);
        if (object && concerns(*object, said ? *said : ObjectFacts{})) add(key, Priority::high);
    }
}

bool Controller::settled(Instant horizon) const {
    const auto due = queue_.next_due();
    return visits_.running() == 0 && (!due || *due > horizon);
}

awaitable<void> Controller::run() {
    while (!draining_) {
        const auto now = engine_.clock.now();
        // the keys that are out, not the tasks: a visit wakes us when it is settled, just before its task has ended
        while (queue_.count_running() < engine_.settings.visits_max) {
            auto key = queue_.take(now);
            if (!key) break;
            visits_.spawn("visit of " + name_, visit_one(*std::move(key)));
        }
        metrics_.active.Set(static_cast<double>(queue_.count_running()));
        const auto due = queue_.next_due();
        const bool full = queue_.count_running() >= engine_.settings.visits_max;
        const auto wait_end = full || !due ? now + std::chrono::hours(1) : *due;
        co_await wake_.wait_until(engine_.clock, wait_end);
    }
}

awaitable<void> Controller::stop() {
    drain();
    wake_.notify();
    co_await visits_.stop();
}

awaitable<void> Controller::visit_one(std::string key) {
    const auto began = engine_.clock.now();
    reconcile_numbers_[key] = ++last_reconcile_;
    Result<Visited> result = Error{ErrorClass::transient, "the visit did not end"};
    try {
        result = co_await visit(ObjectKey::parse(key));
    } catch (const boost::system::system_error&) {
        throw;  // cancelled
    } catch (const std::exception& error) {
        metrics_.panics.Increment();
        result = Error{ErrorClass::transient, std::string("internal error: ") + error.what()};
    }
    settle(key, result, began);
}

void Controller::settle(const std::string& key, const Result<Visited>& result, Instant began) {
    const auto now = engine_.clock.now();
    metrics_.seconds.Observe(std::chrono::duration<double>(now - began).count());
    if (result) {
        (result->again_after ? metrics_.requeue_after : metrics_.success).Increment();
        queue_.forget(key);
        if (result->again_after) queue_.add(key, now + *result->again_after, Priority::low);
    } else {
        metrics_.error.Increment();
        metrics_.errors.Increment();
        const auto& error = result.error();
        const bool stale = error.error_class == ErrorClass::conflict || error.error_class == ErrorClass::not_found;
        if (!stale)
            log::error("visit failed", {{"kind", std::string(kind_.name)},
                                        {"object", key},
                                        {"reconcile_id", reconcile_id(ObjectKey::parse(key))},
                                        {"class", std::string(name_of(error.error_class))},
                                        {"reason", error.message}});
        if (!stale) note_error(ObjectKey::parse(key), Outcome::of(engine_.clock.wall(), "visit", error));
        queue_.retry(key, now, error.retry_after.value_or(Duration::zero()));
    }
    reconcile_numbers_.erase(key);
    queue_.done(key, now);
    wake_.notify();
}

}  // namespace ocim::runtime
