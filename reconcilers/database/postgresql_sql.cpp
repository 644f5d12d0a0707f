#include "database/postgresql_sql.hpp"

#include "runtime/base64.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace ocim::database::postgresql {

namespace {

constexpr std::size_t digest_bytes = 32;

std::string quoted(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        out += c;
        if (c == quote) out += c;
    }
    return out + quote;
}

std::string_view suffix(Group which) {
    switch (which) {
        case Group::owner: return ":owner";
        case Group::writer: return ":writer";
        case Group::reader: break;
    }
    return ":reader";
}

constexpr std::string_view fingerprint_word = " f=", ends_word = " x=";

/// What the account's rights to a database are called as one of its groups.
std::optional<Group> group_for(const std::set<std::string>& wanted) {
    if (wanted.contains("ALL")) return Group::owner;
    if (wanted.contains("INSERT")) return Group::writer;
    if (wanted.contains("SELECT")) return Group::reader;
    return std::nullopt;
}

constexpr std::array attributes{std::string_view("CREATEDB"), std::string_view("CREATEROLE"),
                                std::string_view("REPLICATION"), std::string_view("BYPASSRLS"),
                                std::string_view("SUPERUSER")};

std::string set_attributes(const Key& key, const std::set<std::string>& wanted, const std::set<std::string>& taken) {
    auto out = "ALTER ROLE " + identifier(key.name);
    for (const auto attribute : attributes)
        out += (wanted.contains(std::string(attribute)) ? " " : " NO") + std::string(attribute);
    for (const auto& item : taken)
        if (item.starts_with(member_of))
            out += "; REVOKE " + identifier(item.substr(member_of.size())) + " FROM " + identifier(key.name);
    return out;
}

}  // namespace

std::string identifier(std::string_view name) { return quoted(name, '"'); }
std::string literal(std::string_view text) { return quoted(text, '\''); }

