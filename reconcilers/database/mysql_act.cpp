#include "database/mysql_act.hpp"

#include "database/mysql_read.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace ocim::database::mysql {

namespace {

using Verb = Action::Verb;
constexpr unsigned no_such_table = 1146, no_such_schema = 1049, schema_exists = 1007, account_exists_or_not = 1396,
                   not_granted = 1141, no_such_session = 1094, no_such_column = 1054, column_exists = 1060;
/// Jobs whose notes go in one statement: well below the smallest max_allowed_packet in use (1 MiB).
constexpr std::size_t jobs_max = 500;

bool creates(Verb verb) { return verb == Verb::create_schema || verb == Verb::create_user; }
/// Whether its note is written first. A new password's is, because the fingerprint is in it.
bool notes(Verb verb) {
    return creates(verb) || verb == Verb::mark || verb == Verb::alter_user || verb == Verb::close_user;
}
/// Whether it may only be done while the note says when its window ends.
bool ends_window(const Action& action) {
    return action.ends &&
           (action.verb == Verb::drop_user || action.verb == Verb::drop_schema || action.verb == Verb::revoke);
}
/// Whose note that is: rights to a schema go with it.
Key noted_key(const Action& action) {
    if (action.verb != Verb::revoke) return action.key;
    return {Key::Kind::schema, plain(action.key.database), "", ""};
}

Result<std::map<Key, Note>> notes_now(Connection& connection, const std::string& metadata,
                                      const std::vector<Key>& keys) {
    auto found = connection.query(read_notes(metadata, keys));
    if (found) return notes_of(*found);
    if (connection.code() != no_such_table && connection.code() != no_such_schema) return std::move(found).error();
    for (const auto& statement : make_notes(metadata))
        if (auto made = connection.execute(statement); !made) return std::move(made).error();
    return std::map<Key, Note>{};
}

Result<std::set<Key>> there_now(Connection& connection, const std::vector<Key>& keys) {
    std::set<Key> out;
    const auto statement = existing(keys);
    if (statement.empty()) return out;
    auto found = connection.query(statement);
    if (!found) return std::move(found).error();
    for (const auto& row : found->rows)
        if (auto key = key_of_note(row[0].value_or(""), row[1].value_or(""))) out.insert(*std::move(key));
    return out;
}

Result<void> write(Connection& connection, const std::string& metadata, const std::vector<Note>& notes) {
    const auto statement = write_notes(metadata, notes);
    auto written = connection.execute(statement);
    if (written || connection.code() != no_such_column) return written;
    for (const auto& lacking : upgrade_notes(metadata)) {
        auto added = connection.execute(lacking);
        if (!added && connection.code() != column_exists) return added;
    }
    return connection.execute(statement);
}

/// What the server will store of the job's passwords.
void hash_passwords(const Dialect& dialect, Job& job) {
    const auto& action = job.action;
    if (dialect.mariadb) {
        job.hash = native_hash(action.password);
        if (action.second) job.second_hash = native_hash(*action.second);
    } else {
        job.hash = salted_hash(action.password, job.salt);
        if (action.second) job.second_hash = salted_hash(*action.second, job.second_salt);
    }
    job.fingerprint = fingerprint(job.hash, action.password);
    if (action.second) job.second_fingerprint = fingerprint(job.second_hash, *action.second);
    if (dialect.mariadb || !action.second) return;
    // what is set last is the first there, and retains what was set before
    std::swap(job.hash, job.second_hash);
    std::swap(job.fingerprint, job.second_fingerprint);
}

/// Prepares up to jobs_max jobs.
Result<void> prepare_some(Connection& connection, const std::string& metadata, std::span<Job*> jobs) {
    std::vector<Key> keys, made;
    for (const auto* job : jobs) {
        const auto needed = grounds(job->action);
        if (notes(job->action.verb) || ends_window(job->action)) keys.push_back(noted_key(job->action));
        keys.insert(keys.end(), needed.begin(), needed.end());
        if (creates(job->action.verb)) made.push_back(job->action.key);
    }
    auto noted = notes_now(connection, metadata, keys);
    if (!noted) return std::move(noted).error();
    auto there = there_now(connection, made);
    if (!there) return std::move(there).error();
    std::vector<Note> out;
    for (auto* job : jobs) {
        const auto& action = job->action;
        for (const auto& key : grounds(action)) {
            const auto note = noted->find(key);
            if (note == noted->end() || !same_owner(note->second.mark, action.mark)) job->refused = appeared(key);
        }
        const auto note = noted->find(noted_key(action));
        if (ends_window(action) &&
            (note == noted->end() || note->second.ends != action.ends || !same_owner(note->second.mark, action.mark)))
            job->refused = taken_back(noted_key(action));
        if (!notes(action.verb)) continue;
        const bool ours = note != noted->end() && same_owner(note->second.mark, action.mark);
        job->is_there = creates(action.verb) && there->contains(action.key);
        if (!ours && (note != noted->end() || job->is_there)) {
            job->refused = appeared(action.key);
            continue;
        }
        const Note written{action.key, action.mark, job->fingerprint, job->second_fingerprint, action.ends};
        (*noted)[action.key] = written;
        out.push_back(written);
    }
    if (out.empty()) return {};
    return write(connection, metadata, out);
}

Result<Done> made(const Job& job) {
    auto then = job.action.then.value_or(Thing{});
    if (!job.hash.empty()) {
        then.login = job.hash.starts_with('*') ? Thing::Login::native : Thing::Login::salted;
        then.hash = job.hash;
        then.fingerprint = job.fingerprint;
        then.second_hash = job.second_hash;
        then.second_fingerprint = job.second_fingerprint;
    }
    return Done{{{job.action.key, std::move(then)}}};
}

Result<Done> run(Connection& connection, const std::vector<std::string>& statements, Result<Done> then) {
    for (const auto& statement : statements)
        if (auto done = connection.execute(statement); !done) return std::move(done).error();
    return then;
}

/// Makes it, or makes it equal where an earlier try of ours made it.
Result<Done> create(Connection& connection, const std::string& metadata, const Job& job) {
    const auto& action = job.action;
    const bool schema = action.verb == Verb::create_schema;
    const auto& dialect = connection.dialect();
    if (job.is_there)
        return run(connection,
                   schema ? std::vector{alter_schema(action)} : alter_user(dialect, action.key, job.hash, ""),
                   made(job));
    auto result = connection.execute(schema ? create_schema(action) : create_user(dialect, action.key, job.hash));
    if (result) return made(job);
    if (outcome_unknown(connection.code())) return std::move(result).error();
    // nothing was made; or somebody was faster than our note, and it is theirs
    const auto code = connection.code();
    if (auto struck = connection.execute(strike_notes(metadata, {action.key})); !struck)
        return std::move(struck).error();
    if (code == schema_exists || code == account_exists_or_not) return appeared(action.key);
    return std::move(result).error();
}

Result<void> close_account(Connection& connection, const Key& key) {
    // locked before its sessions end, so that none comes back
    if (auto done = connection.execute(lock_user(key)); !done) return std::move(done).error();
    auto sessions = connection.query(sessions_of(key));
    if (!sessions) return std::move(sessions).error();
    for (std::size_t row = 0; row < sessions->rows.size(); ++row) {
        auto killed = connection.execute("KILL " + sessions->cell(row, "ID"));
        if (!killed && connection.code() != no_such_session) return std::move(killed).error();
    }
    return {};
}

Result<Done> drop_account(Connection& connection, const std::string& metadata, const Job& job) {
    const auto& key = job.action.key;
    if (auto closed = close_account(connection, key); !closed) return std::move(closed).error();
    for (const auto& statement : {drop_user(key), strike_notes(metadata, {key})})
        if (auto done = connection.execute(statement); !done) return std::move(done).error();
    Done out{{{key, std::nullopt}}};
    for (const auto& grant : job.action.gone_too) out.now.emplace_back(grant, std::nullopt);
    return out;
}

/// What is to be taken may be gone already.
Result<Done> set_rights(Connection& connection, const Action& action, Result<Done> then) {
    for (const auto& statement : set_privileges(connection.dialect(), action)) {
        auto done = connection.execute(statement);
        if (!done && connection.code() != not_granted) return std::move(done).error();
    }
    return then;
}

}  // namespace

