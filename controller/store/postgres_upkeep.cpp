#include "store/postgres_log.hpp"
#include "store/postgres_words.hpp"

#include <algorithm>
#include <limits>

/// What is done to the log besides appending to it.
namespace ocim::store {

namespace {
using Steady = std::chrono::steady_clock;

/// Takes away what was replaced or deleted up to a revision. Before the last compaction everything is so already: only
/// what the changes since then have replaced is looked for.
void add_forgetting(std::vector<Statement>& out, Revision revision) {
    out.push_back(
        {"DELETE FROM ocim_change AS earlier USING ocim_change AS later, ocim_meta AS meta WHERE "
         "earlier.key = later.key AND earlier.revision < later.revision AND later.revision <= $1::bigint "
         "AND later.revision > meta.compacted",
         {number(revision)},
         false});
    out.push_back(
        {"DELETE FROM ocim_change USING ocim_meta AS meta WHERE deleted AND ocim_change.revision <= "
         "$1::bigint AND ocim_change.revision > meta.compacted",
         {number(revision)},
         false});
}

}  // namespace

Result<void> PostgresWriter::compact(Revision revision) {
    std::vector<Statement> statements{plain(begin_turn), plain(long_statements)};
    add_forgetting(statements, revision);
    statements.push_back(
        {"UPDATE ocim_meta SET compacted = greatest(compacted, $1::bigint)", {number(revision)}, false});
    return look_after(std::move(statements));
}

Result<void> PostgresWriter::go_on_above(Revision above) {
    constexpr auto all = static_cast<Revision>(std::numeric_limits<std::int64_t>::max());
    std::vector<Statement> statements{plain(begin_turn), plain(long_statements), plain(lock_row)};
    add_forgetting(statements, all);
    statements.push_back(
        {"UPDATE ocim_meta SET revision = greatest(revision, $1::bigint) + 1, compacted = "
         "greatest(revision, $1::bigint) + 1",
         {number(above)},
         false});
    statements.push_back(plain("SELECT pg_notify('ocim', '')"));
    return look_after(std::move(statements));
}

Result<void> PostgresWriter::look_after(std::vector<Statement> statements) {
    statements.push_back(plain("COMMIT"));
    auto connection = session_.get(Steady::now() + turn_limit);
    if (!connection) return std::move(connection).error();
    auto done = (*connection)->run(statements, Steady::now() + load_limit);
    if (done) return {};
    session_.drop();
    return std::move(done).error();
}

Result<void> PostgresWriter::seed(const std::vector<Change>& changes, Revision revision, const std::string& seal) {
    constexpr std::size_t slice = 1'000;
    auto rows = take_turn(0, Steady::now() + turn_limit);
    if (!rows) return std::move(rows).error();
    auto connection = session_.get(Steady::now() + turn_limit);
    if (number_in((*rows)[1].front()[0]) != 0 || !(*rows)[2].empty()) {
        session_.drop();
        return Error{ErrorClass::conflict, "the database holds a store already"};
    }
    Result<void> stored;
    for (std::size_t at = 0; stored && at < changes.size(); at += slice) {
        std::vector<Statement> statements;
        for (auto i = at; i < std::min(changes.size(), at + slice); ++i)
            statements.push_back(insert(changes[i], name_));
        auto ran = (*connection)->run(statements, Steady::now() + load_limit);
        if (!ran) stored = std::move(ran).error();
    }
    if (stored) {
        auto ended = (*connection)
                         ->run({{"UPDATE ocim_meta SET revision = $1::bigint, compacted = $1::bigint, seal = $2::bytea",
                                 {number(revision), {seal, true}},
                                 false},
                                plain("COMMIT")},
                               Steady::now() + turn_limit);
        if (!ended) stored = std::move(ended).error();
    }
    session_.drop();
    return stored;
}

Result<PostgresWriter::Rewritten> PostgresWriter::rewrite(const std::string& prefix, Revision after, std::size_t count,
                                                          const Replace& change) {
    const auto deadline = Steady::now() + turn_limit;
    auto connection = session_.get(deadline);
    if (!connection) return std::move(connection).error();
    auto rows = (*connection)
                    ->ask({"SELECT revision, key, value FROM ocim_change WHERE revision > $1::bigint AND "
                           "starts_with(key, $2::text) ORDER BY revision LIMIT $3::bigint",
                           {number(after), {prefix, false}, number(count)},
                           false},
                          deadline);
    if (!rows) {
        session_.drop();
        return std::move(rows).error();
    }
    Rewritten out;
    if (rows->size() == count) out.next = static_cast<Revision>(number_in(rows->back()[0]));
    // one transaction, of which each part stands for itself: a change that compaction removes meanwhile is not missed
    std::vector<Statement> statements;
    for (const auto& row : *rows) {
        auto value = change(row[1], row[2]);
        if (!value) return std::move(value).error();
        if (!*value) continue;
        statements.push_back({"UPDATE ocim_change SET value = $2::bytea WHERE revision = $1::bigint",
                              {number(static_cast<Revision>(number_in(row[0]))), {**std::move(value), true}},
                              false});
    }
    out.changed = statements.size();
    if (statements.empty()) return out;
    if (auto ran = (*connection)->run(statements, deadline); !ran) {
        session_.drop();
        return std::move(ran).error();
    }
    return out;
}

}  // namespace ocim::store