std::string array(const std::vector<std::string>& texts) {
    std::string out = "{";
    for (const auto& text : texts) {
        out += out.size() == 1 ? "\"" : ",\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

bool is_verifier(std::string_view text) {
    constexpr std::string_view head = "SCRAM-SHA-256$";
    if (!text.starts_with(head)) return false;
    text.remove_prefix(head.size());
    const auto middle = text.find('$');
    if (middle == std::string_view::npos) return false;
    const auto salt = text.substr(0, middle).find(':');
    const auto keys = text.substr(middle + 1).find(':');
    if (salt == std::string_view::npos || salt == 0 || keys == std::string_view::npos) return false;
    const auto count = text.substr(0, salt);
    if (!std::ranges::all_of(count, [](char c) { return c >= '0' && c <= '9'; })) return false;
    const auto stored = runtime::from_base64(text.substr(middle + 1, keys));
    const auto server = runtime::from_base64(text.substr(middle + 2 + keys));
    return runtime::from_base64(text.substr(salt + 1, middle - salt - 1)) && stored && server &&
           stored->size() == digest_bytes && server->size() == digest_bytes;
}

std::string group(std::string_view database, Group which) { return std::string(database) + std::string(suffix(which)); }

std::optional<GroupOf> group_of(std::string_view role) {
    for (const auto which : groups)
        if (role.size() > suffix(which).size() && role.ends_with(suffix(which)))
            return GroupOf{std::string(role.substr(0, role.size() - suffix(which).size())), which};
    return std::nullopt;
}

std::string encoding(std::string_view character_set) {
    if (character_set == "utf8mb4" || character_set == "utf8" || character_set == "utf8mb3") return "UTF8";
    std::string out;
    for (const char c : character_set) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

std::string default_collation(std::string_view encoding) { return encoding == "UTF8" ? "C.UTF-8" : "C"; }

std::string remark_text(const Remark& remark) {
    auto out = remark.mark ? remark.mark->text() : std::string();
    if (remark.ends) out += std::string(ends_word) + std::to_string(*remark.ends);
    if (!remark.fingerprint.empty()) out += std::string(fingerprint_word) + remark.fingerprint;
    return out;
}

Remark parse_remark(std::string_view text) {
    Remark out;
    const auto print = text.rfind(fingerprint_word);
    auto rest = text.substr(0, print);
    if (const auto at = rest.rfind(ends_word); at != std::string_view::npos) {
        const auto digits = rest.substr(at + ends_word.size());
        std::int64_t ends = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), ends);
        if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return {};
        out.ends = ends;
        rest = rest.substr(0, at);
    }
    out.mark = runtime::Mark::parse(rest);
    if (!out.mark) return {};
    if (print != std::string_view::npos) out.fingerprint = std::string(text.substr(print + fingerprint_word.size()));
    return out;
}

ErrorClass class_of(std::string_view state) {
    struct Entry {
        std::string_view state;
        ErrorClass error_class;
    };
    static constexpr std::array table{
        Entry{"28", ErrorClass::auth},         // wrong password, or pg_hba.conf does not let us in
        Entry{"42501", ErrorClass::auth},      // a right is lacking
        Entry{"3D000", ErrorClass::conflict},  // no such database
        Entry{"53300", ErrorClass::rate_limited},
        Entry{"53400", ErrorClass::rate_limited},
        Entry{"57P01", ErrorClass::unreachable},  // shut down by its administrator
        Entry{"57P02", ErrorClass::unreachable},
        Entry{"57P03", ErrorClass::unreachable},  // starting
        Entry{"08", ErrorClass::unreachable},
        Entry{"42710", ErrorClass::conflict},  // role exists
        Entry{"42P04", ErrorClass::conflict},  // database exists
        Entry{"23505", ErrorClass::conflict},  // the same, when two are at it
        Entry{"42704", ErrorClass::conflict},  // no such role
        Entry{"2BP01", ErrorClass::conflict},  // something depends on it
        Entry{"42601", ErrorClass::invalid},   // syntax
        Entry{"42602", ErrorClass::invalid},   // name
        Entry{"42622", ErrorClass::invalid},   // name too long
        Entry{"42939", ErrorClass::invalid},   // reserved name
        Entry{"22023", ErrorClass::invalid},   // no such encoding or locale
        Entry{"42809", ErrorClass::invalid},
    };
    for (const auto& entry : table)
        if (state.starts_with(entry.state)) return entry.error_class;
    return ErrorClass::transient;  // 25006, 40001, 40P01, 55006, 55P03, 57014, XX000 among them: try again
}

std::string make_groups(const std::string& database, const Remark& remark, const std::set<std::string>& have) {
    std::string out;
    for (const auto which : groups) {
        const auto name = group(database, which);
        if (!have.contains(name)) out += "CREATE ROLE " + identifier(name) + " NOLOGIN; ";
        out += "COMMENT ON ROLE " + identifier(name) + " IS " + literal(remark_text(remark)) + "; ";
    }
    return out;
}

std::string drop_groups(const std::string& database) {
    // the owner's group carries the mark: it is the last to go
    return "DROP ROLE IF EXISTS " + identifier(group(database, Group::reader)) + ", " +
           identifier(group(database, Group::writer)) + ", " + identifier(group(database, Group::owner));
}

std::string create_database(const Action& action) {
    const auto chosen = encoding(action.character_set);
    const auto collation = literal(action.collation.empty() ? default_collation(chosen) : action.collation);
    // template0, because others may have a session in template1
    return "CREATE DATABASE " + identifier(action.key.name) + " OWNER " +
           identifier(group(action.key.name, Group::owner)) + " TEMPLATE template0 ENCODING " + literal(chosen) +
           " LC_COLLATE " + collation + " LC_CTYPE " + collation;
}

std::string drop_database(const std::string& database) {
    return "DROP DATABASE IF EXISTS " + identifier(database) + " WITH (FORCE)";
}

std::string close_doors(const std::string& database) {
    const auto name = identifier(database);
    const auto writer = identifier(group(database, Group::writer)), reader = identifier(group(database, Group::reader));
    return "ALTER DATABASE " + name + " OWNER TO " + identifier(group(database, Group::owner)) + "; ALTER DATABASE " +
           name + " ALLOW_CONNECTIONS true; REVOKE ALL ON DATABASE " + name + " FROM PUBLIC, " + writer + ", " +
           reader + "; GRANT CONNECT ON DATABASE " + name + " TO " + writer + ", " + reader + "; COMMENT ON DATABASE " +
           name + " IS NULL";
}

std::string mark_database(const std::string& database, const Remark& remark) {
    return "COMMENT ON DATABASE " + identifier(database) + " IS " + literal(remark_text(remark));
}

constexpr std::string_view name_groups =
    "SELECT set_config('ocim.owner', $1, false), set_config('ocim.writer', $2, false),"
    " set_config('ocim.reader', $3, false)";

constexpr std::string_view settle_inside = R"sql(DO $do$
DECLARE
    owner text := current_setting('ocim.owner');
    writer text := current_setting('ocim.writer');
    reader text := current_setting('ocim.reader');
    item record;
BEGIN
    FOR item IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
            AND c.relowner <> quote_ident(owner)::regrole AND NOT EXISTS (SELECT 1 FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'e', 'i')) LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', item.name, owner);
    END LOOP;
    FOR item IN SELECT n.nspname AS name FROM pg_namespace n
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' LOOP
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %I, %I', item.name, writer, reader);
        EXECUTE format('GRANT ALL ON SCHEMA %I TO %I', item.name, owner);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', item.name, writer, reader);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', item.name, reader);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', item.name, writer);
        EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', item.name, reader);
        EXECUTE format('GRANT SELECT, USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA %I TO %I', item.name, writer);
    END LOOP;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT USAGE ON SCHEMAS TO %I, %I', owner, writer, reader);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON TABLES TO %I', owner, reader);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', owner, writer);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON SEQUENCES TO %I', owner, reader);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT, USAGE, UPDATE ON SEQUENCES TO %I', owner, writer);
    FOR item IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
            AND p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea') LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', item.name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I, %I', item.name, owner, writer);
    END LOOP;
