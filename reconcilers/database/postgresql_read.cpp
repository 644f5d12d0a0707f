#include "database/postgresql_read.hpp"

#include "database/postgresql_sql.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace ocim::database::postgresql {

namespace {

constexpr std::string_view any_host = "%";

Key account_key(const std::string& name) { return {Key::Kind::user, name, std::string(any_host), ""}; }
Key right_key(const std::string& name, const std::string& database) {
    return {Key::Kind::grant, name, std::string(any_host), database};
}

/// Whether each database is open to its groups alone, as far as the rights to it say.
struct Doors {
    std::set<std::string> open_to_all;
    std::map<std::string, std::set<std::string>> groups_with_connect;
};

Doors doors_of(const Table& rights) {
    Doors out;
    for (std::size_t row = 0; row < rights.rows.size(); ++row) {
        const auto database = rights.cell(row, "datname");
        if (rights.is_true(row, "everybody")) out.open_to_all.insert(database);
        const auto grantee = rights.cell(row, "grantee");
        if (const auto group = group_of(grantee); group && group->database == database)
            out.groups_with_connect[database].insert(
                rights.cell(row, "privilege_type") == "CONNECT" ? grantee : "something else");
    }
    return out;
}

/// The remarks on roles, the groups' among them.
std::map<std::string, std::string> remarks_of(const Table& roles) {
    std::map<std::string, std::string> out;
    for (std::size_t row = 0; row < roles.rows.size(); ++row)
        out[roles.cell(row, "rolname")] = roles.cell(row, "remark");
    return out;
}

void add_databases(const Reading& reading, const std::map<std::string, std::string>& remarks, Snapshot& out) {
    const auto doors = doors_of(reading.rights);
    const auto& databases = reading.databases;
    for (std::size_t row = 0; row < databases.rows.size(); ++row) {
        const auto name = databases.cell(row, "datname"), owner = databases.cell(row, "owner");
        auto& thing = out[{Key::Kind::schema, name, "", ""}];
        thing.character_set = databases.cell(row, "encoding");
        thing.collation = databases.cell(row, "datcollate");
        thing.reserved = databases.is_true(row, "datistemplate") || name == "postgres";
        const auto own_group = group(name, Group::owner);
        const auto own_remark = remarks.find(own_group);
        const auto said = parse_remark(databases.cell(row, "remark"));
        const auto& own_mark = said.mark;
        thing.mark = own_mark;
        thing.ends = said.ends;
        // What its owner's group says goes first: it was marked before there was anything to own, and whoever acts as
        // the owner can write on the database but not on the group.
        if (owner == own_group && own_remark != remarks.end())
            if (const auto of_group = parse_remark(own_remark->second); of_group.mark) {
                thing.mark = of_group.mark;
                thing.ends = of_group.ends;
            }
        const auto allowed = doors.groups_with_connect.find(name);
        const std::set<std::string> expected{group(name, Group::writer), group(name, Group::reader)};
        thing.whole = own_mark && own_mark == thing.mark && owner == own_group && databases.is_true(row, "open") &&
                      !doors.open_to_all.contains(name) && allowed != doors.groups_with_connect.end() &&
                      allowed->second == expected && own_remark != remarks.end() &&
                      parse_remark(own_remark->second).mark == thing.mark;
    }
    // a group without its database: ours and unfinished, or another's who uses our names
    for (const auto& [role, remark] : remarks) {
        const auto of = group_of(role);
        if (!of) continue;
        const auto [at, made] = out.try_emplace({Key::Kind::schema, of->database, "", ""});
        if (made) at->second.exists = false;
        if (!made && (at->second.exists || of->which != Group::owner)) continue;
        const auto said = parse_remark(remark);
        at->second.mark = said.mark;
        at->second.ends = said.ends;
    }
}

void add_accounts(const Table& roles, Snapshot& out) {
    static constexpr std::array attributes{std::pair{"rolcreatedb", "CREATEDB"},
                                           std::pair{"rolcreaterole", "CREATEROLE"},
                                           std::pair{"rolreplication", "REPLICATION"},
                                           std::pair{"rolbypassrls", "BYPASSRLS"}, std::pair{"rolsuper", "SUPERUSER"}};
    for (std::size_t row = 0; row < roles.rows.size(); ++row) {
        const auto name = roles.cell(row, "rolname");
        if (group_of(name)) continue;
        auto& thing = out[account_key(name)];
        const auto remark = parse_remark(roles.cell(row, "remark"));
        thing.mark = remark.mark;
        thing.fingerprint = remark.fingerprint;
        thing.ends = remark.ends;
        thing.hash = roles.cell(row, "rolpassword");
        thing.login = is_verifier(thing.hash) ? Thing::Login::salted : Thing::Login::unknown;
        thing.locked = !roles.is_true(row, "usable");
        thing.reserved =
            roles.is_true(row, "self") || name == "postgres" || (roles.is_true(row, "rolsuper") && !thing.mark);
        for (const auto& [column, attribute] : attributes)
            if (roles.is_true(row, column))
                out[right_key(name, std::string(whole_server))].privileges.insert(attribute);
    }
}

void add_rights(const Reading& reading, Snapshot& out) {
    std::set<std::pair<std::string, std::string>> acts_as_owner;  // account, database
    for (std::size_t row = 0; row < reading.roles_taken.rows.size(); ++row) {
        const auto database = reading.roles_taken.cell(row, "datname");
        if (reading.roles_taken.cell(row, "taken") == group(database, Group::owner))
            acts_as_owner.insert({reading.roles_taken.cell(row, "rolname"), database});
    }
    for (std::size_t row = 0; row < reading.members.rows.size(); ++row) {
        const auto member = reading.members.cell(row, "member"), role = reading.members.cell(row, "of");
        const auto of = group_of(role);
        if (group_of(member)) continue;
        if (!of) {
            out[right_key(member, std::string(whole_server))].privileges.insert(std::string(member_of) + role);
            continue;
        }
        auto& held = out[right_key(member, pattern(of->database))].privileges;
        switch (of->which) {
            case Group::owner:
                held.insert("ALL");
                if (!acts_as_owner.contains({member, of->database})) held.insert(std::string(under_own_name));
                break;
            case Group::writer: held.insert({"SELECT", "INSERT", "UPDATE", "DELETE"}); break;
            case Group::reader: held.insert("SELECT"); break;
        }
        if (reading.members.is_true(row, "admin_option")) held.insert("GRANT OPTION");
    }
    for (std::size_t row = 0; row < reading.rights.rows.size(); ++row) {
        const auto grantee = reading.rights.cell(row, "grantee");
        if (grantee.empty() || group_of(grantee) || grantee.starts_with("pg_")) continue;
        auto& held = out[right_key(grantee, pattern(reading.rights.cell(row, "datname")))].privileges;
        held.insert(reading.rights.cell(row, "privilege_type"));
        if (reading.rights.is_true(row, "is_grantable")) held.insert("GRANT OPTION");
    }
}

}  // namespace

Result<Reading> read(Connection& connection) {
    Reading out;
    struct Step {
        Table& table;
        std::string_view statement;
    };
    for (auto& [table, statement] :
         {Step{out.databases, read_databases}, Step{out.roles, read_roles}, Step{out.members, read_members},
          Step{out.rights, read_rights}, Step{out.roles_taken, read_roles_taken}}) {
        auto found = connection.query(statement);
        if (!found) return std::move(found).error();
        table = *std::move(found);
    }
    return out;
}

Snapshot snapshot_of(const Reading& reading) {
    Snapshot out;
    auto& server = out[{Key::Kind::server, "", "", ""}];
    server.engine = Engine::postgresql;
    server.reserved = true;
    add_databases(reading, remarks_of(reading.roles), out);
    add_accounts(reading.roles, out);
    add_rights(reading, out);
    return out;
}

}  // namespace ocim::database::postgresql
