#include "runtime/backend.hpp"

#include "base/log.hpp"
#include "runtime/content.hpp"
#include "runtime/queue.hpp"

#include <algorithm>
#include <cassert>

namespace ocim::runtime {

using namespace std::chrono_literals;
using Priority = WorkQueue::Priority;

namespace {

constexpr Instant never = Instant::max();
constexpr Duration observe_retry_min = 1s, observe_retry_max = 30s;
// of those who wait for what others do: a visit takes a fraction of a millisecond
constexpr Duration tell_interval_min = 500ms, tell_time_each = 2ms;

/// What a backend is opened with.
std::size_t hash_of(const Json& object, bool with_status) {
    if (with_status) return content_hash(object);
    auto declared = object;
    declared.as_object().erase("status");
    // to be looked at again is no reason to forget what is known
    api::make_object(declared, {"metadata", "annotations"}).erase(reconcile_at_annotation);
    return content_hash(declared);
}

std::size_t combined(std::size_t a, std::size_t b) { return a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2)); }

}  // namespace

Backend::Backend(Engine& engine, BackendBoard& board, const ExternalAdapter& adapter, ObjectKey key, BackendUser& user)
    : engine_(engine),
      board_(board),
      adapter_(adapter),
      key_(std::move(key)),
      name_(adapter.name() + "|" + kind_id(adapter.backend_kind()) + "|" + key_.text()),
      user_(user),
      world_(adapter.make_world()),
      breaker_({engine.settings.probe_busy,
                adapter.backend_is_ours() ? engine.settings.probe_idle : engine.settings.probe_idle_machine, 3},
               engine.random),
      pace_(settings_.requests_per_second),
      batch_(engine.settings.batch_wait, engine.settings.batch_wait_max),
      loop_(engine.loop),
      calls_(engine.loop) {
    if (adapter_.backend_is_ours()) {
        const std::string kind(adapter.backend_kind().name);
        const Metrics::Labels labels{{"kind", kind}, {"backend", key_.text()}, {"user", adapter.name()}};
        metrics_.up = &engine.metrics.gauge("ocim_backend_up", "1 when the backend answers and accepts us", labels);
        metrics_.orphans = &engine.metrics.gauge("ocim_orphans", "Things with our mark and without an object", labels);
    }
}

Backend::~Backend() { forget_metrics(); }

void Backend::forget_metrics() {
    if (!metrics_.up) return;
    const std::string kind(adapter_.backend_kind().name);
    const Metrics::Labels labels{{"kind", kind}, {"backend", key_.text()}, {"user", adapter_.name()}};
    engine_.metrics.remove_gauge("ocim_backend_up", labels);
    engine_.metrics.remove_gauge("ocim_orphans", labels);
    metrics_ = {};
}

// --- who has objects here

void Backend::join(const ObjectKey& object) {
    if (!objects_.try_emplace(object).second) return;
    ++busy_;
    if (objects_.size() == 1)
        refresh();
    else
        report();
    wake_.notify();
}

void Backend::leave(const ObjectKey& object) {
    const auto found = objects_.find(object);
    if (found == objects_.end()) return;
    if (found->second.busy) --busy_;
    objects_.erase(found);
    hopeful_.erase(object);
    if (objects_.empty())
        refresh();
    else
        report();
    wake_.notify();
}

void Backend::set_busy(const ObjectKey& object, bool busy) {
    const auto found = objects_.find(object);
    if (found == objects_.end() || found->second.busy == busy) return;
    found->second.busy = busy;
    if (busy)
        ++busy_;
    else
        --busy_;
    wake_.notify();  // the next probe is due at another time
}

void Backend::set_hopeful(const ObjectKey& object, bool hopeful) {
    if (!hopeful || !objects_.contains(object)) {
        hopeful_.erase(object);
        return;
    }
    if (hopeful_.empty()) told_folded_ = world_->folded();  // it was judged just now
    hopeful_.insert(object);
}

/// Which part of what is there keeps an object waiting only its kind knows, so all that wait are asked; the more they
/// are, the less often, so that many who wait do not slow down those who act. Says when to ask again.
std::optional<Instant> Backend::tell_hopeful(Instant now) {
    if (hopeful_.empty() || world_->folded() == told_folded_) return std::nullopt;
    if (now < tell_at_) return tell_at_;
    told_folded_ = world_->folded();
    tell_at_ = now + std::max(tell_interval_min, tell_time_each * static_cast<Duration::rep>(hopeful_.size()));
    for (const auto& object : hopeful_) user_.wake(object, Priority::low);
    return std::nullopt;
}

void Backend::wake_all(Priority priority) {
    for (const auto& [object, member] : objects_) user_.wake(object, priority);
}

// --- what it is and whether it can be used

