#include "store/postgres_log.hpp"

#include "store/fold.hpp"
#include "store/postgres_words.hpp"

#include <poll.h>
#include <utility>

namespace ocim::store {

namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::int64_t format = 1;
constexpr auto read_limit = 5s;        // a read that waits longer is answered with an error
constexpr auto find_out_limit = 10s;   // a PostgreSQL that starts again takes some seconds
constexpr auto connect_pause = 100ms;  // between two looks whether it is there again
constexpr int attempts_max = 3;        // of a batch that the server refuses each time

constexpr auto changes_after =
    "SELECT revision, key, value, deleted, time_ms, batch FROM ocim_change WHERE revision > $1::bigint ORDER BY "
    "revision";
constexpr auto batch_at = "SELECT batch FROM ocim_change WHERE revision = $1::bigint";

Result<Change> change_of(std::vector<std::string>& row, const OpenValue& open) {
    Change out;
    out.revision = static_cast<Revision>(number_in(row[0]));
    out.key = std::move(row[1]);
    auto value = open ? open(out.key, std::move(row[2])) : Result<std::string>(std::move(row[2]));
    if (!value) return std::move(value).error();
    out.value = std::make_shared<const std::string>(*std::move(value));
    out.deleted = is_true(row[3]);
    out.time_ms = number_in(row[4]);
    return out;
}

Result<std::vector<Change>> changes_of(Rows rows, const OpenValue& open) {
    std::vector<Change> out;
    out.reserve(rows.size());
    for (auto& row : rows) {
        auto change = change_of(row, open);
        if (!change) return std::move(change).error().within("PostgreSQL");
        out.push_back(*std::move(change));
    }
    return out;
}

/// What the log says of itself, and of who made the mark's revision; of both in this order.
struct Standing {
    Standing(const Rows& meta, const Rows& batch)
        : revision(static_cast<Revision>(number_in(meta.front()[0]))),
          compacted(static_cast<Revision>(number_in(meta.front()[1]))),
          batch(batch.empty() ? "" : batch.front().front()) {}
    Revision revision, compacted;
    std::string batch;  ///< "" when that change is not there any more
};

/// Whether the log does not hold what was read from it.
bool is_another(const Mark& after, const Standing& now) {
    if (now.revision < after.revision) return true;
    if (after.batch.empty() || now.batch == after.batch) return false;
    // compaction takes changes away, and nothing else does
    return !now.batch.empty() || now.compacted < after.revision;
}

/// What follows on `after` without a gap; a gap is what compaction makes, at the end too.
Result<PostgresTail> tail_of(Rows rows, const Mark& after, const Standing& now, const OpenValue& open) {
    PostgresTail out{{}, after};
    out.news.another = is_another(after, now);
    auto expected = after.revision;
    for (const auto& row : rows)
        out.news.behind = out.news.behind || static_cast<Revision>(number_in(row[0])) != ++expected;
    const bool forgotten = !after.batch.empty() && now.batch.empty() && now.compacted > after.revision;
    out.news.behind = out.news.behind || expected < now.compacted || forgotten;
    if (out.news.another || out.news.behind || rows.empty()) return out;
    out.end = {expected, rows.back()[5]};
    auto changes = changes_of(std::move(rows), open);
    if (!changes) return std::move(changes).error();
    out.news.changes = *std::move(changes);
    return out;
}

std::vector<Statement> tables() {
    // two that start at once would both make them
    return {
        plain("BEGIN"), plain("SELECT pg_advisory_xact_lock(5720033211)"),
        plain("CREATE TABLE IF NOT EXISTS ocim_meta (one boolean PRIMARY KEY DEFAULT true CHECK (one), "
              "format bigint NOT NULL, revision bigint NOT NULL, compacted bigint NOT NULL, seal bytea)"),
        plain("CREATE TABLE IF NOT EXISTS ocim_change (revision bigint PRIMARY KEY, key text COLLATE \"C\" NOT NULL, "
              "value bytea NOT NULL, deleted boolean NOT NULL, time_ms bigint NOT NULL, batch text NOT NULL)"),
        plain("CREATE INDEX IF NOT EXISTS ocim_change_of_key ON ocim_change (key, revision)"),
        plain("CREATE TABLE IF NOT EXISTS ocim_lease (name text PRIMARY KEY, holder text NOT NULL, term bigint NOT "
              "NULL, renewals bigint NOT NULL)"),
        // who goes by the time that is in it must not share it with us
        plain("ALTER TABLE ocim_lease DROP COLUMN IF EXISTS until, ADD COLUMN IF NOT EXISTS renewals bigint NOT NULL "
              "DEFAULT 0"),
        plain("INSERT INTO ocim_meta (format, revision, compacted) VALUES (1, 0, 0) ON CONFLICT DO NOTHING "
              "RETURNING one"),
        plain("COMMIT")};
}

}  // namespace

