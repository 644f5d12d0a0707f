#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
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
    bool deleted = false;
    std::int64_t time_ms = 0;  ///< wall time of the commit, for the age limit of the history
};

/// Makes changes durable. Called from the loop; blocking work happens on a thread of its own.
class Journal {
public:
    virtual ~Journal() = default;
    struct Loaded {
        Revision revision = 0;                              ///< the last given
        Revision compacted = 0;                             ///< changes up to here are not kept
        std::vector<std::pair<std::string, std::pair<Revision, Bytes>>> state;
        std::vector<Change> history;                        ///< after `compacted`, in order
    };
    virtual awaitable<Result<Loaded>> load() = 0;
    /// When it returns without error the batch is durable, all of it; with an error, none of it is.
    virtual awaitable<Result<void>> append(std::vector<Change> batch) = 0;
    /// Forgets history up to `revision`.
    virtual awaitable<Result<void>> compact(Revision revision) = 0;
};

/// Keeps acknowledged changes in memory that the caller owns, so that a "restart" can load them again.
struct MemoryDisk;
std::shared_ptr<MemoryDisk> make_memory_disk();
std::unique_ptr<Journal> open_memory_journal(std::shared_ptr<MemoryDisk> disk);

/// One SQLite file: WAL, synchronous=FULL, one writer thread; mode 0600. Locks `path`.lock for this process.
/// Errors: conflict when another process holds it (naming the file), invalid when it is not ours or of a newer
/// format.
Result<std::unique_ptr<Journal>> open_sqlite_journal(boost::asio::any_io_executor loop, const std::string& path);

}  // namespace ocim::store