void Backend::refresh() {
    const auto object = engine_.cache.find(adapter_.backend_kind(), key_);
    exists_ = object != nullptr;
    needs_.clear();
    const auto before = wanted_;
    wanted_.reset();
    if (object)
        read(*object);
    else if (engine_.cache.synced(adapter_.backend_kind()))
        cannot_open(false, "BackendNotFound",
                    std::string(adapter_.backend_kind().name) + " \"" + key_.name +
                        "\" does not exist: create it, or mend the reference.");
    if (wanted_ && (wanted_ != before || wanted_ == opened_with_)) {  // what was wrong with another one is over
        stalled_ = false;
        open_trouble_.reset();
    }
    if (wanted_ != opened_with_) {
        open_at_ = engine_.clock.now();
        open_failures_ = 0;
    }
    hold_what_we_need();
    note_trouble();
    wake_.notify();
}

void Backend::cannot_open(bool stalled, std::string reason, std::string message) {
    stalled_ = stalled;
    open_trouble_ = Trouble{std::move(reason), std::move(message)};
}

/// Finds out what it would be opened with. What was not read yet is no trouble: it will be, soon.
void Backend::read(const Json& object) {
    auto settings = adapter_.settings(object);
    auto needs = adapter_.backend_needs(object);
    if (!settings || !needs) {
        cannot_open(true, "InvalidObject", (settings ? needs.error() : settings.error()).message);
        return;
    }
    settings_ = *std::move(settings);
    needs_ = *std::move(needs);
    pace_.set_limit(settings_.requests_per_second);
    Inputs inputs;
    if (const auto lacking = resolve(engine_, needs_, inputs)) {
        if (!lacking->unread) cannot_open(false, "BackendNotReady", lacking->verdict.message);
        return;
    }
    wanted_ = combined(hash_of(object, adapter_.backend_status_matters()), inputs.fingerprint());
}

void Backend::hold_what_we_need() {
    if (!adapter_.backend_is_ours() || retired_) return;
    std::vector<std::pair<api::Kind, ObjectKey>> used;
    if (exists_ && !objects_.empty()) {
        used.emplace_back(adapter_.backend_kind(), key_);
        for (const auto& need : needs_)
            if (need.kind == api::secret_kind && !need.name.empty())
                used.emplace_back(need.kind, ObjectKey{need.namespace_, need.name});
    }
    board_.use(name_, std::move(used));
}

bool Backend::needs_kind(const api::Kind& kind) const {
    return std::ranges::any_of(needs_, [&](const Reference& need) { return need.kind == kind; });
}

bool Backend::refers_to(const std::string& kind, const ObjectKey& key) const {
    if (kind == kind_id(adapter_.backend_kind()) && key == key_) return true;
    return std::ranges::any_of(needs_, [&](const Reference& need) {
        return kind_id(need.kind) == kind && need.namespace_ == key.namespace_ &&
               (need.name == key.name || need.name.empty());
    });
}

std::optional<Trouble> Backend::trouble() const {
    if (open_trouble_) return open_trouble_;
    if (breaker_.trouble()) return breaker_.trouble();
    if (!world_->known()) return observe_trouble_;
    return std::nullopt;
}

void Backend::note_trouble() {
    const auto now = trouble();
    const bool news = now != told_trouble_;
    if (news) {
        if (now)
            log::warning("backend in trouble", {{"backend", name_}, {"reason", now->reason}, {"why", now->message}});
        else
            log::info("backend works again", {{"backend", name_}});
        told_trouble_ = now;
        if (now) withdraw();
        wake_all(Priority::high);
    }
    report();
}

/// What waits was decided from a view that is old by the time it could go.
void Backend::withdraw() {
    std::set<ObjectKey> objects;
    for (const auto& item : batch_.take_all()) objects.insert(item.object);
    for (const auto& object : objects)
        if (object == ObjectKey{})
            sweeping_ = false;
        else
            user_.withdrawn(object);
}

void Backend::report() {
    if (!adapter_.backend_is_ours() || retired_) return;
    metrics_.up->Set(world_->known() && !trouble() ? 1 : 0);
    metrics_.orphans->Set(static_cast<double>(orphan_count_));
    if (!exists_) {
        board_.forget(adapter_.backend_kind(), key_, adapter_.name());
        return;
    }
    BackendFacts facts;
    facts.trouble = trouble();
    facts.stalled = stalled_;
    facts.known = world_->known();
    facts.objects = objects_.size();
    facts.orphans = orphan_count_;
    facts.last_observed = last_observed_;
    facts.more = more_;
    board_.set(adapter_.backend_kind(), key_, adapter_.name(), std::move(facts));
}

bool Backend::ready_to_open(Instant now) const {
    const bool idle = !probing_ && !observing_ && acting_ == 0;
    return wanted_ != opened_with_ && idle && now >= open_at_;
}

