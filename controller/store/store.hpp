#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Bytes, keys and revisions: the ordered log of changes and the current state in memory.
namespace ocim::store {

/// One counter for everything, given in commit order. 0 means "does not exist".
using Revision = std::uint64_t;
using Bytes = std::shared_ptr<const std::string>;  // shared by the state, the history and every reader: immutable

/// One committed change of one key.
struct Change {
    Revision revision = 0;
    std::string key;
    Bytes value;     ///< what it is now; of a deletion the last state, written with the deletion's revision
    Bytes previous;  ///< what it was; null at creation
    Revision previous_revision = 0;
    bool deleted = false;
    std::int64_t time_ms = 0;  ///< wall time of the commit, for the age limit of the history
};

/// A key's value and the write that made it.
struct Item {
    Revision revision = 0;
    Bytes value;
    std::int64_t time_ms = 0;  ///< as in Change; 0 while it is not durable
};

class SharedJournal;

/// Makes changes durable. Called from the loop; blocking work happens on a thread of its own.
class Journal {
public:
    virtual ~Journal() = default;
    struct Loaded {
        Revision revision = 0;                            ///< the last given
        Revision compacted = 0;                           ///< changes up to here are not kept
        std::vector<std::pair<std::string, Item>> state;  ///< now, by key
        std::vector<Change> history;                      ///< after `compacted`, in order
    };
    virtual awaitable<Result<Loaded>> load() = 0;
    /// When it returns without error the batch is durable, all of it; with an error, none of it is and its
    /// revisions are given again.
    virtual awaitable<Result<void>> append(std::vector<Change> batch) = 0;
    /// Forgets history up to `revision`.
    virtual awaitable<Result<void>> compact(Revision revision) = 0;
    /// Itself, when other processes append to the same log. Null: nobody else does.
    virtual SharedJournal* shared() { return nullptr; }
};

/// A journal to which several processes append, one at a time.
class SharedJournal {
public:
    virtual ~SharedJournal() = default;
    /// What follows on a revision, in order and without a gap, each without what it replaced.
    struct News {
        std::vector<Change> changes;
        bool behind = false;  ///< too much of it is forgotten: everything must be loaded anew, and no turn was taken
        bool another =
            false;  ///< what was read is not, or no more, in the log: it went back in time; no turn was taken
    };
    /// Waits until nobody else can append, and says what others have appended after `after`. From then on it is our
    /// turn until one append(), which may end with the error conflict when the turn was lost, or leave().
    virtual awaitable<Result<News>> begin(Revision after) = 0;
    virtual awaitable<void> leave() = 0;
    /// All that is durable after `after` at some instant after the call.
    virtual awaitable<Result<News>> tail(Revision after) = 0;
    /// Until there may be something after what was told, or for a while. An error: nobody can tell.
    virtual awaitable<Result<void>> wait() = 0;
    /// After `another`: forgets all history, and goes on with revisions above `above` and all that there ever were in
    /// the log, so that nobody takes them for those that he has read.
    virtual awaitable<Result<void>> go_on_above(Revision above) = 0;
    /// Breaks off what is under way, and all that comes after, with the error unreachable: at the end.
    virtual void interrupt() = 0;
};

/// Keeps acknowledged changes in memory that the caller owns, so that a "restart" can load them again.
struct MemoryDisk;
std::shared_ptr<MemoryDisk> make_memory_disk();
std::unique_ptr<Journal> open_memory_journal(std::shared_ptr<MemoryDisk> disk);

/// One SQLite file: WAL, synchronous=FULL, one writer thread; mode 0600. Locks `path`.lock for this process.
/// Errors: conflict when another process holds it (naming the file and the holder), invalid when it is not ours or
/// of a newer format.
Result<std::unique_ptr<Journal>> open_sqlite_journal(boost::asio::any_io_executor loop, const std::string& path);

/// One compare-and-swap.
struct Write {
    std::string key;
    /// The revision the key must have, counting accepted writes; 0: it must not exist.
    Revision expected = 0;
    /// The value, made once its revision is known (of an erase: the last state, for its watchers). Must not throw.
    std::function<Bytes(Revision)> make;
    bool erase = false;
};

/// The current state in memory, the recent history, and the one way to change them.
///
/// A write is accepted or refused at once, judged by everything accepted before it; it is durable, and visible to
/// readers and watchers, when the batch it went into is. A batch starts as soon as none is running. If one fails,
/// every write accepted meanwhile fails too, for it may rest on the failed ones. Lives on the loop thread.
///
/// When the journal is shared, what others have written is taken over before a batch goes out, and whoever waits to be
/// stored is told `conflict`, so that he decides again on what is there now. He is given the time to do so while
/// nobody else can write: no write is put off twice for the sake of others, and every one rests on all before it.
class Store {
public:
    struct Settings {
        std::size_t history_changes_max = limits::history_changes_max;
        std::size_t history_bytes_max = limits::history_bytes_max;
        Duration history_age_max = limits::history_age_max;
    };
    /// All arguments must outlive it.
    Store(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics, Settings settings);
    Store(boost::asio::any_io_executor loop, Journal& journal, Clock& clock, Metrics& metrics);
    /// stop() must have been awaited, or the loop have stopped for good; no Watcher may be left.
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Reads everything from the journal. Once, before all else.
    awaitable<Result<void>> load();
    /// Refuses further writes and waits for those accepted; for five seconds at most when others share the journal.
    awaitable<void> stop();

