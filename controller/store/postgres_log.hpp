#pragma once

#include "store/postgres_connection.hpp"
#include "store/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The log of changes in PostgreSQL: one table of changes, as in a SQLite file, and one row that says how far it goes.
/// Whoever writes holds that row from before he looks until his transaction ends, so revisions are given in the order
/// of commits, without a gap, and who sees one sees all before it. Blocking; room-internal.
namespace ocim::store {

/// Turns a stored value into what it stands for.
using OpenValue = std::function<Result<std::string>(const std::string& key, std::string value)>;

/// A place in the log, known by the batch that ends there: by this a log that goes on from it is told from another one.
struct Mark {
    Revision revision = 0;
    std::string batch;  ///< "" when it is not known
};

/// A connection that is opened when it is needed, and again after it was lost.
class PostgresSession {
public:
    using Deadline = PostgresConnection::Deadline;
    using Opened = std::function<Result<void>(PostgresConnection&, Deadline)>;
    PostgresSession(PostgresSettings settings, const Interrupt& interrupt, Opened opened = nullptr)
        : settings_(std::move(settings)), interrupt_(interrupt), opened_(std::move(opened)) {}
    Result<PostgresConnection*> get(Deadline deadline);
    /// Ends it; the server takes back what was begun.
    void drop() { live_.reset(); }
    bool is_open() const { return live_ != nullptr; }
    /// Waits, unless interrupted: before the server is asked again.
    void pause(std::chrono::milliseconds time) const;
    bool interrupted() const { return interrupt_.raised(); }

private:
    PostgresSettings settings_;
    const Interrupt& interrupt_;
    Opened opened_;
    std::unique_ptr<PostgresConnection> live_;
};

/// A server keeps `ocim migrate` away as long as one of its sessions lives, and the other way round.
enum class As { server, visitor };

/// What follows on a mark, and the mark behind it.
struct PostgresTail {
    SharedJournal::News news;
    Mark end;
};

/// Reads what is there. For one thread.
class PostgresReader {
public:
    PostgresReader(PostgresSettings settings, const Interrupt& interrupt, As as = As::visitor);
    /// Makes the tables when they are not there: whether it did. Errors: invalid for those of a newer format.
    Result<bool> prepare();
    /// What all replicas can open who have the same keys: what the first of them sealed, or the last.
    enum class KeepSeal { first, last };
    Result<std::string> seal(const std::string& sealed, KeepSeal keep);
    struct Loaded {
        Journal::Loaded all;
        Mark end;
    };
    /// One snapshot of all.
    Result<Loaded> load(const OpenValue& open);
    Result<PostgresTail> tail(const Mark& after, const OpenValue& open);

private:
    template <class F>
    auto once_more(F work) -> decltype(work());
    PostgresSession session_;
};

/// Appends. For one thread.
class PostgresWriter {
public:
    /// `name`: of this process among all that ever write here.
    PostgresWriter(PostgresSettings settings, const Interrupt& interrupt, std::string name, As as = As::visitor);

    /// Waits for its turn, and holds it until append(), leave() or, if nothing happens for two seconds, the server ends
    /// it. What others have written after `after`.
    Result<PostgresTail> begin(const Mark& after, const OpenValue& open);
    void leave();
    /// In its turn. When the answer to the commit is lost, finds out by the batch's own name what became of it. Errors:
    /// conflict when others have written meanwhile, and nothing of this was stored; `outcome_unknown` when the server
    /// could not be asked in time.
    Result<Mark> append(const std::vector<Change>& batch);
    Result<void> compact(Revision revision);
    /// As SharedJournal::go_on_above.
    Result<void> go_on_above(Revision above);

    /// Fills a log that holds nothing; its history begins at `revision`, and its replicas must open `seal`. All or
    /// nothing. Error conflict: it does.
    Result<void> seed(const std::vector<Change>& changes, Revision revision, const std::string& seal);

    struct Rewritten {
        std::size_t changed = 0;
        std::optional<Revision> next;  ///< go on after this revision; nothing: that was all
    };
    /// Replaces values of up to `count` changes of keys that start with `prefix`; nothing: the value stays.
    using Replace = std::function<Result<std::optional<std::string>>(const std::string& key, const std::string& value)>;
    Result<Rewritten> rewrite(const std::string& prefix, Revision after, std::size_t count, const Replace& change);

    /// Commits whose answer was lost, and what became of them.
    struct Doubts {
        std::size_t stored = 0, not_stored = 0;
    };
    const Doubts& doubts() const { return doubts_; }

private:
    using Deadline = PostgresConnection::Deadline;
    Result<std::vector<Rows>> take_turn(Revision after, Deadline deadline);
    Result<void> look_after(std::vector<Statement> statements);
    Result<void> append_as(const std::vector<Change>& batch, const std::string& id);
    Statement insert(const Change& change, const std::string& id) const;
    Result<void> store(const std::vector<Change>& batch, const std::string& id, Deadline deadline);
    Result<void> find_out(const std::vector<Change>& batch, const std::string& id, Error error);

    PostgresSession session_;
    const std::string name_;
    std::uint64_t batches_ = 0;
    std::optional<Revision> turn_;  ///< it is ours, and the log goes so far
    Doubts doubts_;
};

/// Hears when others have written. For one thread.
class PostgresListener {
public:
    PostgresListener(PostgresSettings settings, const Interrupt& interrupt);
    /// Until there may be news: at once when the connection is a new one, for then something may have been missed.
    Result<void> wait(std::chrono::milliseconds most);

private:
    PostgresSession session_;
};

}  // namespace ocim::store
