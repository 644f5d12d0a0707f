#pragma once

#include "base/metrics.hpp"
#include "store/items.hpp"
#include "store/store.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <map>
#include <set>

/// What the store is inside; room-internal.
namespace ocim::store {

/// How something that several wait for ended.
struct End {
    bool done = false;
    std::optional<Error> error;
};

/// Who waits holds the end, never this: its signal holds him.
struct Awaited {
    std::shared_ptr<End> end = std::make_shared<End>();  // shared with those who wait
    Signal settled;

    void finish(std::optional<Error> error) {
        end->done = true;
        end->error = std::move(error);
        settled.notify();
    }
};

/// Until it has ended; from then on it is no more.
awaitable<Result<void>> ended(Awaited* awaited, std::shared_ptr<End> end);

/// Writes that become durable together.
struct Batch : Awaited {
    std::vector<Change> changes;
    std::size_t bytes = 0;
};

struct Accepted {
    Item item;
    bool erased = false;
    Batch* batch = nullptr;
};

inline std::size_t bytes_of(const Change& change) { return change.value->size() + change.key.size() + sizeof(Change); }

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

    // sharing.cpp: keeping up with other processes
    std::unique_ptr<Awaited> next_look;  // whoever comes now waits for the look that begins after this one
    bool looking = false;
    Signal turn_ended;  // `running` is over
    std::function<void(const std::string& key)> listener;
    prometheus::Counter& put_off;
    prometheus::Counter& taken_over;
    prometheus::Counter& went_back;

    Revision journal_compacted = 0;
    TaskGroup tasks;  // last: its tasks use all of the above

    Result<Batch*> accept(Write write);
    awaitable<void> commit();
    /// Makes them what readers and watchers see.
    void publish(std::vector<Change> durable);
    void fail(const Error& error);
    /// Ends all writes that are accepted and not with the journal.
    void refuse(const Error& error);
    void fill(Journal::Loaded loaded);
    void remember(Change change);
    bool too_much() const;
    void forget();
    awaitable<Result<void>> compact_journal();

    /// True: the first batch that waits rests on all there is, and nobody else can write.
    awaitable<bool> take_turn(SharedJournal& log);
    void take_over(std::vector<Change> news);
    awaitable<void> look(SharedJournal& log);
    awaitable<Result<void>> load_anew();
    awaitable<Result<void>> start_over(SharedJournal& log);
    awaitable<void> lose_patience(SharedJournal& log);
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
    /// Nobody knows what happened since.
    void cut() {
        if (std::exchange(cut_, true)) return;
        store_.cut.Increment();
        wake();
    }
    /// `change` is about to be forgotten.
    void forgotten(const Change& change) {
        if (change.revision <= seen_ || cut_) return;
        if (!concerns(change)) {
            seen_ = change.revision;
            return;
        }
        cut();
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

}  // namespace ocim::store
