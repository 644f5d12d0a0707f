#include "database/mongodb_read.hpp"

#include <algorithm>
#include <cstdint>
#include <map>

namespace ocim::database::mongodb {

namespace {

/// Answers that a list of notes may take: they are bounded in number, not only each in size.
constexpr int pages_max = 200;
/// Halvings until a part fits into an answer: seven for each letter that names begin with alike.
constexpr int halvings_max = 128;

/// Reads users by name from `from` up to `below`; what does not fit into an answer is read in halves.
Result<void> read_users_into(Connection& connection, const std::string& from, const std::string& below, int halvings,
                             std::vector<Json>& out) {
    const bool all = from.empty() && below.empty();
    auto answer = connection.run("admin", all ? read_users() : read_users_between(from, below));
    if (!answer) {
        const auto middle = between(from, below);
        if (!is_too_large(connection.code()) || halvings == 0 || middle.empty()) return std::move(answer).error();
        if (auto low = read_users_into(connection, from, middle, halvings - 1, out); !low) return low;
        return read_users_into(connection, middle, below, halvings - 1, out);
    }
    auto users = list_in(*std::move(answer), {"users"}, "user");
    if (!users) return std::move(users).error();
    out.insert(out.end(), std::make_move_iterator(users->begin()), std::make_move_iterator(users->end()));
    return {};
}

Result<std::vector<Json>> read_all_notes(Connection& connection, const Ways& ways) {
    std::vector<Json> out;
    auto answer = connection.run(ways.metadata, read_notes());
    for (int page = 0; page < pages_max; ++page) {
        if (!answer) return std::move(answer).error();
        const Json said = *std::move(answer);
        auto notes = list_in(said, {"cursor", page == 0 ? "firstBatch" : "nextBatch"}, "_id");
        if (!notes) return std::move(notes).error();
        out.insert(out.end(), std::make_move_iterator(notes->begin()), std::make_move_iterator(notes->end()));
        const auto* cursor = api::find(said, {"cursor", "id"});
        if (!cursor || !cursor->is_int64())
            return Error{ErrorClass::transient, "find: an answer that does not say whether there is more"};
        if (cursor->get_int64() == 0) return out;
        answer = connection.run(ways.metadata, read_more(cursor->get_int64()));
    }
    return Error{ErrorClass::transient, "there are more notes in " + ways.metadata + ".owned than are read"};
}

void add_databases(const Reading& reading, const Ways& ways, Snapshot& out) {
    for (const auto& name : reading.databases) {
        out[{Key::Kind::schema, name, "", ""}];
        // where there is "Wiki" nobody can store anything in "wiki" (13297)
        if (auto small = in_small_letters(name); small != name)
            out[{Key::Kind::schema, std::move(small), "", ""}].reserved = true;
    }
    for (const std::string& name : {std::string("admin"), std::string("config"), std::string("local"), ways.metadata})
        out[{Key::Kind::schema, name, "", ""}].reserved = true;
    for (const auto& note : reading.notes) {
        const auto remark = parse_note(note);
        auto& thing = out[{Key::Kind::schema, std::string(api::find_text(note, {"_id"})), "", ""}];
        thing.mark = remark.mark;
        thing.ends = remark.ends;
        // a database is there once something is stored in it: where our note stands it is as good as there
        thing.exists = !remark.pending;
    }
    for (auto& [key, thing] : out)
        if (key.kind == Key::Kind::schema && thing.exists) thing.character_set = "utf8mb4";
}

void add_user(const Json& user, const Ways& ways, Snapshot& out) {
    const auto key =
        account_key(std::string(api::find_text(user, {"user"})), std::string(api::find_text(user, {"db"})));
    auto& thing = out[key];
    const auto remark = parse_custom_data(user);
    thing.mark = remark.mark;
    thing.fingerprint = remark.fingerprint;
    thing.ends = remark.ends;
    thing.hash = credentials_text(user);
    thing.login = has_mechanisms(user, ways.mechanisms) ? Thing::Login::salted : Thing::Login::unknown;
    const auto rights = rights_of(user);
    thing.locked = remark.closed && rights.empty();
    thing.reserved =
        key == ways.own_account || home_of(key) == "local" || home_of(key) == "config" || home_of(key) == ways.metadata;
    for (const auto& [database, roles] : rights)
        out[{Key::Kind::grant, key.name, key.host, database}].privileges = roles;
}

}  // namespace

Result<std::vector<Json>> list_in(const Json& answer, std::initializer_list<std::string_view> path,
                                  std::string_view name) {
    const auto* found = api::find(answer, path);
    const Error unexpected{ErrorClass::transient, "an answer without the list that it should have"};
    if (!found || !found->is_array()) return unexpected;
    std::vector<Json> out(found->get_array().begin(), found->get_array().end());
    const auto named = [&](const Json& one) { return !api::find_text(one, {name}).empty(); };
    if (!std::ranges::all_of(out, named)) return unexpected;
    return out;
}

std::string between(const std::string& from, const std::string& below) {
    constexpr int digits = 6;  // behind what both begin with they are numbers of base 128; other bytes are above all
    const auto apart = std::ranges::mismatch(from, below).in1;
    const std::string common(from.begin(), apart);
    const auto number = [&common](std::string_view whole) {
        const auto text = whole.substr(std::min(common.size(), whole.size()));
        std::uint64_t out = 0;
        for (int i = 0; i < digits; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const auto byte = at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
            out = out * 128 + std::min(byte, 127u);
        }
        return out;
    };
    const auto low = number(from), high = below.empty() ? std::uint64_t{1} << (7 * digits) : number(below);
    auto middle = low + (high - low) / 2;
    std::string out(digits, '\0');
    for (int i = digits - 1; i >= 0; --i, middle /= 128)
        out[static_cast<std::size_t>(i)] = static_cast<char>(std::max<std::uint64_t>(middle % 128, 1));
    out.insert(0, common);
    return out > from && (below.empty() || out < below) ? out : "";
}

Result<Reading> read(Connection& connection, const Ways& ways) {
    Reading out;
    if (auto done = read_users_into(connection, "", "", halvings_max, out.users); !done) return std::move(done).error();
    auto answer = connection.run("admin", read_databases());
    if (!answer) return std::move(answer).error();
    auto databases = list_in(*std::move(answer), {"databases"}, "name");
    if (!databases) return std::move(databases).error();
    for (const auto& database : *databases) out.databases.emplace_back(api::find_text(database, {"name"}));
    auto notes = read_all_notes(connection, ways);
    if (!notes) return std::move(notes).error();
    out.notes = *std::move(notes);
    return out;
}

Snapshot snapshot_of(const Reading& reading, const Ways& ways) {
    Snapshot out;
    auto& server = out[{Key::Kind::server, "", "", ""}];
    server.engine = Engine::mongodb;
    server.reserved = true;
    add_databases(reading, ways, out);
    for (const auto& user : reading.users) add_user(user, ways, out);
    return out;
}

}  // namespace ocim::database::mongodb
