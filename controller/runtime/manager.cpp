#include "runtime/manager.hpp"

#include "base/log.hpp"
#include "runtime/composite_controller.hpp"
#include "runtime/debug_view.hpp"
#include "runtime/installation.hpp"
#include "runtime/planning.hpp"

#include <algorithm>

namespace ocim::runtime {

using namespace std::chrono_literals;
using Priority = WorkQueue::Priority;

namespace {

awaitable<Result<void>> flush(EventRecorder& events) {
    co_await events.flush();
    co_return Result<void>();
}

/// The value at "spec.name"; null for what is not a plain path.
const Json* value_at(const Json& object, std::string_view path) {
    const auto* at = &object;
    while (!path.empty()) {
        const auto dot = std::min(path.find('.'), path.size());
        const auto* fields = at->if_object();
        at = fields ? fields->if_contains(path.substr(0, dot)) : nullptr;
        if (!at) return nullptr;
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return at;
}

bool same_spec(const Json& object, const Json& old) {
    const auto *now = api::find(object, {"spec"}), *before = api::find(old, {"spec"});
    return now && before ? *now == *before : !now && !before;
}

}  // namespace

struct Manager::State {
    State(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random, Metrics& metrics,
          BlockingPool& blocking, Settings settings)
        : engine(std::move(loop), client, clock, random, metrics, blocking, std::move(settings)),
          board(engine),
          loops(engine.loop) {
        engine.cache.listen([this](const Change& change) { changed(change); });
        engine.informers.listen([this](const api::Kind& kind) { synced(kind); });
        board.listen([this] {
            for (const auto& one : externals) one->poke_backends();
        });
    }

    void changed(const Change& change);
    void synced(const api::Kind& kind);
    const Controller* controller_of(const api::Kind& kind) const;
    void follow_all();
    void start_loops();
    void check_finalizers();