Result<void> show_presence(PostgresConnection& connection, PostgresConnection::Deadline deadline) {
    auto free =
        connection.ask({"SELECT pg_try_advisory_lock_shared($1::bigint)", {{presence, false}}, false}, deadline);
    if (!free) return std::move(free).error();
    if (is_true(free->front().front())) return {};
    return Error{ErrorClass::unreachable, "ocim migrate or restore works on the database: wait for its end"};
}

Result<PostgresConnection*> PostgresSession::get(Deadline deadline) {
    if (live_) return live_.get();
    auto opened = PostgresConnection::open(settings_, interrupt_, deadline);
    if (!opened) return std::move(opened).error();
    if (opened_)
        if (auto ready = opened_(**opened, deadline); !ready) return std::move(ready).error();
    live_ = *std::move(opened);
    return live_.get();
}

void PostgresSession::pause(std::chrono::milliseconds time) const {
    pollfd waiting{interrupt_.descriptor(), POLLIN, 0};
    (void)::poll(&waiting, 1, static_cast<int>(time.count()));
}

// --- reading

/// A session that stood idle may have been lost since; what only reads is asked for once more on a new one.
template <class F>
auto PostgresReader::once_more(F work) -> decltype(work()) {
    const bool fresh = !session_.is_open();
    auto out = work();
    if (out) return out;
    session_.drop();
    if (fresh || out.error().error_class != ErrorClass::unreachable) return out;
    out = work();
    if (!out) session_.drop();
    return out;
}

/// What only reads has no outcome that anybody must know.
template <class T>
Result<T> only_read(Result<T> result) {
    if (result) return result;
    auto error = std::move(result).error();
    error.outcome_unknown = false;
    return error;
}

PostgresReader::PostgresReader(PostgresSettings settings, const Interrupt& interrupt, As as)
    : session_(std::move(settings), interrupt, as == As::server ? show_presence : PostgresSession::Opened()) {}

Result<bool> PostgresReader::prepare() {
    return once_more([this]() -> Result<bool> {
        const auto deadline = Steady::now() + load_limit;
        auto connection = session_.get(Steady::now() + read_limit);
        if (!connection) return std::move(connection).error();
        const auto made = (*connection)->run(tables(), deadline);
        if (!made) return made.error();
        const auto found = (*connection)->ask(plain("SELECT format FROM ocim_meta"), deadline);
        if (!found) return found.error();
        const auto has = number_in(found->front().front());
        if (has <= format) return !(*made)[made->size() - 2].empty();
        return Error{ErrorClass::invalid, "the database has format " + std::to_string(has) +
                                              ", of a newer version of this program, which reads up to format " +
                                              std::to_string(format)};
    });
}

Result<std::string> PostgresReader::seal(const std::string& sealed, KeepSeal keep) {
    return only_read(once_more([&]() -> Result<std::string> {
        const auto deadline = Steady::now() + read_limit;
        auto connection = session_.get(deadline);
        if (!connection) return std::move(connection).error();
        const char* replace = keep == KeepSeal::first ? "UPDATE ocim_meta SET seal = $1::bytea WHERE seal IS NULL"
                                                      : "UPDATE ocim_meta SET seal = $1::bytea";
        auto rows =
            (*connection)->run({{replace, {{sealed, true}}, false}, plain("SELECT seal FROM ocim_meta")}, deadline);
        if (!rows) return std::move(rows).error();
        return std::move((*rows)[1].front().front());
    }));
}

