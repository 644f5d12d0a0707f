#include "runtime/composite_controller.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace ocim::runtime {

namespace {

constexpr std::string_view retained_annotation = "ocim.opencraft.com/retained-by";

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

/// What we never write of a child: when the answer to a write of ours shows such a change, somebody else's came just
/// before it, and nothing else will tell of that.
bool others_changed(const Change& change) {
    if (!change.before || !change.after) return false;
    const auto differs = [&](std::initializer_list<std::string_view> path) {
        const auto *before = api::find(*change.before, path), *after = api::find(*change.after, path);
        return before && after ? *before != *after : before || after;
    };
    return differs({"status"}) || differs({"metadata", "deletionTimestamp"}) || differs({"metadata", "uid"});
}

}  // namespace

CompositeController::CompositeController(Engine& engine, BackendBoard& board, const CompositeAdapter& adapter)
    : Controller(engine, adapter),
      board_(board),
      composite_(adapter),
      abandoned_(
          engine.metrics.counter("ocim_abandoned_total", "Objects let go without cleaning up", {{"kind", name_}})),
      tallied_(dynamic_cast<const Tallied*>(&adapter)) {
    using Phase = StateMetrics::Phase;
    if (!adapter.attends()) states_.emplace(engine.metrics, name_, adapter.has_phase() ? Phase::shown : Phase::none);
    for (const auto& kind : adapter.child_kinds()) kinds_.emplace(kind_id(kind), kind);
    for (const auto& one : adapter.histograms())
        histograms_.emplace(one.name, &engine.metrics.histogram(one.name, one.help, {}, one.buckets));
}

// --- whose child is whose

std::string CompositeController::retained_by(const ObjectKey& owner) const { return name_ + "/" + owner.text(); }

std::set<ObjectKey> CompositeController::owners_of(const ChildId& id, const Json& object) const {
    std::set<ObjectKey> out;
    if (const auto* reference = controller_reference(object);
        reference && api::find_text(*reference, {"kind"}) == kind_.name &&
        api::find_text(*reference, {"apiVersion"}) == kind_.api_version())
        out.insert({kind_.namespaced ? id.key.namespace_ : "", text_at(*reference, {"name"})});
    // Anybody may write an annotation on what is in a namespace of his own: it is believed there only.
    const auto retained = annotation(object, retained_annotation);
    if (kind_.namespaced && retained.starts_with(name_ + "/")) {
        auto owner = ObjectKey::parse(retained.substr(name_.size() + 1));
        if (owner.namespace_ == id.key.namespace_) out.insert(std::move(owner));
    }
    return out;
}

void CompositeController::own_changed(const ObjectKey& key, const ObjectPtr& object, const Result<ObjectFacts>*) {
    if (object) {
        if (states_) states_->set(key, *object);
        if (tallied_) {
            const auto* status = api::find(*object, {"status"});
            tally_.set(key, status ? tallied_->tallies(*status) : std::set<std::string>());
        }
        return;
    }
    tally_.forget(key);
    if (states_) states_->forget(key);
    keep(key, {});
    memory_.erase(key);
}

void CompositeController::other_changed(const Change& change, Priority priority) {
    if (!kinds_.contains(change.kind)) return;
    const ChildId id{change.kind, change.key};
    std::set<ObjectKey> before, after;
    if (change.before) before = owners_of(id, *change.before);
    if (change.after) after = owners_of(id, *change.after);
    for (const auto& owner : before) {
        if (after.contains(owner)) continue;
        if (const auto held = children_.find(owner); held != children_.end()) {
            held->second.erase(id);
            if (held->second.empty()) children_.erase(held);
        }
    }
    for (const auto& owner : after) children_[owner].insert(id);
    if (change.writer == this && !others_changed(change)) return;  // the visit that wrote it knows
    before.merge(after);
    for (const auto& owner : before)
        if (engine_.cache.find(kind_, owner)) add(owner, priority);
}

