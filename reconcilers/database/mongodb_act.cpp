#include "database/mongodb_act.hpp"

#include "base/utf8.hpp"
#include "database/mongodb_named.hpp"

#include <tuple>

namespace ocim::database::mongodb {

namespace {

using Verb = Action::Verb;

Result<Done> made(const Job& job, const std::string& hash = "") {
    auto then = job.action.then.value_or(Thing{});
    if (!hash.empty()) {
        then.login = Thing::Login::salted;
        then.hash = hash;
        then.fingerprint = fingerprint(hash, job.action.password);
    }
    if (job.action.key.kind == Key::Kind::schema) {
        then.character_set = "utf8mb4";
        then.collation.clear();
    }
    return Done{{{job.action.key, std::move(then)}}};
}

Result<Json> look_at(Connection& connection, const Key& key) {
    Named named;
    if (auto done = look_up_users(connection, {key}, named); !done) return std::move(done).error();
    if (named.users.empty()) return appeared(key);
    return std::move(named.users.begin()->second);
}

/// Whether an account of which we have no note lets this password in: one try, and only where it cannot be computed.
Result<bool> is_password(Connection& connection, const Ways& ways, const Job& job) {
    auto user = look_at(connection, job.action.key);
    if (!user) return std::move(user).error();
    if (!has_mechanisms(*user, ways.mechanisms)) return false;
    if (const auto known = fits(*user, job.action.password)) return *known;
    return connection.lets_in(job.action.key.name, home_of(job.action.key), job.action.password,
                              ways.mechanisms.back());
}

Result<Done> set_account(Connection& connection, const Ways& ways, const Job& job) {
    const auto& [key, password] = std::tie(job.action.key, job.action.password);
    if (valid_utf8(password.reveal()) != password.reveal() || password.reveal().find('\0') != std::string::npos)
        return Error{ErrorClass::invalid, "the password of " + thing_name(key) + " is not a text in UTF-8"};
    Remark remark;
    remark.mark = job.action.mark;
    auto hash = job.hash;
    if (hash.empty()) {
        bool is_set = false;
        if (job.is_there && job.fingerprint.empty()) {
            auto known = is_password(connection, ways, job);
            if (!known) return std::move(known).error();
            is_set = *known;
        }
        if (!is_set) {
            auto command = job.is_there ? set_password(key, remark, ways) : create_account(key, remark, ways);
            auto done = connection.run(home_of(key), std::move(command), password);
            if (!done && connection.code() == user_exists) return appeared(key);
            if (!done) return std::move(done).error();
        }
        auto user = look_at(connection, key);
        if (!user) return std::move(user).error();
        if (fits(*user, password) == std::optional(false))
            return Error{ErrorClass::conflict, "somebody else sets the password of " + thing_name(key) + ", too"};
        hash = credentials_text(*user);
    }
    remark.fingerprint = fingerprint(hash, password);
    if (auto done = connection.run(home_of(key), write_remark(key, remark)); !done) return std::move(done).error();
    return made(job, hash);
}

/// Whether a change of one note has found it as it was.
bool changed_one(const api::json::object& answer) {
    const auto* count = answer.if_contains("n");
    return count && count->is_int64() && count->get_int64() == 1;
}

/// The mark of an account. One that was closed and is not to be any more gets its rights from what is declared.
Result<Done> mark_account(Connection& connection, const Job& job) {
    const auto& action = job.action;
    auto user = look_at(connection, action.key);
    if (!user) return std::move(user).error();
    auto said = parse_custom_data(*user);
    if (!action.then || !action.then->locked) said.closed = false;
    said.mark = action.mark;
    said.ends = action.ends;
    if (auto done = connection.run(home_of(action.key), write_remark(action.key, said)); !done)
        return std::move(done).error();
    return made(job);
}

Result<Done> write_mark(Connection& connection, const Ways& ways, const Job& job) {
    const auto& action = job.action;
    if (action.key.kind == Key::Kind::user) return mark_account(connection, job);
    Remark said;
    said.mark = action.mark;
    said.ends = action.ends;
    const auto former = runtime::Mark::parse(job.hash);
    auto done = connection.run(ways.metadata, former ? replace_note(action.key.name, *former, said)
                                                     : insert_notes({note(action.key.name, said)}));
    if (!done) return std::move(done).error();
    if (!changed_one(*done)) return appeared(action.key);
    return made(job);
}

/// What it may do is taken: a session that is open has no rights at its next command.
Result<Done> close(Connection& connection, const Job& job) {
    const auto& action = job.action;
    auto user = look_at(connection, action.key);
    if (!user) return std::move(user).error();
    auto said = parse_custom_data(*user);
    const auto rights = rights_of(*user);
    said.closed = true;
    said.mark = action.mark;
    said.ends = action.ends;
    auto done = connection.run(home_of(action.key), close_account(action.key, said));
    if (!done) return std::move(done).error();
    auto out = made(job);
    for (const auto& [database, roles] : rights)
        out->now.emplace_back(Key{Key::Kind::grant, action.key.name, action.key.host, database}, std::nullopt);
    return out;
}

Result<Done> grant(Connection& connection, const Job& job) {
    const auto& action = job.action;
    const auto home = home_of(action.key);
    if (!action.add.empty())
        if (auto done = connection.run(home, add_roles(action.key, action.add)); !done) return std::move(done).error();
    if (!action.take.empty()) {
        auto done = connection.run(home, take_roles(action.key, action.take));
        if (!done && connection.code() != role_not_found) return std::move(done).error();
    }
    return made(job);
}

Result<Done> revoke(Connection& connection, const Ways& ways, const Job& job) {
    const auto& action = job.action;
    if (action.ends) {  // because the window of the database is over
        const Key schema{Key::Kind::schema, plain(action.key.database), "", ""};
        auto named = look_up(connection, ways, {schema});
        if (!named) return std::move(named).error();
        const auto noted = named->remark(schema);
        if (!noted.mark || !same_owner(*noted.mark, action.mark) || noted.ends != action.ends)
            return taken_back(schema);
    }
    auto done = connection.run(home_of(action.key), take_roles(action.key, action.take));
    const auto code = connection.code();
    if (!done && code != role_not_found && code != user_not_found) return std::move(done).error();
    return Done{{{action.key, std::nullopt}}};
}

/// A fresh look before what was retained for a window goes.
Result<void> still_over(Connection& connection, const Ways& ways, const Action& action) {
    if (!action.ends) return {};
    auto named = look_up(connection, ways, {action.key});
    if (!named) return std::move(named).error();
    if (is_anothers(action, *named)) return appeared(action.key);
    if (was_taken_back(action, *named)) return taken_back(action.key);
    return {};
}

Result<Done> drop_user(Connection& connection, const Ways& ways, const Job& job) {
    const auto& key = job.action.key;
    if (auto over = still_over(connection, ways, job.action); !over) return std::move(over).error();
    auto done = connection.run(home_of(key), drop_account(key));
    if (!done && connection.code() != user_not_found) return std::move(done).error();
    Done out{{{key, std::nullopt}}};
    for (const auto& held : job.action.gone_too) out.now.emplace_back(held, std::nullopt);
    return out;
}

/// The note goes last, when the database is seen to be gone: where several routers serve one it may come late.
Result<Done> drop_schema(Connection& connection, const Ways& ways, const Job& job) {
    const auto& name = job.action.key.name;
    if (auto over = still_over(connection, ways, job.action); !over) return std::move(over).error();
    // those whom the owner of the database made there would have rights to the next of that name
    for (auto* command : {drop_users_of_database, drop_roles_of_database, mongodb::drop_database})
        if (auto done = connection.run(name, command()); !done) return std::move(done).error();
    Named named;
    if (auto done = look_up_databases(connection, {name}, named); !done) return std::move(done).error();
    if (!named.databases.empty())
        return Error{ErrorClass::transient, "database " + name + " is still there: somebody goes on to write to it"};
    if (auto done = connection.run(ways.metadata, strike_note(name)); !done) return std::move(done).error();
    return Done{{{job.action.key, std::nullopt}}};
}

}  // namespace

Result<Done> perform(Connection& connection, const Ways& ways, const Job& job) {
    if (job.refused) return *job.refused;
    switch (job.action.verb) {
        case Verb::mark: return write_mark(connection, ways, job);
        case Verb::create_schema: return made(job);  // prepare() has done it
        case Verb::alter_schema:
            return Error{ErrorClass::invalid, "database " + job.action.key.name + ": MongoDB has no character sets"};
        case Verb::create_user:
        case Verb::alter_user: return set_account(connection, ways, job);
        case Verb::grant: return grant(connection, job);
        case Verb::revoke: return revoke(connection, ways, job);
        case Verb::close_user: return close(connection, job);
        case Verb::drop_user: return drop_user(connection, ways, job);
        case Verb::drop_schema: return drop_schema(connection, ways, job);
        case Verb::forget: break;
    }
    auto struck = connection.run(ways.metadata, strike_pending({job.action.key.name}));
    if (!struck) return std::move(struck).error();
    return Done{{{job.action.key, std::nullopt}}};
}

}  // namespace ocim::database::mongodb