    Engine engine;
    BackendBoard board;
    std::vector<std::unique_ptr<KindAdapter>> adapters;
    std::vector<std::unique_ptr<Controller>> controllers;
    std::vector<ExternalController*> externals;
    std::vector<api::Kind> followed;  // kinds that are read before anything is decided
    std::vector<api::Kind> backends;
    Priority priority = Priority::low;  // of changes: at first all is old news
    TaskGroup loops;
};

Manager::Manager(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Random& random,
                 Metrics& metrics, BlockingPool& blocking, Settings settings)
    : state_(std::make_unique<State>(std::move(loop), client, clock, random, metrics, blocking, std::move(settings))) {}

Manager::~Manager() = default;

void Manager::add(std::unique_ptr<CompositeAdapter> kind) {
    auto& state = *state_;
    state.followed.push_back(kind->kind());
    for (const auto& child : kind->child_kinds()) state.followed.push_back(child);
    state.controllers.push_back(std::make_unique<CompositeController>(state.engine, state.board, *kind));
    state.adapters.push_back(std::move(kind));
}

void Manager::add(std::unique_ptr<ExternalAdapter> kind) {
    auto& state = *state_;
    state.followed.push_back(kind->kind());
    state.followed.push_back(kind->backend_kind());
    if (kind->backend_is_ours()) state.backends.push_back(kind->backend_kind());
    auto controller = std::make_unique<ExternalController>(state.engine, state.board, *kind);
    state.externals.push_back(controller.get());
    state.controllers.push_back(std::move(controller));
    state.adapters.push_back(std::move(kind));
}

std::vector<api::Kind> Manager::kinds() const {
    std::vector<api::Kind> out;
    for (const auto& controller : state_->controllers)
        if (!controller->adapter().attends()) out.push_back(controller->kind());
    return out;
}

std::vector<Reference> Manager::references(const api::Kind& kind, const Json& object) const {
    const auto* controller = state_->controller_of(kind);
    if (!controller) return {};
    const auto facts = controller->adapter().facts(object);
    if (!facts) return {};
    return references_of(controller->adapter(), ObjectKey::of(object), *facts);
}

// --- what is refused at write time

std::vector<api::Cause> Manager::admit(const api::Kind& kind, const Json& object, const Json* old) const {
    auto& state = *state_;
    const auto* controller = state.controller_of(kind);
    if (!controller || is_deleting(object)) return {};
    if (old && same_spec(object, *old)) return {};  // whatever has come to be wrong with it, its conditions say so
    const auto facts = controller->adapter().facts(object);
    if (!facts) return {};  // the schema says so better, or the object's own status will
    std::set<std::string> had;
    if (old)
        if (const auto before = controller->adapter().facts(*old))
            for (const auto& claim : before->claims) had.insert(claim.key);
    const auto key = ObjectKey::of(object);
    std::vector<api::Cause> causes;
    for (const auto& claim : facts->claims) {
        const auto* holder = state.engine.claims.holder(claim.key);
        if (!holder || had.contains(claim.key) || (holder->kind_id == kind_id(kind) && holder->key == key)) continue;
        const auto* value = claim.value.empty() ? value_at(object, claim.field) : nullptr;
        const auto text = api::to_text(value ? *value : Json(claim.value.empty() ? claim.key : claim.value));
        causes.push_back({"FieldValueDuplicate",
                          "Duplicate value: " + text + ": already held by " + held_by(*holder, key.namespace_) +
                              "; choose another, or delete that one",
                          claim.field});
    }
    Inputs inputs;
    inputs.set_holders(state.engine.claims.others(kind_id(kind), key));
    (void)resolve(state.engine, facts->needs, inputs);  // what is missing is for the conditions to say
    for (auto& cause : controller->adapter().admit(object, old, inputs)) causes.push_back(std::move(cause));
    return causes;
}

const Controller* Manager::State::controller_of(const api::Kind& kind) const {
    for (const auto& controller : controllers)
        if (!controller->adapter().attends() && kind_id(controller->kind()) == kind_id(kind)) return controller.get();
    return nullptr;
}

// --- life

void Manager::State::changed(const Change& change) {
    for (const auto& controller : controllers) controller->changed(change, priority);
    board.changed(change);
}

/// Who waited for the first list of a kind can tell now what does not exist.
void Manager::State::synced(const api::Kind& kind) {
    for (auto* external : externals) external->refresh_backends(kind);
    for (const auto& controller : controllers) controller->wake_dependents(kind);
}

awaitable<Result<void>> Manager::start() {
    auto& state = *state_;
    CO_TRY(state.engine.installation, co_await learn_installation(state.engine.client, state.engine.random, ""));
    state.engine.started = state.engine.clock.now();
    state.engine.muted = state.engine.settings.planning != nullptr;
    state.follow_all();
    co_await state.engine.informers.wait_synced();
    state.check_finalizers();
    state.start_loops();
    state.priority = Priority::high;
    if (state.engine.settings.planning) {
        state.engine.muted = false;
        for (const auto& controller : state.controllers) controller->add_concerned();
    }
    log::info("controllers started", {{"installation", state.engine.installation}});
    co_return Result<void>();
}

void Manager::State::follow_all() {
    // before anything is listed: of Secrets those are kept that have an owner of one of these kinds
    for (const auto& kind : followed)
        if (!kind.group.empty()) engine.cache.track(kind);
    engine.informers.follow(api::secret_kind);
    for (const auto& kind : followed) engine.informers.follow(kind);
}

void Manager::State::start_loops() {
    for (const auto& controller : controllers) {
        loops.spawn("controller of " + std::string(controller->kind().name), controller->run());
    }
    loops.spawn("backend statuses", board.run());
    loops.spawn("events", engine.events.run());
}

/// An earlier run may have left in-use finalizers on what is used no more.
void Manager::State::check_finalizers() {
    auto kinds = backends;
    kinds.push_back(api::secret_kind);
    for (const auto& kind : kinds)
        for (const auto& object : engine.cache.all(kind))
            if (has_finalizer(*object, in_use_finalizer)) board.check(kind, ObjectKey::of(*object));
}

awaitable<bool> Manager::settle(Instant deadline) {
    auto& state = *state_;
    constexpr Duration pause = 20ms, horizon = 200ms;
    constexpr int quiet_least = 10;  // looks in a row: what is between a write and who is woken by it takes less
    for (int quiet = 0; quiet < quiet_least;) {
        const auto now = state.engine.clock.now();
        if (now >= deadline) co_return false;
        const bool all =
            std::ranges::all_of(state.controllers, [&](const auto& one) { return one->settled(now + horizon); }) &&
            std::ranges::all_of(state.externals, [](const auto* one) { return one->backends_settled(); });
        quiet = all ? quiet + 1 : 0;
        co_await state.engine.clock.sleep(pause);
    }
    co_return true;
}

DebugView Manager::view() const {
    DebugView out{state_->engine, {}, {state_->externals.begin(), state_->externals.end()}};
    for (const auto& one : state_->controllers) out.controllers.push_back(one.get());
    return out;
}

awaitable<void> Manager::stop() {
    auto& state = *state_;
    auto& engine = state.engine;
    for (const auto& controller : state.controllers) controller->drain();
    for (auto* external : state.externals) external->drain_backends();
    const auto deadline = engine.clock.now() + engine.settings.stop_limit;
    for (auto* external : state.externals) { co_await external->stop_backends(deadline); }
    for (const auto& controller : state.controllers) { co_await controller->stop(); }
    co_await state.loops.stop();
    co_await engine.informers.stop();
    co_await engine.background.stop();
    constexpr Duration flush_limit = 2s;
    auto last_words = flush(engine.events);
    const auto flushed = co_await with_deadline(engine.clock, flush_limit, "writing events", std::move(last_words));
    if (!flushed) log::warning("events lost at shutdown", {{"reason", flushed.error().message}});
    log::info("controllers stopped");
}

}  // namespace ocim::runtime
