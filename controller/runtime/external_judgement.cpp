#include "runtime/external_controller.hpp"
#include "runtime/generate.hpp"

#include <algorithm>
#include <functional>
#include <utility>

/// What is to be done about one object of an external kind: no I/O in here.
namespace ocim::runtime {

using namespace std::chrono_literals;

namespace {

constexpr Duration quiet_max = 1s;  // what ends sooner is not worth a status write of its own

std::string joined(const std::vector<PlannedAction>& plan) {
    constexpr std::size_t shown_max = 10;
    std::string out;
    for (std::size_t i = 0; i < std::min(plan.size(), shown_max); ++i)
        out += (out.empty() ? "" : "; ") + plan[i].description;
    if (plan.size() > shown_max) out += "; and " + std::to_string(plan.size() - shown_max) + " more";
    return out;
}

Verdict progressing(std::string reason, std::string message) {
    return {Verdict::State::progressing, std::move(reason), std::move(message)};
}

Verdict stalled(std::string reason, std::string message) {
    return {Verdict::State::stalled, std::move(reason), std::move(message)};
}

/// What is there stays and says so already: nothing is left to be done, so no backend is needed for it. What was said
/// of another spec does not count; what was said since our copy was made is found when the finalizer is written.
bool is_retained(const Json& object) {
    const auto* retained = api::find(object, {"status", "retained"});
    return api::find_text(object, {"spec", "deletionPolicy"}) == "Retain" && tells_of_spec(object) && retained &&
           retained->is_bool() && retained->as_bool();
}

std::size_t combined(std::size_t a, std::size_t b) { return a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2)); }

std::int64_t generation_of(const Json& object) {
    const auto* generation = api::find(object, {"metadata", "generation"});
    return generation && generation->is_number() ? generation->to_number<std::int64_t>() : 0;
}

/// A former run of ours said that it was in sync, and nobody changed the spec since.
bool was_in_sync(const Json& object) {
    const auto* observed = api::find(object, {"status", "observedGeneration"});
    return is_ready(object) && observed && observed->is_number() &&
           observed->to_number<std::int64_t>() == generation_of(object);
}

}  // namespace

ExternalController::Decision ExternalController::judge(const ObjectKey& key, const Json& object) {
    Decision out;
    const bool deleting = is_deleting(object);
    if (deleting && !has_finalizer(object, finalizer_)) return out;
    if (deleting && annotation(object, abandon_annotation) == "true") {
        out.what = Decision::What::release;
        out.abandoned = true;
        return out;
    }
    const auto* said = facts(key);
    const auto tracked = tracked_.find(key);
    if (!said || tracked == tracked_.end()) return out;
    if (!*said || !tracked->second.backend) {
        out.what = Decision::What::report;
        out.standing.verdict = stalled("InvalidObject", *said ? "It names no backend." : said->error().message);
        return out;
    }
    const bool observe_only = api::find_text(object, {"spec", "managementPolicy"}) == "Observe";
    if (deleting && observe_only) {
        out.what = Decision::What::release;
        return out;
    }
    Case at{key,
            object,
            **said,
            tracked->second,
            *backends_.at(*tracked->second.backend),
            deleting,
            annotation(object, paused_annotation) == "true",
            observe_only};
    note_pause(at);
    Inputs inputs;
    auto decision = judge_standing(at, inputs);
    if (!decision) decision = judge_waiting(at);
    if (!decision) decision = deleting ? judge_deletion(at) : judge_world(at, inputs);
    if (!at.waits_for_turn) turns_.stop_waiting(key);
    wake_next_turns();
    decision->standing.paused = decision->standing.paused || (at.paused && decision->what == Decision::What::report);
    if (decision->standing.paused) decision->standing.verdict.message = "Paused by its annotation; nothing is changed.";
    at.backend.set_busy(key, !decision->settled);
    at.backend.set_hopeful(key, decision->hopeful);
    return *std::move(decision);
}

/// What the object says of its backend's trouble: which backend, why, and the way out.
std::string ExternalController::blocked_by(const Case& at, const Trouble& trouble) const {
    const std::string kind(external_.backend_kind().name);
    auto out = trouble.message;
    if (!out.starts_with(kind)) out = kind + " \"" + at.backend.key().name + "\": " + out;
    if (at.deleting)
        out += "; the deletion waits for it. To let go of what is there without cleaning up, set the annotation " +
               std::string(abandon_annotation) + "=true";
    return out;
}

