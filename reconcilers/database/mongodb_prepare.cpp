#include "database/mongodb_act.hpp"
#include "database/mongodb_named.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>

namespace ocim::database::mongodb {

namespace {

using Verb = Action::Verb;
/// Jobs that are looked up at once.
constexpr std::size_t jobs_max = 500;

bool creates(Verb verb) { return verb == Verb::create_schema || verb == Verb::create_user; }
bool alters(Verb verb) {
    return verb == Verb::alter_schema || verb == Verb::alter_user || verb == Verb::mark || verb == Verb::close_user;
}
bool drops(Verb verb) { return verb == Verb::drop_schema || verb == Verb::drop_user; }

/// The database that an account to be made belongs to, if that is a tenant's: it must be ours, too.
std::optional<Key> home_key(const Action& action) {
    if (action.verb != Verb::create_user || action.key.host == "%") return std::nullopt;
    return Key{Key::Kind::schema, home_of(action.key), "", ""};
}

/// What perform() must know of an account that is there.
void learn_account(Job& job, const Json& user, const Ways& ways) {
    const auto& password = job.action.password;
    job.fingerprint = parse_custom_data(user).fingerprint;
    const auto hash = credentials_text(user);
    if (!password.empty() && has_mechanisms(user, ways.mechanisms) && job.fingerprint == fingerprint(hash, password))
        job.hash = hash;  // it is that password already: salted anew it would look like another
}

/// Decides about one job. `promised` is what the jobs before it will have made ours.
void settle_job(Job& job, const Named& named, const Ways& ways, std::map<Key, runtime::Mark>& promised) {
    const auto& action = job.action;
    const auto& key = action.key;
    const auto ours = [&](const Key& of) {
        const auto made = promised.find(of);
        const auto mark = made != promised.end() ? std::optional(made->second) : named.remark(of).mark;
        return mark && same_owner(*mark, action.mark);
    };
    for (const auto& ground : grounds(action))
        if (!ours(ground)) job.refused = appeared(ground);
    if (drops(action.verb) && is_anothers(action, named)) job.refused = appeared(key);
    if (!creates(action.verb) && !alters(action.verb)) return;
    job.is_there = named.exists(key);
    const auto found = named.remark(key);
    const bool noted = found.mark.has_value();
    const bool takes_over = action.verb == Verb::mark && !noted;
    if (((job.is_there || noted) && !ours(key) && !takes_over) || (alters(action.verb) && !job.is_there)) {
        job.refused = appeared(key);
        return;
    }
    promised[key] = action.mark;
    if (key.kind == Key::Kind::schema) {
        if (noted) job.hash = found.mark->text();  // what is written on it now
        if (found.pending) job.is_there = false;
        return;
    }
    if (const auto user = named.users.find(key); user != named.users.end()) learn_account(job, user->second, ways);
}

void refuse_the_doubled(const Json& answer, const std::vector<Job*>& inserted) {
    const auto* errors = api::find(answer, {"writeErrors"});
    if (!errors || !errors->is_array()) return;
    for (const auto& error : errors->get_array()) {
        const auto* index = api::find(error, {"index"});
        const auto* code = api::find(error, {"code"});
        const auto at = index && index->is_int64() ? index->get_int64() : -1;
        if (at < 0 || static_cast<std::size_t>(at) >= inserted.size()) continue;
        auto& job = *inserted[static_cast<std::size_t>(at)];
        const auto number = code && code->is_int64() ? static_cast<int>(code->get_int64()) : 0;
        job.refused = number == duplicate_key
                          ? appeared(job.action.key)
                          : Error{class_of(number), "MongoDB error " + std::to_string(number) + ": not noted"};
    }
}

/// Notes the databases that are to be made. First that they may be ours; if nobody has one of that name then, they are:
/// whoever makes one later writes into ours.
Result<void> note_new(Connection& connection, const Ways& ways, std::span<Job> jobs) {
    std::vector<Job*> fresh;
    std::vector<api::json::object> notes;
    std::set<std::string> names, taken;
    for (auto& job : jobs) {
        if (job.action.verb != Verb::create_schema || job.refused || job.is_there) continue;
        names.insert(job.action.key.name);
        if (!job.hash.empty()) continue;  // noted by a try of before
        fresh.push_back(&job);
        Remark remark;
        remark.mark = job.action.mark;
        remark.pending = true;
        notes.push_back(note(job.action.key.name, remark));
    }
    if (names.empty()) return {};
    if (!fresh.empty()) {
        auto inserted = connection.run(ways.metadata, insert_notes(notes));
        if (!inserted) return std::move(inserted).error();
        refuse_the_doubled(*std::move(inserted), fresh);
    }
    for (const auto* job : fresh)
        if (job->refused) names.erase(job->action.key.name);
    Named now;
    if (auto done = look_up_in_any_case(connection, names, now); !done) return done;
    for (auto& job : jobs) {
        if (job.action.verb != Verb::create_schema || !names.contains(job.action.key.name)) continue;
        job.is_there = !now.databases.contains(job.action.key.name);
        if (job.is_there) continue;
        job.refused = appeared(job.action.key);
        taken.insert(job.action.key.name);
        names.erase(job.action.key.name);
    }
    if (!taken.empty())
        if (auto struck = connection.run(ways.metadata, strike_pending(taken)); !struck)
            return std::move(struck).error();
    if (!names.empty())
        if (auto settled = connection.run(ways.metadata, settle_notes(names)); !settled)
            return std::move(settled).error();
    return {};
}

/// Accounts do not come to databases that turned out to be another's.
void settle_homes(std::span<Job> jobs, const Named& named, std::map<Key, runtime::Mark>& promised) {
    for (const auto& job : jobs)
        if (job.action.verb == Verb::create_schema && job.refused) promised.erase(job.action.key);
    for (auto& job : jobs) {
        const auto home = home_key(job.action);
        if (!home || job.refused) continue;
        const auto made = promised.find(*home);
        const auto noted = named.remark(*home);
        const auto mark = made != promised.end() ? std::optional(made->second)
                          : noted.pending        ? std::nullopt
                                                 : noted.mark;
        if (!mark || !same_owner(*mark, job.action.mark)) job.refused = appeared(*home);
    }
}

}  // namespace

Result<void> prepare(Connection& connection, const Ways& ways, std::vector<Job>& jobs) {
    std::map<Key, runtime::Mark> promised;
    for (std::size_t from = 0; from < jobs.size(); from += jobs_max) {
        const auto some = std::span(jobs).subspan(from, std::min(jobs_max, jobs.size() - from));
        std::vector<Key> keys;
        for (const auto& job : some) {
            const auto needed = grounds(job.action);
            keys.insert(keys.end(), needed.begin(), needed.end());
            const auto verb = job.action.verb;
            if (creates(verb) || alters(verb) || drops(verb)) keys.push_back(job.action.key);
            if (const auto home = home_key(job.action)) keys.push_back(*home);
        }
        if (keys.empty()) continue;
        std::ranges::sort(keys);
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        auto named = look_up(connection, ways, keys);
        if (!named) return std::move(named).error();
        for (auto& job : some) settle_job(job, *named, ways, promised);
        if (auto done = note_new(connection, ways, some); !done) return done;
        settle_homes(some, *named, promised);
    }
    return {};
}

}  // namespace ocim::database::mongodb