Result<void> prepare(Connection& connection, const std::string& metadata, std::vector<Job>& jobs) {
    std::vector<Job*> noted;
    for (auto& job : jobs) {
        const auto verb = job.action.verb;
        if (verb == Verb::create_user || verb == Verb::alter_user) hash_passwords(connection.dialect(), job);
        if (notes(verb) || verb == Verb::grant || ends_window(job.action)) noted.push_back(&job);
    }
    for (std::size_t from = 0; from < noted.size(); from += jobs_max) {
        const auto some = std::span(noted).subspan(from, std::min(jobs_max, noted.size() - from));
        if (auto done = prepare_some(connection, metadata, some); !done) return done;
    }
    return {};
}

Result<Done> perform(Connection& connection, const std::string& metadata, const Job& job) {
    if (job.refused) return *job.refused;
    const auto& action = job.action;
    const auto& key = action.key;
    const Done gone{{{key, std::nullopt}}};
    switch (action.verb) {
        case Verb::mark: return made(job);  // prepare() wrote it
        case Verb::create_schema:
        case Verb::create_user: return create(connection, metadata, job);
        case Verb::alter_schema: return run(connection, {alter_schema(action)}, made(job));
        case Verb::alter_user:
            return run(connection, alter_user(connection.dialect(), key, job.hash, job.second_hash), made(job));
        case Verb::grant: return set_rights(connection, action, made(job));
        case Verb::revoke: return set_rights(connection, action, gone);
        case Verb::close_user:
            if (auto closed = close_account(connection, key); !closed) return std::move(closed).error();
            return made(job);
        case Verb::drop_user: return drop_account(connection, metadata, job);
        case Verb::drop_schema: return run(connection, {drop_schema(key), strike_notes(metadata, {key})}, gone);
        case Verb::forget: break;
    }
    return run(connection, {strike_notes(metadata, {key})}, gone);
}

}  // namespace ocim::database::mysql