/// What stands between the object and its backend.
std::optional<ExternalController::Decision> ExternalController::judge_standing(Case& at, Inputs& inputs) {
    Decision out;
    // a backend that is an object of another kind (a machine) took with it what was in it
    if (at.deleting && !external_.backend_is_ours() && !at.backend.exists()) {
        out.what = Decision::What::release;
        return out;
    }
    out.what = Decision::What::report;
    const auto& allowed = at.backend.settings().allowed_namespaces;
    const bool welcome = allowed.empty() || std::ranges::find(allowed, at.key.namespace_) != allowed.end();
    if (!at.deleting && at.backend.exists() && !welcome) {
        out.settled = true;
        out.standing.verdict =
            stalled("NamespaceNotAllowed", std::string(external_.backend_kind().name) + " \"" + at.backend.key().name +
                                               "\" does not allow namespace " + at.key.namespace_ + ".");
        return out;
    }
    if (!at.deleting)
        if (auto claimed = lost_claim(at.object, at.facts)) {
            out.settled = true;
            out.standing.verdict = *std::move(claimed);
            return out;
        }
    if (const auto trouble = at.backend.trouble()) {
        const bool quiet = !at.tracked.acting && engine_.clock.now() >= lands_by(at);
        if (at.deleting && is_retained(at.object) && quiet) {
            note(at.object, false, "Retained", "Delete", "What is there stays, and is marked so.");
            out.what = Decision::What::release;
            return out;
        }
        if (!at.tracked.acting && !quiet) out.again = lands_by(at);
        out.standing.verdict = progressing(trouble->reason, blocked_by(at, *trouble));
        return out;
    }
    const bool acts = !at.deleting && !at.paused && !at.observe_only;
    // who was made by another object gets his Secrets from there: of two who draw, one would be in the other's way
    if (acts && !controller_reference(at.object))
        out.secrets = not_there(engine_, at.key.namespace_, external_.generates(at.object));
    if (!out.secrets.empty()) {
        out.what = Decision::What::generate;
        return out;
    }
    const auto lacking = at.deleting ? std::nullopt : look_up(at.object, at.facts, inputs);
    if (lacking && lacking->soon) return Decision();
    if (lacking) {
        out.settled = true;
        out.standing.verdict = lacking->verdict;
        return out;
    }
    // before the first look nothing can have been made; whoever names a backend that never answers can be deleted
    if (acts && at.backend.world().known() && !has_finalizer(at.object, finalizer_)) {
        out.what = Decision::What::add_finalizer;
        return out;
    }
    return std::nullopt;
}

/// What must come first: the end of its own actions, and a look that is new enough.
std::optional<ExternalController::Decision> ExternalController::judge_waiting(Case& at) {
    const auto now = engine_.clock.now();
    auto& tracked = at.tracked;
    Decision out;
    if (tracked.acting) {
        if (now - tracked.acting_since < quiet_max) return out;
        out.what = Decision::What::report;
        out.standing.verdict = progressing(at.deleting ? "Deleting" : "Progressing", tracked.doing + ".");
        return out;
    }
    auto& world = at.backend.world();
    const auto asked = annotation(at.object, reconcile_at_annotation);
    if (tracked.reconcile_at != asked) {
        tracked.reconcile_at = asked;
        tracked.not_before = Instant{};
        tracked.failure.reset();
        tracked.refused.reset();
        tracked.looks = world.tick();
    }
    if (at.deleting && !tracked.deletion_seen) {
        tracked.deletion_seen = true;
        tracked.not_before = Instant{};
        tracked.effect = world.tick();
    }
    if (tracked.look_at && now >= *tracked.look_at) {
        tracked.look_at.reset();
        tracked.looks = world.tick();
    }
    if (tracked.looks_from) {
        if (now < *tracked.looks_from) return waits_for_look(at, *tracked.looks_from);
        tracked.looks_from.reset();
        tracked.looks = world.tick();
    }
    if (world.known() && (!tracked.looks || world.observation_began() > *tracked.looks)) {
        tracked.looks.reset();
        const bool lands_nothing_of_ours = tracked.lands_until == Instant{};
        if (tracked.from_before && lands_nothing_of_ours && world.settled(at.object, engine_.installation))
            tracked.from_before = tracked.may_land = false;
        return std::nullopt;
    }
    at.backend.await_observation(at.key, tracked.looks.value_or(0), now + engine_.settings.batch_wait);
    return waits_for_look(at, std::nullopt);
}

ExternalController::Decision ExternalController::waits_for_look(Case& at, std::optional<Instant> again) {
    Decision out;
    out.again = again;
    if (!at.tracked.failure) return out;
    out.what = Decision::What::report;
    out.standing.verdict = *at.tracked.failure;
    return out;
}