    /// The last durable one.
    Revision revision() const;
    /// History up to here is forgotten.
    Revision compacted() const;
    std::size_t size() const;

    /// As of the last durable write.
    std::optional<Item> get(std::string_view key) const;
    /// As of the last accepted write: what a compare-and-swap is judged by.
    std::optional<Item> latest(std::string_view key) const;
    /// Accepted but not yet durable.
    bool pending(std::string_view key) const;
    /// Waits until no write of `key` that is accepted now is pending. The error of the last one if it failed.
    awaitable<Result<void>> settled(std::string key);

    /// Calls `visit` for each key from `from` on that starts with `prefix`, in the order of bytes, as of `revision`
    /// (0: now), until it returns false. Error conflict: `revision` is compacted or of the future.
    using Visit = std::function<bool(const std::string& key, const Item& item)>;
    Result<void> scan(std::string_view prefix, std::string_view from, Revision revision, const Visit& visit) const;

    /// Returns the revision once it is durable. Errors: conflict when `expected` is not what the key has,
    /// rate_limited when too much is waiting, else the journal's.
    awaitable<Result<Revision>> write(Write write);

    // --- when several processes share the journal; else these have nothing to do

    bool shared() const;
    /// Returns when all that was durable at the time of the call, whoever wrote it, is what readers see here.
    awaitable<Result<void>> catch_up();
    /// Keeps up with the others. Until cancelled.
    awaitable<void> follow();
    /// Called with the key of each change that another process made, once readers see it.
    void set_listener(std::function<void(const std::string& key)> listener);

    /// Forgets history beyond the settings' bounds, here and in the journal. Called from time to time.
    awaitable<Result<void>> compact();

    /// A reader of the changes of keys that start with a prefix: in order, without gaps.
    class Watcher {
    public:
        virtual ~Watcher() = default;
        /// The next changes, at most `max`; empty when all were taken. Error conflict: it was too slow and history
        /// has been forgotten that it had not taken.
        virtual Result<std::vector<std::shared_ptr<const Change>>> take(std::size_t max) = 0;
        /// Everything up to this revision was taken.
        virtual Revision seen() const = 0;
        /// Until there may be something to take: false when `deadline` came first.
        virtual awaitable<bool> wait(Instant deadline) = 0;
    };
    /// Changes after `after`. Error conflict: compacted.
    Result<std::unique_ptr<Watcher>> watch(std::string prefix, Revision after);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ocim::store
