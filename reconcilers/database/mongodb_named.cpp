#include "database/mongodb_named.hpp"

#include "database/mongodb_read.hpp"

namespace ocim::database::mongodb {

namespace {

Result<void> look_up_notes(Connection& connection, const Ways& ways, const std::set<std::string>& names, Named& out) {
    if (names.empty()) return {};
    auto answer = connection.run(ways.metadata, read_these_notes(names));
    if (!answer) return std::move(answer).error();
    auto notes = list_in(*std::move(answer), {"cursor", "firstBatch"}, "_id");
    if (!notes) return std::move(notes).error();
    for (const auto& note : *notes) out.notes[std::string(api::find_text(note, {"_id"}))] = parse_note(note);
    return {};
}

}  // namespace

Result<void> look_up_users(Connection& connection, const std::vector<Key>& accounts, Named& out) {
    if (accounts.empty()) return {};
    auto answer = connection.run("admin", read_these_users(accounts));
    if (!answer && is_too_large(connection.code()) && accounts.size() > 1) {
        const auto middle = accounts.begin() + static_cast<std::ptrdiff_t>(accounts.size() / 2);
        if (auto low = look_up_users(connection, {accounts.begin(), middle}, out); !low) return low;
        return look_up_users(connection, {middle, accounts.end()}, out);
    }
    if (!answer) return std::move(answer).error();
    auto users = list_in(*std::move(answer), {"users"}, "user");
    if (!users) return std::move(users).error();
    for (auto& user : *users) {
        const auto key =
            account_key(std::string(api::find_text(user, {"user"})), std::string(api::find_text(user, {"db"})));
        out.users[key] = std::move(user);
    }
    return {};
}

Result<void> look_up_databases(Connection& connection, const std::set<std::string>& names, Named& out) {
    if (names.empty()) return {};
    auto answer = connection.run("admin", read_these_databases(names));
    if (!answer) return std::move(answer).error();
    auto databases = list_in(*std::move(answer), {"databases"}, "name");
    if (!databases) return std::move(databases).error();
    for (const auto& database : *databases) out.databases.emplace(api::find_text(database, {"name"}));
    return {};
}

Result<void> look_up_in_any_case(Connection& connection, const std::set<std::string>& names, Named& out) {
    if (names.empty()) return {};
    auto answer = connection.run("admin", read_databases());
    if (!answer) return std::move(answer).error();
    auto databases = list_in(*std::move(answer), {"databases"}, "name");
    if (!databases) return std::move(databases).error();
    for (const auto& database : *databases) {
        const std::string name(api::find_text(database, {"name"}));
        for (const auto& one : {name, in_small_letters(name)})
            if (names.contains(one)) out.databases.insert(one);
    }
    return {};
}

Result<Named> look_up(Connection& connection, const Ways& ways, const std::vector<Key>& keys) {
    std::vector<Key> accounts;
    std::set<std::string> names;
    for (const auto& key : keys) {
        if (key.kind == Key::Kind::user) accounts.push_back(key);
        if (key.kind == Key::Kind::schema) names.insert(key.name);
    }
    Named out;
    if (auto done = look_up_users(connection, accounts, out); !done) return std::move(done).error();
    if (auto done = look_up_in_any_case(connection, names, out); !done) return std::move(done).error();
    if (auto done = look_up_notes(connection, ways, names, out); !done) return std::move(done).error();
    return out;
}

bool is_anothers(const Action& action, const Named& named) {
    const auto mark = named.remark(action.key).mark;
    return mark ? !same_owner(*mark, action.mark) : named.exists(action.key);
}
bool was_taken_back(const Action& action, const Named& named) {
    return action.ends && named.remark(action.key).ends != action.ends;
}

}  // namespace ocim::database::mongodb