void Backend::open(Instant now) {
    withdraw();
    if (!wanted_) {
        world_->close();
        opened_with_.reset();
        for (const auto& [object, member] : objects_) user_.wake(object, Priority::high);
        return;
    }
    const auto object = engine_.cache.find(adapter_.backend_kind(), key_);
    Inputs inputs;
    if (!object || resolve(engine_, needs_, inputs)) return;  // refresh() will say so
    Result<void> result;
    try {
        result = world_->open(*object, inputs, engine_.services());
    } catch (const std::exception& error) {
        result = Error{ErrorClass::transient, std::string("internal error: ") + error.what()};
    }
    opened(result, now);
}

void Backend::opened(const Result<void>& result, Instant now) {
    note_call("open", result);
    if (!result) {
        const bool invalid = result.error().error_class == ErrorClass::invalid;
        cannot_open(invalid, invalid ? "BackendInvalid" : "BackendNotReady", result.error().message);
        opened_with_.reset();
        open_at_ =
            invalid ? never : now + back_off(open_failures_++, observe_retry_min, observe_retry_max, engine_.random);
        note_trouble();
        return;
    }
    opened_with_ = wanted_;
    open_failures_ = observe_failures_ = 0;
    open_trouble_.reset();
    observe_trouble_.reset();
    breaker_.reset(now);
    observe_at_ = now;
    for (const auto& [object, member] : objects_) user_.reopened(object);
    note_trouble();
}

// --- when what is called

void Backend::start() {
    refresh();
    loop_.spawn("backend " + name_, run());
}

void Backend::drain() {
    draining_ = true;
    wake_.notify();
}

awaitable<void> Backend::stop(Instant deadline) {
    drain();
    while (calls_.running() > 0 && engine_.clock.now() < deadline) {
        const auto next = std::min(deadline, engine_.clock.now() + 50ms);
        co_await engine_.clock.sleep_until(next);
    }
    co_await calls_.stop();
    co_await loop_.stop();
    world_->close();
}

void Backend::retire() {
    drain();
    retired_ = true;
    engine_.errors.forget(place());
    forget_metrics();
    if (!adapter_.backend_is_ours()) return;
    board_.use(name_, {});
    board_.forget(adapter_.backend_kind(), key_, adapter_.name());
}

awaitable<void> Backend::run() {
    while (!draining_) {
        const auto next = start_what_is_due(engine_.clock.now());
        const auto wait_end = next.value_or(engine_.clock.now() + std::chrono::hours(1));
        co_await wake_.wait_until(engine_.clock, wait_end);
    }
}

bool Backend::settled() const {
    if (objects_.empty() || trouble()) return true;
    if (!world_->known() || observing_) return false;
    return std::ranges::none_of(objects_, [](const auto& one) { return one.second.awaits.has_value(); });
}

bool Backend::may_act() const {
    if (engine_.settings.planning) return false;
    const bool held = !adapter_.backend_is_ours() || objects_.empty() || board_.held(name_);
    return breaker_.may_act() && world_->known() && held && wanted_ == opened_with_;
}

std::optional<Instant> Backend::start_what_is_due(Instant now) {
    std::optional<Instant> next;
    const auto at = [&next](Instant when) {
        if (when != never) next = std::min(when, next.value_or(when));
    };
    std::erase_if(blocked_, [now](const auto& item) { return item.second <= now; });
    if (ready_to_open(now)) open(now);
    if (wanted_ != opened_with_ && open_at_ > now) at(open_at_);
    if (!world_->is_open() || wanted_ != opened_with_) return next;
    if (const auto later = tell_hopeful(now)) at(*later);

    if (const auto due = breaker_.next_probe(busy_ > 0); !probing_ && due <= now) {
        probing_ = true;
        calls_.spawn("probe of " + name_, probe());
    } else if (!probing_) {
        at(due);
    }
    // looks that follow each other at once would leave no place for what is to be done
    if (actions_first_) {
        if (const auto later = start_actions(now, 1)) at(*later);
    }
    if (const auto later = start_observation(now)) at(*later);
    if (const auto later = start_actions(now, settings_.in_flight)) at(*later);
    return next;
}

void Backend::observe_by(Instant when) {
    observe_at_ = std::min(observe_at_, when);
    wake_.notify();
}

void Backend::await_observation(const ObjectKey& object, std::uint64_t after, Instant when) {
    if (const auto found = objects_.find(object); found != objects_.end()) {
        auto& awaits = found->second.awaits;
        awaits = std::max(awaits.value_or(0), after);
    }
    if (!observing_ || after >= observing_from_) observe_by(when);  // else the look under way is new enough
}

void Backend::submit(const ObjectKey& object, std::vector<PlannedAction> actions) {
    assert(!engine_.settings.planning);
    batch_.add(object, std::move(actions), engine_.clock.now());
    wake_.notify();
}

std::optional<Instant> Backend::blocked_until(KeyId key) const {
    const auto found = blocked_.find(key);
    if (found == blocked_.end() || found->second <= engine_.clock.now()) return std::nullopt;
    return found->second;
}

}  // namespace ocim::runtime
