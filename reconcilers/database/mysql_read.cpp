#include "database/mysql_read.hpp"

#include "api/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace ocim::database::mysql {

namespace {

constexpr unsigned no_such_table = 1146, no_such_schema = 1049;
constexpr std::string_view grant_option = "GRANT OPTION";

constexpr std::string_view users_of_mariadb =
    "SELECT u.*, JSON_VALUE(p.Priv, '$.account_locked') AS ocim_locked,"
    " JSON_LENGTH(p.Priv, '$.auth_or') AS ocim_methods,"  // one method alone may be left in a list
    " JSON_VALUE(p.Priv, '$.auth_or[1].plugin') AS ocim_second_plugin,"
    " JSON_VALUE(p.Priv, '$.auth_or[1].authentication_string') AS ocim_second"
    " FROM mysql.user u JOIN mysql.global_priv p ON p.Host = u.Host AND p.User = u.User";
constexpr std::string_view users_of_mysql = "SELECT * FROM mysql.user";

Thing::Login login_of(const Table& users, std::size_t row) {
    const auto plugin = users.cell(row, "plugin");
    const auto methods = users.cell(row, "ocim_methods");
    const bool one = methods.empty() || methods == "0" || methods == "1";
    if (!one && (methods != "2" || users.cell(row, "ocim_second_plugin") != "mysql_native_password"))
        return Thing::Login::unknown;
    if (plugin.empty() || plugin == "mysql_native_password") return Thing::Login::native;
    if (!one) return Thing::Login::unknown;
    if (plugin == "caching_sha2_password") return Thing::Login::salted;
    return Thing::Login::unknown;
}

/// MariaDB lists methods, MySQL keeps a second password among the account's attributes.
std::string second_hash_of(const Table& users, std::size_t row) {
    const auto text = users.cell(row, "User_attributes");
    if (text.empty()) return users.cell(row, "ocim_second");
    const auto attributes = api::parse_json(text);
    return attributes ? std::string(api::find_text(attributes->value, {"additional_password"})) : "";
}

/// 0, or a column that is not there: none.
std::optional<std::int64_t> ends_of(const std::string& text) {
    std::int64_t out = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    if (read.ec != std::errc() || out == 0) return std::nullopt;
    return out;
}

/// The privileges of one row, by its columns.
Thing rights_of(const Table& table, std::size_t row) {
    Thing out;
    bool all = true;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        auto privilege = privilege_of_column(table.columns[i]);
        if (privilege.empty()) continue;
        if (table.rows[row][i] == "Y")
            out.privileges.insert(std::move(privilege));
        else if (privilege != grant_option)
            all = false;
    }
    if (!all) return out;
    std::erase_if(out.privileges, [](const auto& privilege) { return privilege != grant_option; });
    out.privileges.insert("ALL");
    return out;
}

/// With literal names the server shows what we call a pattern without its backslashes.
std::string as_pattern(const std::string& database, const Dialect& dialect) {
    return dialect.literal_grants ? pattern(database) : database;
}

void add_schemas(const Reading& reading, const std::string& metadata, Snapshot& out) {
    static constexpr std::array servers_own{std::string_view("mysql"), std::string_view("sys"),
                                            std::string_view("information_schema"),
                                            std::string_view("performance_schema")};
    for (std::size_t row = 0; row < reading.schemas.rows.size(); ++row) {
        const auto name = reading.schemas.cell(row, "SCHEMA_NAME");
        auto& thing = out[{Key::Kind::schema, name, "", ""}];
        thing.character_set = reading.schemas.cell(row, "DEFAULT_CHARACTER_SET_NAME");
        thing.collation = reading.schemas.cell(row, "DEFAULT_COLLATION_NAME");
        thing.reserved = name == metadata || std::ranges::find(servers_own, name) != servers_own.end();
    }
}

void add_users(const Reading& reading, const std::string& own_account, Snapshot& out) {
    const auto& users = reading.users;
    for (std::size_t row = 0; row < users.rows.size(); ++row) {
        if (users.cell(row, "is_role") == "Y") continue;
        const auto name = users.cell(row, "User"), host = users.cell(row, "Host");
        auto& thing = out[{Key::Kind::user, name, host, ""}];
        thing.login = login_of(users, row);
        thing.hash = users.cell(row, "authentication_string");
        thing.second_hash = second_hash_of(users, row);
        // MariaDB says true in its JSON, MySQL has a column
        thing.locked = users.cell(row, "ocim_locked") == "1" || users.cell(row, "ocim_locked") == "true" ||
                       users.cell(row, "account_locked") == "Y";
        thing.reserved = name + "@" + host == own_account || name == "root" || name.starts_with("mysql") ||
                         name.starts_with("mariadb.");
        auto rights = rights_of(users, row);
        if (rights.privileges.empty()) continue;
        out[{Key::Kind::grant, name, host, std::string(whole_server)}] = std::move(rights);
    }
}

}  // namespace

Result<Reading> read(Connection& connection, const std::string& metadata) {
    Reading out;
    auto notes = connection.query(read_notes(metadata));
    if (notes)
        out.notes = *std::move(notes);
    else if (connection.code() != no_such_table && connection.code() != no_such_schema)
        return std::move(notes).error();
    struct Step {
        Table& table;
        std::string statement;
    };
    const auto users = connection.dialect().mariadb ? users_of_mariadb : users_of_mysql;
    for (auto& [table, statement] : {Step{out.schemas,
                                          "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME"
                                          " FROM information_schema.SCHEMATA"},
                                     Step{out.users, std::string(users)}, Step{out.grants, "SELECT * FROM mysql.db"}}) {
        auto found = connection.query(statement);
        if (!found) return std::move(found).error();
        table = *std::move(found);
    }
    // no server is without accounts: less was shown to us than there is
    if (out.users.rows.empty()) return Error{ErrorClass::auth, "our account may not read mysql.user"};
    return out;
}

std::map<Key, Note> notes_of(const Table& notes) {
    std::map<Key, Note> out;
    for (std::size_t row = 0; row < notes.rows.size(); ++row) {
        const auto key = key_of_note(notes.cell(row, "kind"), notes.cell(row, "name"));
        if (!key) continue;
        out[*key] = {*key,
                     {notes.cell(row, "installation"), notes.cell(row, "namespace_name"), notes.cell(row, "uid"),
                      notes.cell(row, "retained") == "1"},
                     notes.cell(row, "fingerprint"),
                     notes.cell(row, "second_fingerprint"),
                     ends_of(notes.cell(row, "ends"))};
    }
    return out;
}

Snapshot snapshot_of(const Reading& reading, const Dialect& dialect, const std::string& metadata,
                     const std::string& own_account) {
    Snapshot out;
    add_schemas(reading, metadata, out);
    add_users(reading, own_account, out);
    for (std::size_t row = 0; row < reading.grants.rows.size(); ++row) {
        const auto& grants = reading.grants;
        out[{Key::Kind::grant, grants.cell(row, "User"), grants.cell(row, "Host"),
             as_pattern(grants.cell(row, "Db"), dialect)}] = rights_of(grants, row);
    }
    for (const auto& [key, note] : notes_of(reading.notes)) {
        const bool exists = out.contains(key);
        auto& thing = out[key];
        thing.exists = exists;
        thing.mark = note.mark;
        thing.fingerprint = note.fingerprint;
        thing.second_fingerprint = note.second_fingerprint;
        thing.ends = note.ends;
    }
    return out;
}

}  // namespace ocim::database::mysql
