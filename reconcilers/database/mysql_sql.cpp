#include "database/mysql_sql.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

namespace ocim::database::mysql {

namespace {

std::string quoted(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        out += c;
        if (c == quote) out += c;
    }
    return out + quote;
}

std::string joined(const std::set<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

std::string table(std::string_view metadata) { return identifier(metadata) + ".`owned`"; }

std::string_view kind_text(Key::Kind kind) {
    switch (kind) {
        case Key::Kind::schema: return "schema";
        case Key::Kind::user: return "user";
        case Key::Kind::grant:
        case Key::Kind::server: break;
    }
    return "grant";
}

/// (('schema','a'),('user','b@%'))
std::string tuples(const std::vector<Key>& keys) {
    std::string out;
    for (const auto& key : keys)
        out += (out.empty() ? "((" : ",(") + literal(kind_text(key.kind)) + "," + literal(thing_name(key)) + ")";
    return out + ")";
}

std::string scope(const Dialect& dialect, const std::string& database) {
    if (database == whole_server) return "*.*";
    if (!dialect.literal_grants) return identifier(database) + ".*";
    return identifier(plain(database)) + ".*";
}

std::string charset_clause(const Action& action) {
    auto out = " CHARACTER SET " + literal(action.character_set);
    if (!action.collation.empty()) out += " COLLATE " + literal(action.collation);
    return out;
}

constexpr std::string_view second_column = "second_fingerprint VARCHAR(64) NOT NULL DEFAULT ''",
                           ends_column = "ends BIGINT NOT NULL DEFAULT 0";

std::string identified(const Dialect& dialect, const std::string& hash) {
    if (dialect.mariadb) return " IDENTIFIED VIA mysql_native_password USING " + literal(hash);
    return " IDENTIFIED WITH caching_sha2_password AS " + literal(hash);
}

}  // namespace

std::string identifier(std::string_view name) { return quoted(name, '`'); }
std::string literal(std::string_view text) { return quoted(text, '\''); }
std::string account(const Key& key) { return literal(key.name) + "@" + literal(key.host); }

std::string privilege_of_column(std::string_view column) {
    constexpr std::string_view tail = "_priv";
    if (!column.ends_with(tail)) return "";
    column.remove_suffix(tail.size());
    struct Odd {
        std::string_view column, privilege;
    };
    static constexpr std::array odd{Odd{"Create_tmp_table", "CREATE TEMPORARY TABLES"}, Odd{"Grant", "GRANT OPTION"},
                                    Odd{"Show_db", "SHOW DATABASES"}, Odd{"Repl_slave", "REPLICATION SLAVE"},
                                    Odd{"Repl_client", "REPLICATION CLIENT"}};
    for (const auto& item : odd)
        if (item.column == column) return std::string(item.privilege);
    std::string out(column);
    for (auto& c : out) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

std::string canonical_charset(std::string_view name) {
    if (name == "utf8") return "utf8mb3";
    if (name.starts_with("utf8_")) return "utf8mb3_" + std::string(name.substr(5));
    return std::string(name);
}

ErrorClass class_of(unsigned code) {
    switch (code) {
        case 1045:  // access denied
        case 1698:  // the account logs in by socket only
        case 1044:  // no right to this schema
        case 1142:  // no right to this table
        case 1227:  // one of several privileges is needed
        case 1251:  // a client without the server's method
        case 1524:  // a method that is not loaded
        case 2059:  // a method that the client does not have
        case 2061:  // caching_sha2_password asks for TLS
            return ErrorClass::auth;
        case 1040:  // too many connections
        case 1203:  // of this user
        case 1226:  // resource limit of this user
            return ErrorClass::rate_limited;
        case 1129:  // our host is blocked after failed handshakes
        case 1130:  // our host is not allowed
        case 2001:
        case 2002:
        case 2003:
        case 2004:
        case 2005:
        case 2006:
        case 2007:
        case 2009:
        case 2012:
        case 2013:
        case 2026:  // TLS refused
        case 2027:  // what came is not the protocol
        case 2055: return ErrorClass::unreachable;
        case 1007:  // schema exists
        case 1008:  // schema does not exist
        case 1396:  // account exists, or not
        case 1133:  // grant to an account that is not there
        case 1410:  // the same on MySQL
        case 1141:  // revoke of what is not granted
        case 1049:  // unknown schema
            return ErrorClass::conflict;
        case 1064:  // syntax
        case 1102:  // name of a schema
        case 1115:  // unknown character set
        case 1253:  // collation of another character set
        case 1273:  // unknown collation
        case 1470:  // name too long
        case 1819:  // password policy
        case 1827:  // not a hash of that method
            return ErrorClass::invalid;
        default: return ErrorClass::transient;  // 1205, 1213, 1290, 1836 among them: try again
    }
}

bool outcome_unknown(unsigned code) { return code == 2006 || code == 2013 || code == 2027 || code == 2055; }

std::string session_settings(const Dialect& dialect) {
    // without NO_AUTO_CREATE_USER a GRANT makes an account without password; MySQL 8 has no such mode any more
    const std::string modes = dialect.mariadb ? "STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER,NO_BACKSLASH_ESCAPES"
                                              : "STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES";
    // less than the read time-out, so that the server tells us that a table is in use before we hang up
    return "SET SESSION sql_mode=" + literal(modes) + ", lock_wait_timeout=20, innodb_lock_wait_timeout=20";
}

std::vector<std::string> make_notes(std::string_view metadata) {
    return {"CREATE DATABASE IF NOT EXISTS " + identifier(metadata) + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "CREATE TABLE IF NOT EXISTS " + table(metadata) +
                " (kind VARCHAR(16) NOT NULL, name VARCHAR(330) NOT NULL, installation VARCHAR(64) NOT NULL,"
                " namespace_name VARCHAR(330) NOT NULL, uid VARCHAR(64) NOT NULL, retained TINYINT NOT NULL DEFAULT 0,"
                " fingerprint VARCHAR(64) NOT NULL DEFAULT '', " +
                std::string(second_column) + ", " + std::string(ends_column) +
                ", created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,"
                " PRIMARY KEY (kind, name)) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"};
}

std::vector<std::string> upgrade_notes(std::string_view metadata) {
    return {"ALTER TABLE " + table(metadata) + " ADD COLUMN " + std::string(second_column),
            "ALTER TABLE " + table(metadata) + " ADD COLUMN " + std::string(ends_column)};
}

std::optional<Key> key_of_note(std::string_view kind, std::string_view name) {
    if (kind == "schema") return Key{Key::Kind::schema, std::string(name), "", ""};
    const auto at = name.find('@');
    if (kind != "user" || at == std::string_view::npos) return std::nullopt;
    return Key{Key::Kind::user, std::string(name.substr(0, at)), std::string(name.substr(at + 1)), ""};
}

std::string read_notes(std::string_view metadata) {
    return "SELECT * FROM " + table(metadata);  // one of an earlier release has fewer columns
}
std::string read_notes(std::string_view metadata, const std::vector<Key>& keys) {
    return read_notes(metadata) + " WHERE (kind, name) IN " + tuples(keys);
}

std::string write_notes(std::string_view metadata, const std::vector<Note>& notes) {
    std::string out =
        "INSERT INTO " + table(metadata) +
        " (kind, name, installation, namespace_name, uid, retained, fingerprint, second_fingerprint, ends) VALUES ";
    bool first = true;
    for (const auto& note : notes) {
        out += first ? "(" : ", (";
        first = false;
        for (const auto& text : {std::string(kind_text(note.key.kind)), thing_name(note.key), note.mark.installation,
                                 note.mark.namespace_name, note.mark.uid})
            out += literal(text) + ", ";
        out += std::string(note.mark.retained ? "1" : "0") + ", " + literal(note.fingerprint) + ", " +
               literal(note.second_fingerprint) + ", " + std::to_string(note.ends.value_or(0)) + ")";
    }
    return out +
           " ON DUPLICATE KEY UPDATE uid=VALUES(uid), retained=VALUES(retained), ends=VALUES(ends),"
           " second_fingerprint=IF(VALUES(fingerprint)='', second_fingerprint, VALUES(second_fingerprint)),"
           " fingerprint=IF(VALUES(fingerprint)='', fingerprint, VALUES(fingerprint))";
}

std::string strike_notes(std::string_view metadata, const std::vector<Key>& keys) {
    return "DELETE FROM " + table(metadata) + " WHERE (kind, name) IN " + tuples(keys);
}

std::string existing(const std::vector<Key>& keys) {
    std::string schemas, users;
    for (const auto& key : keys) {
        if (key.kind == Key::Kind::schema) schemas += (schemas.empty() ? "" : ",") + literal(key.name);
        if (key.kind == Key::Kind::user)
            users += (users.empty() ? "(" : ",(") + literal(key.name) + "," + literal(key.host) + ")";
    }
    std::string out;
    if (!schemas.empty())
        out = "SELECT 'schema', SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (" + schemas + ")";
    if (!users.empty())
        out += std::string(out.empty() ? "" : " UNION ALL ") +
               "SELECT 'user', CONCAT(User, '@', Host) FROM mysql.user WHERE (User, Host) IN (" + users + ")";
    return out;
}

std::string create_schema(const Action& action) {
    return "CREATE DATABASE " + identifier(action.key.name) + charset_clause(action);
}
std::string alter_schema(const Action& action) {
    return "ALTER DATABASE " + identifier(action.key.name) + charset_clause(action);
}
std::string create_user(const Dialect& dialect, const Key& key, const std::string& hash) {
    return "CREATE USER " + account(key) + identified(dialect, hash);
}
std::vector<std::string> alter_user(const Dialect& dialect, const Key& key, const std::string& hash,
                                    const std::string& second) {
    const auto who = "ALTER USER " + account(key);
    if (dialect.mariadb) {
        const auto either = second.empty() ? "" : " OR mysql_native_password USING " + literal(second);
        return {who + identified(dialect, hash) + either + " ACCOUNT UNLOCK"};
    }
    if (second.empty()) return {who + identified(dialect, hash) + " ACCOUNT UNLOCK", who + " DISCARD OLD PASSWORD"};
    return {who + identified(dialect, second) + " ACCOUNT UNLOCK",
            who + identified(dialect, hash) + " RETAIN CURRENT PASSWORD"};
}

std::vector<std::string> set_privileges(const Dialect& dialect, const Action& action) {
    const auto where = " ON " + scope(dialect, action.key.database);
    const auto who = account(action.key);
    std::vector<std::string> out;
    auto take = action.take;
    // What is too much goes first where it cannot be named in part: "ALL", and of the whole server, where there are
    // privileges that no column shows.
    const bool whole = action.key.database == whole_server && !take.empty();
    if (whole || take.contains("ALL")) {
        out.push_back("REVOKE ALL PRIVILEGES" + where + " FROM " + who);
        std::erase_if(take, [](const auto& privilege) { return privilege != "GRANT OPTION"; });
    }
    if (!action.add.empty()) out.push_back("GRANT " + joined(action.add) + where + " TO " + who);
    if (!take.empty()) out.push_back("REVOKE " + joined(take) + where + " FROM " + who);
    return out;
}

std::string lock_user(const Key& key) { return "ALTER USER IF EXISTS " + account(key) + " ACCOUNT LOCK"; }
std::string sessions_of(const Key& key) {
    return "SELECT ID FROM information_schema.PROCESSLIST WHERE USER=" + literal(key.name) +
           " AND (SELECT COUNT(*) FROM mysql.user WHERE User=" + literal(key.name) + ") = 1";
}
std::string drop_user(const Key& key) { return "DROP USER IF EXISTS " + account(key); }
std::string drop_schema(const Key& key) { return "DROP DATABASE IF EXISTS " + identifier(key.name); }

}  // namespace ocim::database::mysql
