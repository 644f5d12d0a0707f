#include "store/store_state.hpp"

#include "base/log.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace ocim::store {

namespace {

/// Behind the last key that starts with `prefix`.
template <class Map>
auto past(const Map& map, std::string_view prefix) {
    std::string next(prefix);
    while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xff) next.pop_back();
    if (next.empty()) return map.end();
    next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
    return map.lower_bound(next);
}

}  // namespace

awaitable<Result<void>> ended(Awaited* awaited, std::shared_ptr<End> end) {
    while (!end->done) co_await awaited->settled.wait();
    if (end->error) co_return *end->error;
    co_return Result<void>();
}

Store::State::State(boost::asio::any_io_executor loop, Journal& journal_, Clock& clock_, Metrics& metrics,
                    Settings settings_)
    : journal(journal_),
      clock(clock_),
      settings(settings_),
      commits(metrics.counter("ocim_store_commits_total", "Batches of writes made durable", {{"result", "ok"}})),
      failed_commits(
          metrics.counter("ocim_store_commits_total", "Batches of writes made durable", {{"result", "error"}})),
      changes(metrics.counter("ocim_store_changes_total", "Writes made durable")),
      cut(metrics.counter("ocim_store_watchers_cut_total", "Watchers cut off because they were too slow")),
      commit_seconds(metrics.histogram("ocim_store_commit_duration_seconds", "Time to make one batch durable")),
      objects(metrics.gauge("ocim_store_objects", "Objects stored")),
      watching(metrics.gauge("ocim_store_watchers", "Watchers open")),
      put_off(metrics.counter("ocim_store_writes_put_off_total",
                              "Writes decided again because another replica wrote before them")),
      taken_over(metrics.counter("ocim_store_changes_taken_over_total", "Changes that other replicas made")),
      went_back(
          metrics.counter("ocim_store_went_back_total", "Times that the database was found to have gone back in time")),
      tasks(std::move(loop)) {}

Store::Store(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics, Settings settings)
    : state_(std::make_unique<State>(std::move(loop), journal, clock, metrics, settings)) {}
Store::Store(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics)
    : Store(std::move(loop), journal, clock, metrics, Settings{}) {}
Store::~Store() { assert(state_->watchers.empty()); }

awaitable<Result<void>> Store::load() {
    auto& state = *state_;
    CO_TRY(auto loaded, co_await state.journal.load());
    state.fill(std::move(loaded));
    co_return Result<void>();
}

void Store::State::fill(Journal::Loaded loaded) {
    revision = given = loaded.revision;
    compacted = journal_compacted = loaded.compacted;
    items.expect(loaded.state.size());
    for (auto& [key, item] : loaded.state) items.append(std::move(key), std::move(item));
    for (auto& change : loaded.history) remember(std::move(change));
    forget();
    objects.Set(static_cast<double>(items.size()));
}

awaitable<void> Store::stop() {
    state_->stopping = true;
    TaskGroup patience(co_await boost::asio::this_coro::executor);
    if (auto* log = state_->journal.shared()) patience.spawn("store end", state_->lose_patience(*log));
    co_await state_->tasks.join();
    co_await patience.stop();
}

Revision Store::revision() const { return state_->revision; }
Revision Store::compacted() const { return state_->compacted; }
std::size_t Store::size() const { return state_->items.size(); }

std::optional<Item> Store::get(std::string_view key) const {
    const auto* found = state_->items.find(key);
    return found ? std::optional(*found) : std::nullopt;
}

std::optional<Item> Store::latest(std::string_view key) const {
    const auto found = state_->accepted.find(key);
    if (found == state_->accepted.end()) return get(key);
    return found->second.erased ? std::nullopt : std::optional(found->second.item);
}

bool Store::pending(std::string_view key) const { return state_->accepted.contains(key); }

awaitable<Result<void>> Store::settled(std::string key) {
    const auto found = state_->accepted.find(key);
    if (found == state_->accepted.end()) co_return Result<void>();
    auto* batch = found->second.batch;
    const auto end = batch->end;
    co_return co_await ended(batch, end);
}

Result<void> Store::scan(std::string_view prefix, std::string_view from, Revision revision, const Visit& visit) const {
    const auto& state = *state_;
    if (revision > state.revision) return Error{ErrorClass::conflict, "the revision is of the future"};
    if (revision != 0 && revision < state.compacted) return Error{ErrorClass::conflict, "the revision is compacted"};
    // what was otherwise at `revision`: undo what came after it, the newest first
    std::map<std::string_view, std::optional<Item>> undone;
    if (revision != 0)
        for (auto change = state.history.rbegin(); change != state.history.rend(); ++change) {
            if ((*change)->revision <= revision) break;
            if (!(*change)->key.starts_with(prefix)) continue;
            auto& before = undone[(*change)->key];
            before.reset();
            if ((*change)->previous) before = Item{(*change)->previous_revision, (*change)->previous, 0};
        }
    const auto start = std::max(prefix, from);
    const auto& items = state.items.ordered();
    auto now = items.lower_bound(start);
    auto then = undone.lower_bound(start);
    // a look at each key would take most of the time
    const auto end = past(items, prefix);
    const auto more_now = [&] { return now != end; };
    while (more_now() || then != undone.end()) {
        if (then == undone.end() || (more_now() && now->first < then->first)) {
            if (!visit(now->first, now->second)) break;
            ++now;
            continue;
        }
        if (more_now() && now->first == then->first) ++now;
        if (then->second && !visit(std::string(then->first), *then->second)) break;
        ++then;
    }
    return {};
}

