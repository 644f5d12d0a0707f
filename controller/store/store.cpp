#include "store/store.hpp"

#include "base/log.hpp"
#include "store/items.hpp"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <map>
#include <set>

namespace ocim::store {

namespace {

/// How a batch ended.
struct End {
    bool done = false;
    std::optional<Error> error;
};

/// Writes that become durable together. A writer that waits holds the end, never the batch: the batch's signal holds
/// the writer.
struct Batch {
    std::vector<Change> changes;
    std::size_t bytes = 0;
    std::shared_ptr<End> end = std::make_shared<End>();  // shared with the writers
    Signal settled;

    void finish(std::optional<Error> error) {
        end->done = true;
        end->error = std::move(error);
        settled.notify();
    }
};

/// Until the batch has ended; from then on it is no more.
awaitable<Result<void>> ended(Batch* batch, std::shared_ptr<End> end) {
    while (!end->done) co_await batch->settled.wait();
    if (end->error) co_return *end->error;
    co_return Result<void>();
}

std::size_t bytes_of(const Change& change) { return change.value->size() + change.key.size() + sizeof(Change); }

/// Behind the last key that starts with `prefix`.
template <class Map>
auto past(const Map& map, std::string_view prefix) {
    std::string next(prefix);
    while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xff) next.pop_back();
    if (next.empty()) return map.end();
    next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
    return map.lower_bound(next);
}

struct Accepted {
    Item item;
    bool erased = false;
    Batch* batch = nullptr;
};

}  // namespace

struct Store::State {
    class HistoryWatcher;

    State(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics, Settings settings);

    Journal& journal;
    Clock& clock;
    Settings settings;
    prometheus::Counter& commits;
    prometheus::Counter& failed_commits;
    prometheus::Counter& changes;
    prometheus::Counter& cut;
    prometheus::Histogram& commit_seconds;
    prometheus::Gauge& objects;
    prometheus::Gauge& watching;

    // durable
    Revision revision = 0;
    Revision compacted = 0;
    Items items;
    std::deque<std::shared_ptr<const Change>> history;  // after `compacted`, in order; shared with the watchers
    std::size_t history_bytes = 0;
    std::set<HistoryWatcher*> watchers;

    // accepted, not yet durable
    Revision given = 0;  // the last revision handed out
    boost::unordered_flat_map<std::string, Accepted, HashOfText, std::equal_to<>> accepted;
    std::deque<std::unique_ptr<Batch>> waiting;
    bool running = false;  // the front one is with the journal: it takes nobody any more
    std::size_t writes_waiting = 0;
    bool committing = false;
    bool failing = false;  // the last batch was not stored
    bool stopping = false;
    Revision journal_compacted = 0;
    TaskGroup tasks;  // last: its tasks use all of the above

    Result<Batch*> accept(Write write);
    awaitable<void> commit();
    void publish(Batch& batch);
    void fail(const Error& error);
    void remember(Change change);
    bool too_much() const;
    void forget();
    awaitable<Result<void>> compact_journal();
};

class Store::State::HistoryWatcher final : public Store::Watcher {
public:
    HistoryWatcher(Store::State& store, std::string prefix, Revision after)
        : store_(store), prefix_(std::move(prefix)), seen_(after) {
        store_.watchers.insert(this);
        store_.watching.Set(static_cast<double>(store_.watchers.size()));
    }
    ~HistoryWatcher() override {
        store_.watchers.erase(this);
        store_.watching.Set(static_cast<double>(store_.watchers.size()));
    }

    Result<std::vector<std::shared_ptr<const Change>>> take(std::size_t max) override {
        if (cut_) return Error{ErrorClass::conflict, "the watch was too slow: changes it had not read are forgotten"};
        std::vector<std::shared_ptr<const Change>> out;
        const auto& history = store_.history;
        auto next = std::upper_bound(history.begin(), history.end(), seen_,
                                     [](Revision revision, const auto& change) { return revision < change->revision; });
        for (; next != history.end() && out.size() < max; ++next) {
            seen_ = (*next)->revision;
            if (concerns(**next)) out.push_back(*next);
        }
        if (next == history.end()) seen_ = std::max(seen_, store_.revision);
        return out;
    }
    Revision seen() const override { return seen_; }

    awaitable<bool> wait(Instant deadline) override {
        if (ready()) co_return true;
        co_return co_await signal_.wait_until(store_.clock, deadline);
    }

    bool concerns(const Change& change) const { return change.key.starts_with(prefix_); }
    void wake() { signal_.notify(); }
    /// `change` is about to be forgotten.
    void forgotten(const Change& change) {
        if (change.revision <= seen_ || cut_) return;
        if (!concerns(change)) {
            seen_ = change.revision;
            return;
        }
        cut_ = true;
        store_.cut.Increment();
        wake();
    }

private:
    bool ready() const {
        if (cut_) return true;
        const auto& history = store_.history;
        for (auto change = history.rbegin(); change != history.rend() && (*change)->revision > seen_; ++change)
            if (concerns(**change)) return true;
        return false;
    }

    Store::State& store_;
    const std::string prefix_;
    Revision seen_;
    bool cut_ = false;
    Signal signal_;
};

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
      tasks(std::move(loop)) {}

Store::Store(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics, Settings settings)
    : state_(std::make_unique<State>(std::move(loop), journal, clock, metrics, settings)) {}
Store::Store(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics)
    : Store(std::move(loop), journal, clock, metrics, Settings{}) {}
Store::~Store() { assert(state_->watchers.empty()); }

awaitable<Result<void>> Store::load() {
    auto& state = *state_;
    CO_TRY(auto loaded, co_await state.journal.load());
    state.revision = state.given = loaded.revision;
    state.compacted = state.journal_compacted = loaded.compacted;
    state.items.expect(loaded.state.size());
    for (auto& [key, item] : loaded.state) state.items.append(std::move(key), std::move(item));
    for (auto& change : loaded.history) state.remember(std::move(change));
    state.forget();
    state.objects.Set(static_cast<double>(state.items.size()));
    co_return Result<void>();
}

awaitable<void> Store::stop() {
    state_->stopping = true;
    co_await state_->tasks.join();
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
        auto& batch = *waiting.front();
        const auto started = clock.now();
        const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch());
        for (auto& change : batch.changes) change.time_ms = time.count();
        running = true;
        auto stored = co_await journal.append(batch.changes);
        running = false;
        commit_seconds.Observe(std::chrono::duration<double>(clock.now() - started).count());
        if (!stored) {
            fail(stored.error());
            continue;
        }
        if (std::exchange(failing, false)) log::info("writes are stored again");
        publish(batch);
        waiting.pop_front();
        forget();
        if (compacted - journal_compacted < limits::history_slack) continue;
        auto compacting = co_await compact_journal();
        if (!compacting) log::warning("history was not compacted", {{"error", compacting.error().message}});
    }
    committing = false;
}

void Store::State::publish(Batch& batch) {
    commits.Increment();
    changes.Increment(static_cast<double>(batch.changes.size()));
    writes_waiting -= batch.changes.size();
    std::vector<HistoryWatcher*> concerned;
    for (auto* watcher : watchers)
        if (std::ranges::any_of(batch.changes, [&](const Change& change) { return watcher->concerns(change); }))
            concerned.push_back(watcher);
    for (auto& change : batch.changes) {
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
    batch.finish(std::nullopt);
    for (auto* watcher : concerned) watcher->wake();
}

void Store::State::fail(const Error& error) {
    failed_commits.Increment();
    if (!std::exchange(failing, true)) log::error("writes are refused", {{"error", error.message}});
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