Result<PostgresReader::Loaded> PostgresReader::load(const OpenValue& open) {
    return only_read(once_more([&]() -> Result<Loaded> {
        auto connection = session_.get(Steady::now() + read_limit);
        if (!connection) return std::move(connection).error();
        auto rows = (*connection)
                        ->run({plain("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
                               plain(long_statements),
                               plain("SELECT revision, compacted FROM ocim_meta"),
                               {changes_after, {number(0)}, false},
                               plain("COMMIT")},
                              Steady::now() + load_limit);
        if (!rows) return std::move(rows).error();
        const Standing now((*rows)[2], {});
        Mark end{now.revision, ""};
        if (const auto& all = (*rows)[3];
            !all.empty() && static_cast<Revision>(number_in(all.back()[0])) == end.revision)
            end.batch = all.back()[5];
        auto changes = changes_of(std::move((*rows)[3]), open);
        if (!changes) return std::move(changes).error();
        return Loaded{fold(*std::move(changes), now.compacted, now.revision), std::move(end)};
    }));
}

Result<PostgresTail> PostgresReader::tail(const Mark& after, const OpenValue& open) {
    return only_read(once_more([&]() -> Result<PostgresTail> {
        const auto deadline = Steady::now() + read_limit;
        auto connection = session_.get(deadline);
        if (!connection) return std::move(connection).error();
        // what was compacted is asked last: it may say too much, and never too little
        auto rows = (*connection)
                        ->run({{batch_at, {number(after.revision)}, false},
                               {changes_after, {number(after.revision)}, false},
                               plain("SELECT revision, compacted FROM ocim_meta")},
                              deadline);
        if (!rows) return std::move(rows).error();
        return tail_of(std::move((*rows)[1]), after, Standing((*rows)[2], (*rows)[0]), open);
    }));
}

// --- writing

PostgresWriter::PostgresWriter(PostgresSettings settings, const Interrupt& interrupt, std::string name, As as)
    : session_(std::move(settings), interrupt,
               [as](PostgresConnection& connection, Deadline deadline) -> Result<void> {
                   // what this very session writes nobody must miss, whatever became of the others
                   if (as == As::server)
                       if (auto shown = show_presence(connection, deadline); !shown) return shown;
                   return connection.prepare("ocim_insert",
                                             "INSERT INTO ocim_change (revision, key, value, deleted, time_ms, batch) "
                                             "VALUES ($1::bigint, $2::text, $3::bytea, $4::boolean, $5::bigint, "
                                             "$6::text)",
                                             deadline);
               }),
      name_(std::move(name)) {}

Result<std::vector<Rows>> PostgresWriter::take_turn(Revision after, Deadline deadline) {
    auto connection = session_.get(deadline);
    if (!connection) return std::move(connection).error();
    auto rows = (*connection)
                    ->run({plain(begin_turn),
                           plain(lock_row),
                           {changes_after, {number(after)}, false},
                           {batch_at, {number(after)}, false}},
                          deadline);
    if (!rows) session_.drop();
    return rows;
}

Result<PostgresTail> PostgresWriter::begin(const Mark& after, const OpenValue& open) {
    const bool fresh = !session_.is_open();
    auto rows = take_turn(after.revision, Steady::now() + turn_limit);
    // it stood idle, and was lost meanwhile
    if (!rows && !fresh && rows.error().error_class == ErrorClass::unreachable)
        rows = take_turn(after.revision, Steady::now() + turn_limit);
    if (!rows) return only_read(Result<PostgresTail>(std::move(rows).error()));
    const Standing now((*rows)[1], (*rows)[3]);
    turn_ = now.revision;
    auto tail = tail_of(std::move((*rows)[2]), after, now, open);
    if (!tail || tail->news.behind || tail->news.another) leave();
    return tail;
}

void PostgresWriter::leave() {
    if (!std::exchange(turn_, std::nullopt)) return;
    auto connection = session_.get(Steady::now() + read_limit);
    if (connection && (*connection)->ask(plain("ROLLBACK"), Steady::now() + read_limit)) return;
    session_.drop();
}

Result<Mark> PostgresWriter::append(const std::vector<Change>& batch) {
    if (batch.empty()) return Mark{};
    const auto id = name_ + "/" + std::to_string(++batches_);
    if (auto stored = append_as(batch, id); !stored) return std::move(stored).error();
    return Mark{batch.back().revision, id};
}

Result<void> PostgresWriter::append_as(const std::vector<Change>& batch, const std::string& id) {
    const auto last = std::exchange(turn_, std::nullopt);
    if (last != batch.front().revision - 1) {
        session_.drop();
        return Error{ErrorClass::conflict, "others have written meanwhile"};
    }
    auto stored = store(batch, id, Steady::now() + turn_limit);
    if (stored) return stored;
    session_.drop();
    return find_out(batch, id, std::move(stored).error());
}

Statement PostgresWriter::insert(const Change& change, const std::string& id) const {
    return {"ocim_insert",
            {number(change.revision),
             {change.key, false},
             {*change.value, true},
             {change.deleted ? "t" : "f", false},
             {std::to_string(change.time_ms), false},
             {id, false}},
            true};
}

Result<void> PostgresWriter::store(const std::vector<Change>& batch, const std::string& id, Deadline deadline) {
    auto connection = session_.get(deadline);
    if (!connection) return std::move(connection).error();
    std::vector<Statement> statements;
    statements.reserve(batch.size() + 3);
    for (const auto& change : batch) statements.push_back(insert(change, id));
    statements.push_back({"UPDATE ocim_meta SET revision = $1::bigint", {number(batch.back().revision)}, false});
    statements.push_back({"SELECT pg_notify('ocim', $1::text)", {number(batch.back().revision)}, false});
    statements.push_back(plain("COMMIT"));
    auto ran = (*connection)->run(statements, deadline);
    if (!ran) return std::move(ran).error();
    return {};
}

/// Taking the turn anew waits for the transaction of before, if the server still has it: what is not there then never
/// will be.
Result<void> PostgresWriter::find_out(const std::vector<Change>& batch, const std::string& id, Error error) {
    const auto deadline = Steady::now() + find_out_limit;
    const auto before = batch.front().revision - 1;
    bool doubtful = error.outcome_unknown;
    for (int refused = doubtful ? 0 : 1;;) {
        auto rows = take_turn(before, std::min(deadline, Steady::now() + turn_limit));
        if (!rows) {
            if (!doubtful || session_.interrupted() || Steady::now() >= deadline) break;
            session_.pause(connect_pause);
            continue;
        }
        turn_ = static_cast<Revision>(number_in((*rows)[1].front()[0]));
        auto connection = session_.get(deadline);
        auto found = !connection ? Result<Rows>(std::move(connection).error())
                                 : (*connection)
                                       ->ask({"SELECT revision FROM ocim_change WHERE revision = $1::bigint AND "
                                              "batch = $2::text",
                                              {number(batch.back().revision), {id, false}},
                                              false},
                                             deadline);
        if (!found) {
            session_.drop();
            continue;
        }
        if (!found->empty()) {
            ++doubts_.stored;
            leave();
            return {};
        }
        if (std::exchange(doubtful, false)) ++doubts_.not_stored;
        if (turn_ != before || refused >= attempts_max) {
            const bool others = turn_ != before;
            leave();
            if (others) return Error{ErrorClass::conflict, "others have written meanwhile"};
            return error;
        }
        turn_.reset();
        auto stored = store(batch, id, Steady::now() + turn_limit);
        if (stored) return stored;
        session_.drop();
        error = std::move(stored).error();
        doubtful = error.outcome_unknown;
        if (!doubtful) ++refused;
    }
    error.outcome_unknown = doubtful;
    return error;
}

// --- hearing

PostgresListener::PostgresListener(PostgresSettings settings, const Interrupt& interrupt)
    : session_(std::move(settings), interrupt, [](PostgresConnection& connection, PostgresSession::Deadline deadline) {
          auto listening = connection.ask(plain("LISTEN ocim"), deadline);
          return listening ? Result<void>() : Result<void>(std::move(listening).error());
      }) {}

Result<void> PostgresListener::wait(std::chrono::milliseconds most) {
    const auto deadline = Steady::now() + most;
    const bool fresh = !session_.is_open();
    auto connection = session_.get(Steady::now() + read_limit);
    if (!connection) {
        session_.pause(most);
        return std::move(connection).error();
    }
    if (fresh) return {};
    auto told = (*connection)->wait_for_notice(deadline);
    if (told) return {};
    session_.drop();
    return std::move(told).error();
}

}  // namespace ocim::store