std::vector<ObjectPtr> CompositeController::children_of(const Json& owner) const {
    std::vector<ObjectPtr> out;
    const auto key = ObjectKey::of(owner);
    const auto held = children_.find(key);
    if (held == children_.end()) return out;
    const auto uid = api::find_text(owner, {"metadata", "uid"});
    for (const auto& id : held->second) {
        auto object = engine_.cache.find(kinds_.at(id.kind), id.key);
        if (!object) continue;
        const auto* reference = controller_reference(*object);
        const bool owned = reference && api::find_text(*reference, {"uid"}) == uid;
        if (owned || (!reference && annotation(*object, retained_annotation) == retained_by(key)))
            out.push_back(std::move(object));
    }
    return out;
}

// --- a visit

awaitable<Result<Controller::Visited>> CompositeController::visit(ObjectKey key) {
    auto object = engine_.cache.find(kind_, key);
    if (!object) co_return Visited();
    const bool deleting = is_deleting(*object);
    if (deleting && !has_finalizer(*object, finalizer_)) co_return Visited();
    if (deleting && annotation(*object, abandon_annotation) == "true")
        co_return co_await let_go(std::move(object), true);
    const auto* said = facts(key);
    Standing standing;
    if (!said || !*said) {
        standing.verdict = {Verdict::State::stalled, "InvalidObject",
                            said ? said->error().message : std::string("it was not read yet")};
        CO_TRY([[maybe_unused]] const auto told, co_await report(std::move(object), std::move(standing)));
        co_return Visited();
    }
    Inputs inputs;
    if (auto held = before_compose(*object, **said, inputs)) {
        if (held->soon) co_return Visited();
        standing.verdict = std::move(held->verdict);
        CO_TRY([[maybe_unused]] const auto told, co_await report(std::move(object), std::move(standing)));
        co_return Visited();
    }
    const bool paused = annotation(*object, paused_annotation) == "true";
    note_pause(*object, paused);
    if (!deleting && !paused && !composite_.attends() && !has_finalizer(*object, finalizer_)) {
        CO_TRY(object, co_await add_finalizer(engine_, kind_, std::move(object), finalizer_, this));
        if (!object) co_return Visited();
    }
    co_return co_await composed(std::move(object), std::move(inputs));
}

std::optional<Lacking> CompositeController::before_compose(const Json& object, const ObjectFacts& facts,
                                                           Inputs& inputs) {
    auto lacking = look_up(object, facts, inputs);
    // what is gone does not keep an object from being deleted; what was not read yet does
    if (is_deleting(object)) return lacking && lacking->unread ? lacking : std::nullopt;
    if (auto claimed = lost_claim(object, facts)) return Lacking{false, false, *std::move(claimed)};
    if (lacking || composite_.attends() || has_finalizer(object, finalizer_)) return lacking;
    if (auto wrong = unfit(object, inputs)) return Lacking{false, false, *std::move(wrong)};
    return std::nullopt;
}

awaitable<Result<bool>> CompositeController::report(ObjectPtr object, Standing standing) {
    if (composite_.attends()) co_return false;
    co_return co_await statuses_.write(std::move(object), std::move(standing));
}

Result<Composed> CompositeController::compose(const Json& object, const Children& children, Inputs& inputs) {
    if (!tallied_) return composite_.compose(object, children, inputs);
    const auto key = ObjectKey::of(object);
    inputs.add(tally_.without(key));
    auto out = composite_.compose(object, children, inputs);
    if (out) tally_.promise(key, tallied_->tallies(out->status));
    return out;
}