ExternalController::Decision ExternalController::judge_deletion(Case& at) {
    Decision out;
    auto& world = at.backend.world();
    auto plan = world.remove(at.object, engine_.installation);
    if (!plan) {
        out.what = Decision::What::report;
        out.standing.verdict = stalled("InvalidObject", plan.error().message);
        return out;
    }
    if (!plan->empty()) return differs(at, *std::move(plan), Inputs(), 0);
    if (const auto pause = world.going(at.object, engine_.installation)) {
        const auto look = engine_.clock.now() + *pause;
        at.tracked.look_at = std::min(look, at.tracked.look_at.value_or(look));
        out.again = at.tracked.look_at;
        out.what = Decision::What::report;
        out.standing.verdict = progressing("Deleting", "What it had is being deleted there; waiting until it is gone.");
        return out;
    }
    // a call that lands late and writes over whatever is there would make anew what has just been removed
    if (auto waits = wait_for_late_calls(at)) return *std::move(waits);
    out.what = Decision::What::release;
    return out;
}

/// Until when a call without an answer, or one of an earlier run of this program, may still have its effect.
Instant ExternalController::lands_by(const Case& at) const {
    const auto before = engine_.started + at.backend.settings().landing_max;
    return at.tracked.from_before ? std::max(at.tracked.lands_until, before) : at.tracked.lands_until;
}

/// A call without an answer, or one of an earlier run of this program, may still land. Nothing: none can any more, and
/// a look has shown what came of them.
std::optional<ExternalController::Decision> ExternalController::wait_for_late_calls(Case& at) {
    auto& world = at.backend.world();
    Decision out;
    const auto now = engine_.clock.now();
    if (now < lands_by(at)) {
        out.again = lands_by(at);
        return out;
    }
    if (std::exchange(at.tracked.may_land, false)) at.tracked.effect = world.tick();
    if (world.observation_began() > at.tracked.effect) return std::nullopt;
    at.backend.await_observation(at.key, at.tracked.effect, now + engine_.settings.batch_wait);
    return out;
}

ExternalController::Decision ExternalController::judge_world(Case& at, const Inputs& inputs) {
    Decision out;
    auto plan = at.backend.world().diff(at.object, inputs);
    if (!plan) {
        out.what = Decision::What::report;
        out.settled = true;
        out.standing.verdict = stalled("InvalidObject", plan.error().message);
        return out;
    }
    const auto declared = combined(std::hash<std::int64_t>()(generation_of(at.object)), inputs.fingerprint());
    if (!at.tracked.judged && was_in_sync(at.object)) at.tracked.in_sync = declared;
    at.tracked.judged = true;
    note_turn(at, inputs);
    if (plan->empty() && !at.paused && !at.observe_only && !controller_reference(at.object)) {
        out.edits = at.backend.world().renewals(at.object, inputs);
        if (!out.edits.empty()) {
            out.what = Decision::What::renew;
            return out;
        }
    }
    return plan->empty() ? in_sync(at, inputs, declared) : differs(at, *std::move(plan), inputs, declared);
}

ExternalController::Decision ExternalController::in_sync(Case& at, const Inputs& inputs, std::size_t declared) {
    Decision out;
    out.what = Decision::What::report;
    auto& tracked = at.tracked;
    if (at.turn && !at.turn->under_way) turns_.leave(at.key);  // nothing of it is to begin now
    auto said = at.backend.world().report(at.object, inputs);
    if (!said) {
        out.standing.verdict = stalled("InvalidObject", said.error().message);
        return out;
    }
    out.standing.status = std::move(said->status);
    out.standing.verdict = std::move(said->verdict);
    out.standing.findings = std::move(said->findings);
    for (const auto& one : said->notes)
        if (std::ranges::find(tracked.told, one) == tracked.told.end())
            note(at.object, one.warning, one.reason, "Observe", one.message);
    tracked.told = std::move(said->notes);
    const bool ready = out.standing.verdict.state == Verdict::State::ready;
    out.settled = out.standing.verdict.state != Verdict::State::progressing;
    out.hopeful = !ready;
    if (ready)
        tracked.in_sync = declared;
    else
        tracked.in_sync.reset();
    tracked.drifted = false;
    tracked.failure.reset();
    tracked.refused.reset();
    tracked.failures = 0;
    tracked.not_before = Instant{};
    if (said->look_again) {
        const auto wished = engine_.clock.now() + *said->look_again;
        tracked.look_at = std::min(wished, tracked.look_at.value_or(wished));
        out.again = tracked.look_at;
    }
    return out;
}