END
$do$)sql";

std::string create_account(const Key& key, const std::string& hash, const std::string& remark) {
    return "CREATE ROLE " + identifier(key.name) + " LOGIN INHERIT PASSWORD " + literal(hash) + "; " +
           write_remark(key, remark);
}
std::string alter_account(const Key& key, const std::string& hash, const std::string& remark) {
    return "ALTER ROLE " + identifier(key.name) + " LOGIN INHERIT PASSWORD " + literal(hash) +
           " VALID UNTIL 'infinity'; " + write_remark(key, remark);
}
std::string close_account(const Key& key) { return "ALTER ROLE " + identifier(key.name) + " NOLOGIN"; }
std::string drop_account(const Key& key) { return "DROP ROLE IF EXISTS " + identifier(key.name); }
std::string leave(const Key& key, const std::string& heir) {
    const auto name = identifier(key.name);
    return "REASSIGN OWNED BY " + name + " TO " + identifier(heir) + "; DROP OWNED BY " + name;
}
std::string write_remark(const Key& key, const std::string& remark) {
    return "COMMENT ON ROLE " + identifier(key.name) + " IS " + literal(remark);
}

std::string set_rights(const Key& grant, const std::set<std::string>& wanted, const std::set<std::string>& taken,
                       const std::set<std::string>& have) {
    if (grant.database == whole_server) return set_attributes(grant, wanted, taken);
    const auto database = plain(grant.database);
    const auto who = identifier(grant.name), where = identifier(database);
    const auto level = group_for(wanted);
    std::string out;
    const auto add = [&out](const std::string& statement) { out += (out.empty() ? "" : "; ") + statement; };
    for (const auto which : groups) {
        const auto name = group(database, which);
        if (!have.contains(name)) continue;
        add(which == level ? "GRANT " + identifier(name) + " TO " + who + "; REVOKE ADMIN OPTION FOR " +
                                 identifier(name) + " FROM " + who
                           : "REVOKE " + identifier(name) + " FROM " + who);
    }
    if (!have.contains(database)) return out;
    add("REVOKE ALL ON DATABASE " + where + " FROM " + who);
    for (const std::string privilege : {"CONNECT", "TEMPORARY"})
        if (wanted.contains(privilege)) add("GRANT " + privilege + " ON DATABASE " + where + " TO " + who);
    add("ALTER ROLE " + who + " IN DATABASE " + where +
        (level == Group::owner ? " SET role TO " + literal(group(database, Group::owner)) : " RESET role"));
    return out;
}

std::set<std::string> reduced(std::set<std::string> privileges) {
    if (privileges.contains("ALL")) return {"ALL"};
    if (privileges.contains("SELECT")) privileges.erase("CONNECT");
    return privileges;
}

bool understood(const std::set<std::string>& privileges, bool whole, std::string& invalid) {
    static const std::set<std::string> of_server{"CREATEDB", "CREATEROLE", "REPLICATION"};
    static const std::set<std::string> of_database{"ALL",    "SELECT",  "INSERT",   "UPDATE",
                                                   "DELETE", "CONNECT", "TEMPORARY"};
    for (const auto& privilege : privileges) {
        if ((whole ? of_server : of_database).contains(privilege)) continue;
        invalid = privilege;
        return false;
    }
    const auto writes = privileges.contains("INSERT") + privileges.contains("UPDATE") + privileges.contains("DELETE");
    if (privileges.contains("ALL") || writes == 0 || (writes == 3 && privileges.contains("SELECT"))) return true;
    invalid = "INSERT, UPDATE and DELETE go together, with SELECT";
    return false;
}

}  // namespace ocim::database::postgresql
