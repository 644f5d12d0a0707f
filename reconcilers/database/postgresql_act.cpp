#include "database/postgresql_act.hpp"

#include "database/postgresql_sql.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

namespace ocim::database::postgresql {

namespace {

using Verb = Action::Verb;
/// Jobs that are looked up in one statement.
constexpr std::size_t jobs_max = 500;
constexpr std::string_view exists_already[] = {"42710", "42P04", "23505"};

/// What is there of some names now.
struct Named {
    struct Role {
        Remark remark;
        std::string hash;
    };
    struct Database {
        Remark remark;
        std::string owner;
    };
    std::map<std::string, Role> roles;
    std::map<std::string, Database> databases;

    bool exists(const Key& key) const {
        return key.kind == Key::Kind::schema ? databases.contains(key.name) : roles.contains(key.name);
    }
    bool has_note(const Key& key) const {
        return key.kind == Key::Kind::schema && roles.contains(group(key.name, Group::owner));
    }
    std::optional<runtime::Mark> mark(const Key& key) const { return remark(key).mark; }
    Remark remark(const Key& key) const {
        if (key.kind != Key::Kind::schema) {
            const auto found = roles.find(key.name);
            return found == roles.end() ? Remark{} : found->second.remark;
        }
        const auto own_group = group(key.name, Group::owner);
        const auto note = roles.find(own_group);
        const auto database = databases.find(key.name);
        const bool speaks = database == databases.end() || database->second.owner == own_group;
        if (note != roles.end() && speaks && note->second.remark.mark) return note->second.remark;
        return database == databases.end() ? Remark{} : database->second.remark;
    }
    /// Ours by its groups, and not whole: that it is, its own remark says, once the inside is settled.
    bool unsettled(const std::string& database) const {
        const auto found = databases.find(database);
        return found != databases.end() && found->second.owner == group(database, Group::owner) &&
               !found->second.remark.mark;
    }
    std::set<std::string> frame(const std::string& database) const {
        std::set<std::string> out;
        for (const auto which : groups)
            if (roles.contains(group(database, which))) out.insert(group(database, which));
        if (databases.contains(database)) out.insert(database);
        return out;
    }
};

Result<Named> look_up(Connection& connection, const std::vector<Key>& keys) {
    std::vector<std::string> databases, roles;
    for (const auto& key : keys) {
        if (key.kind == Key::Kind::user) roles.push_back(key.name);
        if (key.kind != Key::Kind::schema) continue;
        databases.push_back(key.name);
        for (const auto which : groups) roles.push_back(group(key.name, which));
    }
    auto found = connection.query(read_named, {array(databases), array(roles)});
    if (!found) return std::move(found).error();
    Named out;
    for (std::size_t row = 0; row < found->rows.size(); ++row) {
        const auto name = found->cell(row, "name");
        auto remark = parse_remark(found->cell(row, "remark"));
        if (found->cell(row, "kind") == "database")
            out.databases[name] = {std::move(remark), found->cell(row, "owner")};
        else
            out.roles[name] = {std::move(remark), found->cell(row, "hash")};
    }
    return out;
}

bool creates(Verb verb) { return verb == Verb::create_schema || verb == Verb::create_user; }
bool alters(Verb verb) {
    return verb == Verb::alter_schema || verb == Verb::alter_user || verb == Verb::mark || verb == Verb::close_user;
}

/// Decides about one job. `promised` is what the jobs before it will have made ours.
void settle_job(Job& job, const Named& named, std::map<Key, runtime::Mark>& promised) {
    const auto& action = job.action;
    const auto ours = [&](const Key& key) {
        const auto made = promised.find(key);
        const auto mark = made != promised.end() ? std::optional(made->second) : named.mark(key);
        return mark && same_owner(*mark, action.mark);
    };
    for (const auto& key : grounds(action))
        if (!ours(key)) job.refused = appeared(key);
    if (!creates(action.verb) && !alters(action.verb)) return;
    const auto& key = action.key;
    job.is_there = named.exists(key);
    if (key.kind == Key::Kind::schema) {
        job.frame = named.frame(key.name);
        job.unsettled = named.unsettled(key.name);
    }
    if (key.kind == Key::Kind::schema && promised.contains(key))  // an earlier job of these makes them
        for (const auto which : groups) job.frame.insert(group(key.name, which));
    const bool strangers = (job.is_there || named.has_note(key)) && !ours(key);
    const bool takes_over = action.verb == Verb::mark && !named.mark(key);
    if ((strangers && !takes_over) || (alters(action.verb) && !job.is_there)) {
        job.refused = appeared(key);
        return;
    }
    promised[key] = action.mark;
    if (const auto role = named.roles.find(key.name); key.kind == Key::Kind::user && role != named.roles.end())
        if (!action.password.empty() &&
            role->second.remark.fingerprint == fingerprint(role->second.hash, action.password))
            job.hash = role->second.hash;  // it is that password already: salted anew it would look like another
}

Result<Done> made(const Job& job, const std::string& hash = "") {
    auto then = job.action.then.value_or(Thing{});
    if (!hash.empty()) {
        then.login = Thing::Login::salted;
        then.hash = hash;
        then.fingerprint = fingerprint(hash, job.action.password);
    }
    if (job.action.key.kind == Key::Kind::schema && job.action.verb != Verb::mark) {
        then.character_set = encoding(job.action.character_set);
        then.collation = job.action.collation.empty() ? default_collation(then.character_set) : job.action.collation;
        then.whole = true;
    }
    return Done{{{job.action.key, std::move(then)}}};
}

/// Everything about a database but that it is there.
Result<void> settle(Connection& connection, const Job& job) {
    const auto& name = job.action.key.name;
    auto done = connection.execute(make_groups(name, Remark{job.action.mark}, job.frame) + close_doors(name));
    if (!done) return done;
    auto inside = connection.open_in(name);
    if (!inside) return std::move(inside).error();
    auto named = (*inside)->query(name_groups,
                                  {group(name, Group::owner), group(name, Group::writer), group(name, Group::reader)});
    if (!named) return std::move(named).error();
    if (done = (*inside)->execute(settle_inside); !done) return done;
    return connection.execute(mark_database(name, Remark{job.action.mark}));
}

Error invalid_if_its_words_are(std::string_view state, Error error) {
    for (const std::string_view word : {"42704", "22023", "42809", "42602"})  // encoding, locale
        if (state == word) error.error_class = ErrorClass::invalid;
    return error;
}

Result<Done> create_schema(Connection& connection, const Job& job) {
    const auto& action = job.action;
    const auto& name = action.key.name;
    if (!job.is_there) {
        if (auto done = connection.execute(make_groups(name, Remark{action.mark}, job.frame)); !done) {
            if (std::ranges::find(exists_already, connection.state()) != std::end(exists_already))
                return appeared(action.key);
            return std::move(done).error();
        }
        if (auto done = connection.execute(create_database(action)); !done) {
            auto error = std::move(done).error();
            if (error.error_class == ErrorClass::unreachable) return error;
            const auto state = connection.state();
            // nothing was made; or somebody was faster than we, and it is theirs
            if (auto struck = connection.execute(drop_groups(name)); !struck) return std::move(struck).error();
            if (std::ranges::find(exists_already, state) != std::end(exists_already)) return appeared(action.key);
            return invalid_if_its_words_are(state, std::move(error));
        }
    }
    auto again = job;
    for (const auto which : groups) again.frame.insert(group(name, which));
    if (job.is_there) again.frame = job.frame;
    if (auto done = settle(connection, again); !done) return std::move(done).error();
    return made(job);
}

Result<Done> alter_schema(Connection& connection, const Job& job) {
    auto found = connection.query(read_unchangeable, {job.action.key.name});
    if (!found) return std::move(found).error();
    if (found->rows.empty()) return appeared(job.action.key);
    const auto wanted = encoding(job.action.character_set);
    const auto collation = job.action.collation.empty() ? default_collation(wanted) : job.action.collation;
    if (found->cell(0, "encoding") != wanted || found->cell(0, "collation") != collation)
        return Error{ErrorClass::invalid, "database " + job.action.key.name + " has the character set " +
                                              found->cell(0, "encoding") + " and the collation " +
                                              found->cell(0, "collation") +
                                              ", which PostgreSQL cannot change: declare these, or make another"};
    if (auto done = settle(connection, job); !done) return std::move(done).error();
    return made(job);
}

Result<Done> set_account(Connection& connection, const Job& job) {
    auto hash = job.hash;
    if (hash.empty()) {
        auto computed = connection.verifier(job.action.password);
        if (!computed) return std::move(computed).error();
        hash = *std::move(computed);
    }
    const auto& key = job.action.key;
    const auto text = remark_text({job.action.mark, fingerprint(hash, job.action.password)});
    auto done = connection.execute(job.is_there ? alter_account(key, hash, text) : create_account(key, hash, text));
    if (done) return made(job, hash);
    if (!job.is_there && std::ranges::find(exists_already, connection.state()) != std::end(exists_already))
        return appeared(key);
    return std::move(done).error();
}

Result<Done> write_mark(Connection& connection, const Job& job) {
    const auto& action = job.action;
    const Remark said{action.mark, action.then ? action.then->fingerprint : "", action.ends};
    const auto& name = action.key.name;
    const auto own = job.unsettled ? "" : mark_database(name, said);
    const auto statements = action.key.kind == Key::Kind::user ? write_remark(action.key, remark_text(said))
                                                               : make_groups(name, said, job.frame) + own;
    if (auto done = connection.execute(statements); !done) return std::move(done).error();
    return made(job);
}

/// Whether a window is over that was: what is noted is what that was decided on.
bool is_still_over(const Action& action, const Key& key, const Named& named) {
    const auto noted = named.remark(key);
    return noted.ends == action.ends && noted.mark && same_owner(*noted.mark, action.mark);
}

Result<Done> change_rights(Connection& connection, const Job& job) {
    const auto& action = job.action;
    const auto database = plain(action.key.database);
    auto named = look_up(connection, {Key{Key::Kind::schema, database, "", ""},
                                      Key{Key::Kind::user, action.key.name, action.key.host, ""}});
    if (!named) return std::move(named).error();
    const bool grants = action.verb == Verb::grant;
    if (!grants && action.ends)  // because the window of the database is over
        if (const Key schema{Key::Kind::schema, database, "", ""}; !is_still_over(action, schema, *named))
            return taken_back(schema);
    const Done gone{{{action.key, std::nullopt}}};
    if (!named->roles.contains(action.key.name)) {
        if (grants) return appeared(action.key);
        return gone;
    }
    const auto statements =
        set_rights(action.key, grants ? action.add : std::set<std::string>{}, action.take, named->frame(database));
    if (!statements.empty())
        if (auto done = connection.execute(statements); !done) return std::move(done).error();
    return grants ? made(job) : Result<Done>(gone);
}

/// What the account made in our databases is their owners' from then on.
Result<void> take_belongings(Connection& connection, const Key& key) {
    auto owned = connection.query(read_owned, {key.name});
    if (!owned) return std::move(owned).error();
    if (!owned->rows.empty())
        return Error{ErrorClass::transient, "role " + key.name + " owns the database " + owned->cell(0, "datname") +
                                                ": give it another owner, or drop it"};
    auto where = connection.query(read_dependents, {key.name});
    if (!where) return std::move(where).error();
    for (std::size_t row = 0; row < where->rows.size(); ++row) {
        const auto database = where->cell(row, "datname");
        if (!where->is_true(row, "ours"))
            return Error{ErrorClass::transient, "role " + key.name +
                                                    " owns something, or has rights, in the database " + database +
                                                    ", which is not ours: reassign it"};
        auto inside = connection.open_in(database);
        if (!inside) return std::move(inside).error();
        if (auto left = (*inside)->execute(leave(key, group(database, Group::owner))); !left) return left;
    }
    return connection.execute("DROP OWNED BY " + identifier(key.name));  // rights to databases
}

Result<Done> close_account(Connection& connection, const Job& job) {
    const auto& action = job.action;
    const Remark said{action.mark, action.then ? action.then->fingerprint : "", action.ends};
    auto done =
        connection.execute(postgresql::close_account(action.key) + "; " + write_remark(action.key, remark_text(said)));
    if (!done) return std::move(done).error();
    if (auto ended = connection.query(end_sessions, {action.key.name}); !ended) return std::move(ended).error();
    return made(job);
}

/// Whether a window has been ended before its time: what is noted is not what the drop was decided on.
bool was_taken_back(const Action& action, const Named& named) {
    return action.ends && named.remark(action.key).ends != action.ends;
}

/// Whether what is there now is not what the drop was decided on, but another's, or nobody's.
bool is_anothers(const Job& job, const Named& named) {
    const auto mark = named.mark(job.action.key);
    return mark ? !same_owner(*mark, job.action.mark) : named.exists(job.action.key);
}

Result<Done> drop_account(Connection& connection, const Job& job) {
    const auto& key = job.action.key;
    auto named = look_up(connection, {key});
    if (!named) return std::move(named).error();
    if (is_anothers(job, *named)) return appeared(key);
    if (was_taken_back(job.action, *named)) return taken_back(key);
    if (named->roles.contains(key.name)) {
        // closed before its sessions end, so that none comes back
        if (auto done = connection.execute(postgresql::close_account(key)); !done) return std::move(done).error();
        if (auto ended = connection.query(end_sessions, {key.name}); !ended) return std::move(ended).error();
        if (auto done = take_belongings(connection, key); !done) return std::move(done).error();
        if (auto done = connection.execute(postgresql::drop_account(key)); !done) return std::move(done).error();
    }
    Done out{{{key, std::nullopt}}};
    for (const auto& grant : job.action.gone_too) out.now.emplace_back(grant, std::nullopt);
    return out;
}

Result<Done> drop_schema(Connection& connection, const Job& job) {
    if (job.action.ends) {
        auto named = look_up(connection, {job.action.key});
        if (!named) return std::move(named).error();
        if (was_taken_back(job.action, *named)) return taken_back(job.action.key);
    }
    for (const auto& statement : {drop_database(job.action.key.name), drop_groups(job.action.key.name)})
        if (auto done = connection.execute(statement); !done) return std::move(done).error();
    return Done{{{job.action.key, std::nullopt}}};
}

}  // namespace

Result<void> prepare(Connection& connection, std::vector<Job>& jobs) {
    std::map<Key, runtime::Mark> promised;
    for (std::size_t from = 0; from < jobs.size(); from += jobs_max) {
        const auto some = std::span(jobs).subspan(from, std::min(jobs_max, jobs.size() - from));
        std::vector<Key> keys;
        for (const auto& job : some) {
            const auto needed = grounds(job.action);
            keys.insert(keys.end(), needed.begin(), needed.end());
            const auto verb = job.action.verb;
            if (creates(verb) || alters(verb) || verb == Verb::drop_schema) keys.push_back(job.action.key);
        }
        if (keys.empty()) continue;
        auto named = look_up(connection, keys);
        if (!named) return std::move(named).error();
        for (auto& job : some) {
            settle_job(job, *named, promised);
            if (job.action.verb == Verb::drop_schema && is_anothers(job, *named))
                job.refused = appeared(job.action.key);
        }
    }
    return {};
}

Result<Done> perform(Connection& connection, const Job& job) {
    if (job.refused) return *job.refused;
    switch (job.action.verb) {
        case Verb::mark: return write_mark(connection, job);
        case Verb::create_schema: return create_schema(connection, job);
        case Verb::alter_schema: return alter_schema(connection, job);
        case Verb::create_user:
        case Verb::alter_user: return set_account(connection, job);
        case Verb::grant:
        case Verb::revoke: return change_rights(connection, job);
        case Verb::close_user: return close_account(connection, job);
        case Verb::drop_user: return drop_account(connection, job);
        case Verb::drop_schema: return drop_schema(connection, job);
        case Verb::forget: break;
    }
    if (job.action.key.kind == Key::Kind::schema)
        if (auto done = connection.execute(drop_groups(job.action.key.name)); !done) return std::move(done).error();
    return Done{{{job.action.key, std::nullopt}}};
}

}  // namespace ocim::database::postgresql