awaitable<Result<Controller::Visited>> CompositeController::composed(ObjectPtr object, Inputs inputs) {
    Children children;
    for (const auto& child : children_of(*object)) children.add(*child);
    auto made = compose(*object, children, inputs);
    auto edits = composite_.edits(*object, children, inputs);
    Standing standing;
    if (!made) {
        standing.verdict = {Verdict::State::stalled, "InvalidObject", made.error().message};
        CO_TRY([[maybe_unused]] const auto told, co_await report(std::move(object), std::move(standing)));
        co_return Visited();
    }
    standing.status = made->status;
    standing.verdict = made->verdict;
    standing.findings = made->findings;
    tell(*object, made->notes);
    measure(made->measures);
    if (made->complete || !made->keeps.empty()) keep(ObjectKey::of(*object), made->keeps);
    const Visited again{made->look_again};
    if (annotation(*object, paused_annotation) == "true") {
        standing.paused = true;
        standing.verdict.message = "Paused by its annotation; nothing is changed.";
        CO_TRY([[maybe_unused]] const auto told, co_await report(std::move(object), std::move(standing)));
        co_return again;
    }
    const auto* stored = api::find(*object, {"status"});
    if (!made->complete && !composite_.attends() && !(stored && covers(*stored, standing.status))) {
        // a choice is stored before anything follows from it; nothing but a choice is worth another visit, or a
        // verdict that the children contradict would be one for ever
        auto early = standing;
        CO_TRY([[maybe_unused]] const bool news, co_await report(object, std::move(early)));
        add(ObjectKey::of(*object), Priority::high);
    }
    std::set<ChildId> wanted;
    for (const auto& child : made->children) {
        CO_TRY(auto id, child_id(*object, child.object));
        wanted.insert(std::move(id));
    }
    const bool nothing_wanted = wanted.empty();
    CO_TRY(auto applied, co_await apply_all(object, std::move(made->children)));
    if (!edits.empty() && !is_deleting(*object)) co_await edit_all(ObjectKey::of(*object), std::move(edits), applied);
    // what it lacked may be what it has just made, and nobody else will tell it of that
    if (!made->complete && children_of(*object).size() > children.items().size())
        add(ObjectKey::of(*object), Priority::high);
    if (made->complete && !applied.error) { CO_CHECK(co_await prune(object, std::move(wanted))); }
    if (is_deleting(*object) && made->complete && nothing_wanted) {
        const auto left = children_of(*object);
        const bool gone =
            std::ranges::none_of(left, [](const ObjectPtr& child) { return controller_reference(*child); });
        if (gone) co_return co_await let_go(std::move(object), false);
    }
    if (applied.trouble) standing.verdict = *applied.trouble;
    if (auto newest = engine_.cache.find(kind_, ObjectKey::of(*object))) object = std::move(newest);
    CO_TRY([[maybe_unused]] const auto told, co_await report(std::move(object), std::move(standing)));
    if (applied.error) co_return *applied.error;
    // what was refused may be accepted later (a name that became free): no watch tells
    if (applied.trouble && !again.again_after) co_return Visited{engine_.settings.retry_max};
    co_return again;
}

awaitable<Result<Controller::Visited>> CompositeController::let_go(ObjectPtr object, bool abandoned) {
    if (abandoned) {
        // before it goes: what has lost its owner is collected, and cleans up
        CO_CHECK(co_await abandon_children(object));
        abandoned_.Increment();
        note(*object, true, "Abandoned", "Delete",
             "Let go because of the annotation " + std::string(abandon_annotation) +
                 ", with all that it made: in the world nothing was removed, and its Secrets stay.");
        if (auto newest = engine_.cache.find(kind_, ObjectKey::of(*object))) object = std::move(newest);
    }
    CO_TRY([[maybe_unused]] const auto released,
           co_await remove_finalizer(engine_, kind_, std::move(object), finalizer_, this));
    co_return Visited();
}

void CompositeController::tell(const Json& object, const std::vector<Note>& notes) {
    auto& said = memory_[ObjectKey::of(object)].notes;
    for (const auto& one : notes)
        if (std::ranges::find(said, one) == said.end()) note(object, one.warning, one.reason, "Compose", one.message);
    said = notes;
}

void CompositeController::measure(const std::vector<Measure>& measures) {
    for (const auto& one : measures)
        if (const auto known = histograms_.find(one.name); known != histograms_.end())
            known->second->Observe(one.seconds);
}

void CompositeController::keep(const ObjectKey& key, const std::vector<Reference>& references) {
    const auto known = memory_.find(key);
    if (known == memory_.end() ? references.empty() : known->second.keeps == references) return;
    memory_[key].keeps = references;
    std::vector<std::pair<api::Kind, ObjectKey>> things;
    for (const auto& reference : references)
        things.emplace_back(reference.kind, ObjectKey{reference.namespace_, reference.name});
    board_.use(name_ + "|" + key.text(), std::move(things));
}

void CompositeController::note_pause(const Json& object, bool paused) {
    auto& known = memory_[ObjectKey::of(object)].paused;
    if (known == paused) return;
    known = paused;
    note(object, false, paused ? "Paused" : "Resumed", "Pause",
         paused ? "Nothing of it is changed as long as the annotation " + std::string(paused_annotation) + " stands."
                : "Kept as declared again.");
}

}  // namespace ocim::runtime