Result<Batch*> Store::State::accept(Write write) {
    if (stopping) return Error{ErrorClass::unreachable, "the store is shutting down"};
    if (writes_waiting >= limits::writes_waiting_max) {
        Error error{ErrorClass::rate_limited, "too many writes are waiting to be stored"};
        error.retry_after = Duration(1000);
        return error;
    }
    const auto pending = accepted.find(write.key);
    Item current;
    if (pending != accepted.end() && !pending->second.erased) current = pending->second.item;
    if (pending == accepted.end())
        if (const auto* durable = items.find(write.key)) current = *durable;
    if (current.revision != write.expected || (write.erase && write.expected == 0))
        return Error{ErrorClass::conflict, write.key + " has changed meanwhile"};

    Change change;
    change.revision = ++given;
    change.key = std::move(write.key);
    change.value = write.make(change.revision);
    change.previous = current.value;
    change.previous_revision = current.revision;
    change.deleted = write.erase;
    const auto full = [&](const Batch& batch) {
        return batch.changes.size() >= limits::commit_changes_max || batch.bytes >= limits::commit_bytes_max;
    };
    if (waiting.size() <= (running ? 1 : 0) || full(*waiting.back())) waiting.push_back(std::make_unique<Batch>());
    auto* batch = waiting.back().get();
    batch->bytes += bytes_of(change);
    accepted.insert_or_assign(change.key, Accepted{{change.revision, change.value, 0}, change.deleted, batch});
    batch->changes.push_back(std::move(change));
    ++writes_waiting;
    return batch;
}

awaitable<Result<Revision>> Store::write(Write write) {
    auto& state = *state_;
    CO_TRY(auto* batch, state.accept(std::move(write)));
    const auto revision = state.given;
    const auto end = batch->end;
    if (!state.committing) {
        state.committing = true;
        state.tasks.spawn("store commit", state.commit());
    }
    CO_CHECK(co_await ended(batch, end));
    co_return revision;
}

awaitable<void> Store::State::commit() {
    while (!waiting.empty()) {
        if (auto* log = journal.shared()) {
            const bool ours = co_await take_turn(*log);
            if (!ours) continue;
        }
        auto& batch = *waiting.front();
        const auto started = clock.now();
        const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch());
        for (auto& change : batch.changes) change.time_ms = time.count();
        running = true;
        auto stored = co_await journal.append(batch.changes);
        running = false;
        turn_ended.notify();
        commit_seconds.Observe(std::chrono::duration<double>(clock.now() - started).count());
        if (!stored) {
            fail(stored.error());
            continue;
        }
        if (std::exchange(failing, false)) log::info("writes are stored again");
        commits.Increment();
        changes.Increment(static_cast<double>(batch.changes.size()));
        writes_waiting -= batch.changes.size();
        publish(std::move(batch.changes));
        batch.finish(std::nullopt);
        waiting.pop_front();
        forget();
        if (compacted - journal_compacted < limits::history_slack) continue;
        auto compacting = co_await compact_journal();
        if (!compacting) log::warning("history was not compacted", {{"error", compacting.error().message}});
    }
    committing = false;
}

void Store::State::publish(std::vector<Change> durable) {
    std::vector<HistoryWatcher*> concerned;
    for (auto* watcher : watchers)
        if (std::ranges::any_of(durable, [&](const Change& change) { return watcher->concerns(change); }))
            concerned.push_back(watcher);
    for (auto& change : durable) {
        revision = change.revision;
        const auto pending = accepted.find(change.key);
        if (pending != accepted.end() && pending->second.item.revision == change.revision) accepted.erase(pending);
        if (change.deleted)
            items.erase(change.key);
        else
            items.put(change.key, Item{change.revision, change.value, change.time_ms});
        remember(std::move(change));
    }
    objects.Set(static_cast<double>(items.size()));
    for (auto* watcher : concerned) watcher->wake();
}

void Store::State::fail(const Error& error) {
    if (error.error_class == ErrorClass::conflict) {
        put_off.Increment(static_cast<double>(writes_waiting));
    } else {
        failed_commits.Increment();
        if (!std::exchange(failing, true)) log::error("writes are refused", {{"error", error.message}});
    }
    refuse(error);
}

void Store::State::refuse(const Error& error) {
    const auto failed = std::move(waiting);
    waiting.clear();
    accepted.clear();
    writes_waiting = 0;
    given = revision;
    for (const auto& batch : failed) batch->finish(error);
}

void Store::State::remember(Change change) {
    history_bytes += bytes_of(change);
    history.push_back(std::make_shared<const Change>(std::move(change)));
}

bool Store::State::too_much() const {
    if (history.size() > settings.history_changes_max || history_bytes > settings.history_bytes_max) return true;
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch());
    return !history.empty() && history.front()->time_ms < (now - settings.history_age_max).count();
}

void Store::State::forget() {
    while (!history.empty() && too_much()) {
        const auto change = history.front();
        history.pop_front();
        history_bytes -= bytes_of(*change);
        compacted = change->revision;
        for (auto* watcher : watchers) watcher->forgotten(*change);
    }
}

awaitable<Result<void>> Store::compact() {
    state_->forget();
    co_return co_await state_->compact_journal();
}

awaitable<Result<void>> Store::State::compact_journal() {
    const auto upto = compacted;
    if (upto <= journal_compacted) co_return Result<void>();
    journal_compacted = upto;  // a failure is made good by the next one
    co_return co_await journal.compact(upto);
}

Result<std::unique_ptr<Store::Watcher>> Store::watch(std::string prefix, Revision after) {
    if (after < state_->compacted)
        return Error{ErrorClass::conflict, "too old resource version: " + std::to_string(after) + " (" +
                                               std::to_string(state_->compacted) + ")"};
    return std::unique_ptr<Watcher>(std::make_unique<State::HistoryWatcher>(*state_, std::move(prefix), after));
}

}  // namespace ocim::store
