#include "runtime/external_controller.hpp"

#include "base/log.hpp"
#include "runtime/generate.hpp"
#include "runtime/planning.hpp"

#include <algorithm>

namespace ocim::runtime {

using namespace std::chrono_literals;

ExternalController::ExternalController(Engine& engine, BackendBoard& board, const ExternalAdapter& adapter)
    : Controller(engine, adapter),
      external_(adapter),
      board_(board),
      retiring_(engine.loop),
      drift_(engine.metrics.counter("ocim_drift_total", "Objects in sync whose things were found different",
                                    {{"kind", name_}})),
      abandoned_(
          engine.metrics.counter("ocim_abandoned_total", "Objects let go without cleaning up", {{"kind", name_}})) {
    const std::string backend(adapter.backend_kind().name);
    for (const auto* result :
         {"success", "transient", "rate_limited", "conflict", "not_found", "auth", "unreachable", "invalid"}) {
        for (const auto* verb : {"create", "update", "delete"})
            engine.metrics.counter("ocim_external_actions_total", "Actions on things in backends by result",
                                   {{"kind", name_}, {"verb", verb}, {"result", result}});
        for (const auto* call : {"probe", "observe", "act"})
            engine.metrics.counter("ocim_backend_calls_total", "Calls to backends by result",
                                   {{"kind", backend}, {"call", call}, {"result", result}});
    }
}

ExternalController::~ExternalController() = default;

// --- which object is in which backend

ObjectKey ExternalController::backend_key(const ObjectKey& object, const std::string& name) const {
    return {external_.backend_kind().namespaced ? object.namespace_ : "", name};
}

Backend& ExternalController::backend_at(const ObjectKey& key) {
    auto& place = backends_[key];
    if (!place) {
        BackendUser& self = *this;
        place = std::make_shared<Backend>(engine_, board_, external_, key, self);
        place->start();
    }
    return *place;
}

void ExternalController::own_changed(const ObjectKey& key, const ObjectPtr& object, const Result<ObjectFacts>* facts) {
    if (!object) {
        if (const auto found = tracked_.find(key); found != tracked_.end()) {
            let_go(key, found->second);
            tracked_.erase(key);
        }
        turns_.leave(key);
        wake_next_turns();
        return;
    }
    if (engine_.settings.planning && facts && !concerns(*object, *facts ? **facts : ObjectFacts{})) return;
    auto& tracked = tracked_[key];
    const std::string uid(api::find_text(*object, {"metadata", "uid"}));
    if (tracked.uid != uid) {  // another object of the same name
        let_go(key, tracked);
        turns_.leave(key);
        wake_next_turns();
        tracked = Tracked();
        tracked.uid = uid;
        tracked.reconcile_at = annotation(*object, reconcile_at_annotation);
        // who plans calls nothing, so nothing of his can be under way
        tracked.from_before = tracked.may_land = !engine_.settings.planning && has_finalizer(*object, finalizer_);
    }
    if (!facts || !*facts) return;
    const auto place = backend_key(key, (*facts)->backend_name);
    if (tracked.backend == place) {
        // of a kind that is its own backend nobody else says that it changed
        if (place == key && kind_id(external_.backend_kind()) == kind_id(kind())) backend_at(place).refresh();
        return;
    }
    let_go(key, tracked);
    tracked.backend = place;
    backend_at(place).join(key);
}

void ExternalController::let_go(const ObjectKey& key, Tracked& tracked) {
    if (!tracked.backend) return;
    const auto place = *tracked.backend;
    tracked.backend.reset();
    if (const auto found = backends_.find(place); found != backends_.end()) found->second->leave(key);
    retire_if_idle(place);
}

void ExternalController::other_changed(const Change& change, Priority priority) {
    (void)priority;  // a backend wakes its objects itself
    if (change.kind == kind_id(external_.backend_kind())) {
        if (change.after && external_.backend_is_ours() && !engine_.settings.planning) backend_at(change.key);
        // also after a report of ours: its answer may show what a person changed just before it
        if (const auto found = backends_.find(change.key); found != backends_.end()) found->second->refresh();
        retire_if_idle(change.key);
        return;
    }
    for (const auto& [key, backend] : backends_)
        if (backend->refers_to(change.kind, change.key)) backend->refresh();
}

void ExternalController::retire_if_idle(const ObjectKey& key) {
    const auto found = backends_.find(key);
    if (found == backends_.end() || !found->second->empty()) return;
    if (external_.backend_is_ours() && found->second->exists()) return;
    auto backend = std::move(found->second);
    backends_.erase(found);
    backend->retire();
    retiring_.spawn("retiring backend " + key.text(), retire(std::move(backend)));
}

awaitable<void> ExternalController::retire(std::shared_ptr<Backend> backend) {
    const auto deadline = engine_.clock.now() + engine_.settings.stop_limit;
    co_await backend->stop(deadline);
}

void ExternalController::drain_backends() {
    for (const auto& [key, backend] : backends_) backend->drain();
}

awaitable<void> ExternalController::stop_backends(Instant deadline) {
    std::vector<std::shared_ptr<Backend>> all;
    for (const auto& [key, backend] : backends_) all.push_back(backend);
    for (const auto& backend : all) { co_await backend->stop(deadline); }
    co_await retiring_.join();
}

awaitable<void> ExternalController::stop() {
    co_await Controller::stop();
    const auto now = engine_.clock.now();
    co_await stop_backends(now);
    co_await retiring_.stop();
}

void ExternalController::poke_backends() {
    for (const auto& [key, backend] : backends_) backend->poke();
}

void ExternalController::refresh_backends(const api::Kind& kind) {
    const bool own = kind_id(kind) == kind_id(external_.backend_kind());
    for (const auto& [key, backend] : backends_)
        if (own || backend->needs_kind(kind)) backend->refresh();
}

std::set<std::string> ExternalController::live_uids() const {
    std::set<std::string> out;
    for (const auto& [key, tracked] : tracked_) out.insert(tracked.uid);
    return out;
}

bool ExternalController::has_object(const std::string& namespace_name) const {
    return std::ranges::any_of(tracked_, [&](const auto& one) { return one.first.text() == namespace_name; });
}

// --- a visit

awaitable<Result<Controller::Visited>> ExternalController::visit(ObjectKey key) {
    for (int round = 0; round < 4; ++round) {
        auto object = engine_.cache.find(kind_, key);
        if (!object) co_return Visited();
        auto decision = judge(key, *object);
        if (decision.again) queue_.add(key.text(), *decision.again, Priority::low);
        switch (decision.what) {
            case Decision::What::nothing: co_return Visited();
            case Decision::What::report: {
                CO_TRY([[maybe_unused]] const auto written,
                       co_await statuses_.write(std::move(object), std::move(decision.standing)));
                co_return Visited();
            }
            case Decision::What::generate: {
                CO_CHECK(co_await make_secrets(engine_, kind_, std::move(object), std::move(decision.secrets), this));
                break;
            }
            case Decision::What::add_finalizer: {
                CO_TRY([[maybe_unused]] const auto marked,
                       co_await add_finalizer(engine_, kind_, std::move(object), finalizer_, this));
                break;  // and decide again: what we know may have changed meanwhile
            }
            case Decision::What::renew: {
                CO_CHECK(co_await renew(object, std::move(decision.edits)));
                break;
            }
            case Decision::What::release: {
                CO_CHECK(co_await release(std::move(object), decision.abandoned));
                co_return Visited();
            }
            case Decision::What::act: {
                if (engine_.settings.planning) {
                    CO_CHECK(co_await plan(std::move(object), std::move(decision.actions)));
                } else {
                    act(key, std::move(decision.actions));
                }
                co_return Visited();
            }
        }
    }
    co_return Error{ErrorClass::conflict, "the object keeps changing"};
}

void ExternalController::act(const ObjectKey& key, std::vector<PlannedAction> actions) {
    auto& tracked = tracked_[key];
    tracked.acting = true;
    tracked.acting_since = engine_.clock.now();
    tracked.doing = actions.front().description;
    for (auto& action : actions) action.reconcile_id = reconcile_id(key);
    backends_.at(*tracked.backend)->submit(key, std::move(actions));
    queue_.add(key.text(), engine_.clock.now() + 1s, Priority::low);  // to say so if it takes long
}

awaitable<Result<void>> ExternalController::plan(ObjectPtr object, std::vector<PlannedAction> actions) {
    const auto key = ObjectKey::of(*object);
    auto& tracked = tracked_[key];
    tracked.acting = true;
    tracked.acting_since = engine_.clock.now();
    tracked.doing = actions.front().description;
    std::vector<Planned> told;
    for (auto& action : actions)
        told.push_back({kind_, key, external_.backend_kind(), *tracked.backend, std::move(action.verb),
                        std::move(action.description)});
    engine_.settings.planning->planned(std::move(told));
    // what comes after it is gone is planned too
    if (is_deleting(*object)) { CO_CHECK(co_await release(std::move(object), false)); }
    co_return Result<void>();
}

bool ExternalController::backends_settled() const {
    return std::ranges::all_of(backends_, [](const auto& one) { return one.second->settled(); });
}

awaitable<Result<void>> ExternalController::renew(ObjectPtr object, std::vector<SecretEdit> edits) {
    auto groups = by_secret(std::move(edits));
    const auto place = ObjectKey::of(*object).namespace_;
    std::vector<ObjectPtr> secrets;  // as they are now, not after the first of several writes
    for (const auto& group : groups)
        secrets.push_back(engine_.cache.find(api::secret_kind, {place, group.front().name}));
    for (std::size_t index = 0; index < secrets.size(); ++index) {
        auto group = std::move(groups[index]);
        auto secret = std::move(secrets[index]);
        std::vector<Note> said;
        for (const auto& edit : group) said.push_back(edit.note);
        CO_CHECK(co_await edit_secret(engine_, std::move(secret), std::move(group), this));
        for (const auto& one : said)
            if (!one.reason.empty()) note(*object, one.warning, one.reason, "Renew", one.message);
    }
    co_return Result<void>();
}

awaitable<Result<void>> ExternalController::release(ObjectPtr object, bool abandoned) {
    if (abandoned) {
        abandoned_.Increment();
        note(*object, true, "Abandoned", "Delete",
             "Let go because of the annotation " + std::string(abandon_annotation) +
                 ": what it made in the outside world was not removed.");
        const auto key = ObjectKey::of(*object);
        log::warning("abandoned",
                     {{"kind", std::string(kind_.name)}, {"object", key.text()}, {"reconcile_id", reconcile_id(key)}});
    }
    CO_TRY([[maybe_unused]] const auto released,
           co_await remove_finalizer(engine_, kind_, std::move(object), finalizer_, this));
    co_return Result<void>();
}

// --- what actions came to

void ExternalController::landed(const ObjectKey& key, std::vector<Landed> actions) {
    const auto found = tracked_.find(key);
    const Landed* worst = nullptr;
    bool created = false, unknowns = false;  // without an answer
    bool effect = false;
    for (const auto& one : actions) {
        note_landed(key, one);
        const bool unknown = !one.result && one.result.error().outcome_unknown;
        if (!one.result && (!worst || unknown)) worst = &one;
        unknowns = unknowns || unknown;
        effect = effect || one.result || unknown;
        created = created || (unknown && one.action.verb == "create");
    }
    if (found == tracked_.end()) return;
    auto& tracked = found->second;
    tracked.acting = false;
    if (effect) tracked.acted_at = engine_.clock.now();
    if (const auto backend = tracked.backend ? backends_.find(*tracked.backend) : backends_.end();
        backend != backends_.end()) {
        tracked.effect = backend->second->world().tick();
        if (unknowns) {
            tracked.lands_until = engine_.clock.now() + backend->second->settings().landing_max;
            tracked.may_land = true;
        }
    }
    if (worst) {
        failed(tracked, *worst, created);
    } else {
        tracked.failures = 0;
        tracked.failure.reset();
        tracked.refused.reset();
    }
    add(key, Priority::high);
}

void ExternalController::failed(Tracked& tracked, const Landed& worst, bool created) {
    const auto& error = worst.result.error();
    const auto now = engine_.clock.now();
    const auto text = worst.action.description + ": " + error.message;
    auto wait = back_off(tracked.failures, engine_.settings.retry_min, engine_.settings.retry_max, engine_.random);
    if (tracked.failures < 32) ++tracked.failures;
    tracked.failure = Verdict{Verdict::State::progressing, "ProgressingWithRetry", text};
    bool look = error.outcome_unknown;
    switch (error.error_class) {
        case ErrorClass::transient:
        case ErrorClass::auth:
        case ErrorClass::unreachable: break;
        case ErrorClass::rate_limited:
            wait = std::max(wait, error.retry_after.value_or(Duration::zero()));
            tracked.failure->reason = "RateLimited";
            break;
        case ErrorClass::conflict:
        case ErrorClass::not_found: look = true; break;
        case ErrorClass::invalid:
            tracked.refused = tracked.tried;
            tracked.failure->state = Verdict::State::stalled;
            tracked.failure->reason = "Refused";
            break;
    }
    tracked.not_before = now + wait;
    if (!look || !tracked.backend) return;
    auto& backend = *backends_.at(*tracked.backend);
    tracked.looks = backend.world().tick();
    // what was created without an answer may still land: only a look after that tells
    if (created) tracked.looks_from = now + backend.settings().landing_max;
}

void ExternalController::withdrawn(const ObjectKey& key) {
    const auto found = tracked_.find(key);
    if (found == tracked_.end()) return;
    found->second.acting = false;
    add(key, Priority::high);
}

/// A look may not show yet what was done shortly before, and nobody stands in for it any more.
void ExternalController::reopened(const ObjectKey& key) {
    const auto found = tracked_.find(key);
    if (found == tracked_.end() || !found->second.acted_at || !found->second.backend) return;
    auto& tracked = found->second;
    const auto& settings = backends_.at(*tracked.backend)->settings();
    const auto shown = *tracked.acted_at + settings.landing_max;
    if (!settings.creates_twice || shown <= engine_.clock.now()) return;
    tracked.lands_until = std::max(tracked.lands_until, shown);
    tracked.may_land = true;
}

void ExternalController::note_landed(const ObjectKey& key, const Landed& one) {
    if (const auto known = tracked_.find(key); known != tracked_.end()) {
        auto outcome = Outcome::of(engine_.clock.wall(), one.action.description, one.result);
        if (!one.result) note_error(key, outcome);
        known->second.last_call = std::move(outcome);
    }
    const auto object = engine_.cache.find(kind_, key);
    if (!object) return;
    if (!one.result) {
        note(*object, true, "ActionFailed", "Act", one.action.description + ": " + one.result.error().message);
        return;
    }
    const auto& verb = one.action.verb;
    std::string reason = verb == "create" ? "Created" : verb == "update" ? "Updated" : "Deleted";
    if (verb != "create" && verb != "update" && verb != "delete") reason = "Acted";
    note(*object, false, std::move(reason), "Act", one.action.description);
}

}  // namespace ocim::runtime