ExternalController::Decision ExternalController::differs(Case& at, std::vector<PlannedAction> plan,
                                                         const Inputs& inputs, std::size_t declared) {
    const bool drift = !at.deleting && at.tracked.in_sync == declared;
    if (drift && !at.tracked.drifted) note_drift(at, plan);
    auto held = held_back(at, plan, declared);
    // one that was asked for before and comes late would be the second
    if (!held && at.backend.settings().creates_twice && begins_something(plan)) {
        held = wait_for_late_calls(at);
        if (held) {
            held->what = Decision::What::report;
            held->standing.verdict =
                progressing("EarlierCallsMayLand",
                            "What was asked for before, by an earlier run, without an answer or before the backend "
                            "was opened anew, may still come; "
                            "nothing more is made before a look has shown what came of it.");
        }
    }
    if (!held)
        held = wait_for_turn(at, plan);
    else if (at.turn && !at.turn->under_way)
        turns_.leave(at.key);
    if (held) {
        held->hopeful = true;
        if (at.deleting || held->what != Decision::What::report) return *std::move(held);
        // the kind's own part says what is there now
        if (auto said = at.backend.world().report(at.object, inputs)) {
            held->standing.status = std::move(said->status);
            held->standing.findings = std::move(said->findings);
        }
        return *std::move(held);
    }
    at.tracked.in_sync.reset();
    at.tracked.tried_with = declared;
    at.tracked.tried = plan_fingerprint(at, plan, declared);
    Decision out;
    out.what = Decision::What::act;
    out.actions = std::move(plan);
    return out;
}

void ExternalController::note_pause(Case& at) {
    if (at.tracked.paused == at.paused) return;
    at.tracked.paused = at.paused;
    note(at.object, false, at.paused ? "Paused" : "Resumed", "Pause",
         at.paused ? "Observed and reported, but not changed, as long as the annotation " +
                         std::string(paused_annotation) + " stands."
                   : "Kept as declared again.");
}

void ExternalController::note_drift(Case& at, const std::vector<PlannedAction>& plan) {
    at.tracked.drifted = true;
    drift_.Increment();
    note(at.object, true, "DriftDetected", "Observe",
         "It was changed behind our back; to be as declared it takes: " + joined(plan));
}

/// Why the plan is not carried out now; nothing when it is.
std::optional<ExternalController::Decision> ExternalController::held_back(Case& at,
                                                                          const std::vector<PlannedAction>& plan,
                                                                          std::size_t declared) {
    Decision out;
    out.what = Decision::What::report;
    auto& tracked = at.tracked;
    const auto now = engine_.clock.now();
    if (at.paused) {
        out.standing.paused = true;
        out.settled = true;
        return out;
    }
    if (at.observe_only) {
        out.settled = true;
        out.standing.verdict = stalled("Differs", "Only observed; to be as declared it takes: " + joined(plan));
        return out;
    }
    if (tracked.drifted && tracked.in_sync == declared && !at.backend.settings().repair) {
        out.settled = true;
        out.standing.verdict = stalled("Drifted",
                                       "It was changed behind our back and driftPolicy is Report; to be as "
                                       "declared it takes: " +
                                           joined(plan));
        return out;
    }
    if (auto refused = refused_before(at, plan_fingerprint(at, plan, declared))) return refused;
    for (const auto& action : plan)
        if (const auto until = at.backend.blocked_until(action.key)) {
            out.what = Decision::What::nothing;
            out.again = std::max(*until, out.again.value_or(*until));
        }
    if (out.again) return out;
    if (tracked.tried_with != declared) tracked.not_before = Instant{};
    if (now < tracked.not_before) {
        out.again = tracked.not_before;
        out.standing.verdict =
            tracked.failure.value_or(progressing("ProgressingWithRetry", "Waiting before another attempt."));
        return out;
    }
    return std::nullopt;
}

std::optional<ExternalController::Decision> ExternalController::refused_before(Case& at, std::size_t print) {
    auto& tracked = at.tracked;
    if (!tracked.refused || !tracked.failure) return std::nullopt;
    if (*tracked.refused == print) {
        Decision out;
        out.what = Decision::What::report;
        out.settled = true;
        out.standing.verdict = *tracked.failure;
        return out;
    }
    tracked.failure.reset();
    tracked.refused.reset();
    tracked.not_before = Instant{};
    return std::nullopt;
}

std::size_t ExternalController::plan_fingerprint(Case& at, const std::vector<PlannedAction>& plan,
                                                 std::size_t declared) const {
    auto out = combined(declared, at.deleting ? 1 : 0);
    for (const auto& action : plan) {
        out = combined(out, std::hash<std::string>()(action.verb + ' ' + action.description));
        out = combined(out, std::hash<std::uint64_t>()(at.backend.world().changed(action.key)));
    }
    return out;
}

}  // namespace ocim::runtime
