#include "database/mongodb_commands.hpp"
#include "database/postgresql_sql.hpp"
#include "database/tenant.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace ocim::database {

namespace {

using User = crd::DatabaseTenant::Spec::User;
using Privilege = User::Grant::Privilege;

/// Whether a privilege concerns the whole server and not one database.
bool of_server(Privilege privilege) {
    switch (privilege) {
        case Privilege::create_user:
        case Privilege::process:
        case Privilege::reload:
        case Privilege::replication_client:
        case Privilege::replication_slave:
        case Privilege::show_databases:
        case Privilege::createdb:
        case Privilege::createrole:
        case Privilege::replication:
        case Privilege::cluster_monitor: return true;
        case Privilege::all:
        case Privilege::connect:
        case Privilege::temporary:
        case Privilege::select:
        case Privilege::insert:
        case Privilege::update:
        case Privilege::delete_:
        case Privilege::create:
        case Privilege::drop:
        case Privilege::references:
        case Privilege::index:
        case Privilege::alter:
        case Privilege::create_temporary_tables:
        case Privilege::lock_tables:
        case Privilege::execute:
        case Privilege::create_view:
        case Privilege::show_view:
        case Privilege::create_routine:
        case Privilege::alter_routine:
        case Privilege::event:
        case Privilege::trigger:
        case Privilege::read:
        case Privilege::read_write:
        case Privilege::db_admin:
        case Privilege::db_owner: break;
    }
    return false;
}

api::Cause cause(std::string field, std::string_view value, std::string_view why) {
    return {"FieldValueInvalid", "Invalid value: \"" + std::string(value) + "\": " + std::string(why),
            std::move(field)};
}

void check_grants(const User& user, const std::string& at, const std::set<std::string>& databases,
                  std::vector<api::Cause>& out) {
    for (std::size_t i = 0; i < user.grants.size(); ++i) {
        const auto& grant = user.grants[i];
        const auto here = at + ".grants[" + std::to_string(i) + "]";
        const bool whole = grant.database == whole_server;
        if (!whole && !databases.contains(grant.database))
            out.push_back(cause(here + ".database", grant.database, "must be one of spec.databases, or \"*\""));
        for (std::size_t j = 0; j < grant.privileges.size(); ++j) {
            if (of_server(grant.privileges[j]) == whole) continue;
            const auto wire = api::encode(grant.privileges[j]);
            out.push_back(cause(here + ".privileges[" + std::to_string(j) + "]", wire.as_string(),
                                whole ? "goes with a database, not with \"*\"" : "goes with the database \"*\" only"));
        }
    }
}

std::set<std::string> words_of(const User::Grant& grant) {
    std::set<std::string> out;
    for (const auto privilege : grant.privileges) out.emplace(api::encode(privilege).as_string());
    return out;
}

void check_for_mysql(const User& user, const std::string& at, std::vector<api::Cause>& out) {
    using namespace std::string_view_literals;
    static constexpr std::array others{"CONNECT"sv, "TEMPORARY"sv, "CREATEDB"sv, "CREATEROLE"sv, "REPLICATION"sv,
                                       "read"sv,    "readWrite"sv, "dbAdmin"sv,  "dbOwner"sv,    "clusterMonitor"sv};
    for (std::size_t i = 0; i < user.grants.size(); ++i)
        for (const auto& word : words_of(user.grants[i]))
            if (std::ranges::find(others, word) != others.end())
                out.push_back(
                    cause(at + ".grants[" + std::to_string(i) + "].privileges", word, "is not known to MySQL"));
}

void check_for_postgresql(const User& user, const std::string& at, std::vector<api::Cause>& out) {
    if (user.name.starts_with("pg_") || user.name == "postgres")
        out.push_back(cause(at + ".name", user.name, "is the server's own"));
    if (user.host != "%")
        out.push_back(cause(at + ".host", user.host, "on PostgreSQL pg_hba.conf says who may come from where"));
    for (std::size_t i = 0; i < user.grants.size(); ++i) {
        std::string wrong;
        if (!postgresql::understood(words_of(user.grants[i]), user.grants[i].database == whole_server, wrong))
            out.push_back(cause(at + ".grants[" + std::to_string(i) + "].privileges", wrong,
                                "PostgreSQL has ALL, SELECT, or SELECT with INSERT, UPDATE and DELETE, besides CONNECT "
                                "and TEMPORARY; and of the server CREATEDB, CREATEROLE and REPLICATION"));
    }
}

void check_for_mongodb(const crd::DatabaseTenant& object, std::vector<api::Cause>& out) {
    constexpr std::size_t name_max = 63;
    std::set<std::string> databases;
    for (std::size_t i = 0; i < object.spec.databases.size(); ++i) {
        const auto& database = object.spec.databases[i];
        const auto at = "spec.databases[" + std::to_string(i) + "]";
        databases.insert(database.name);
        if (mongodb::reserved_database(database.name, {}))
            out.push_back(cause(at + ".name", database.name, "is the server's own"));
        if (database.name.size() > name_max)
            out.push_back(cause(at + ".name", database.name, "has over 63 characters"));
        if (database.character_set != "utf8mb4")
            out.push_back(cause(at + ".characterSet", database.character_set, "MongoDB has utf8mb4 only"));
        if (database.collation)
            out.push_back(cause(at + ".collation", *database.collation, "on MongoDB a collection has one"));
    }
    for (std::size_t i = 0; i < object.spec.users.size(); ++i) {
        const auto& user = object.spec.users[i];
        const auto at = "spec.users[" + std::to_string(i) + "]";
        if (user.host != "%" && !databases.contains(user.host))
            out.push_back(cause(at + ".host", user.host,
                                "on MongoDB the database that the user belongs to: one of spec.databases, or \"%\", "
                                "which is admin"));
        for (std::size_t j = 0; j < user.grants.size(); ++j) {
            std::string wrong;
            if (!mongodb::understood(words_of(user.grants[j]), user.grants[j].database == whole_server, wrong))
                out.push_back(cause(at + ".grants[" + std::to_string(j) + "].privileges", wrong,
                                    "MongoDB has read, readWrite, dbAdmin and dbOwner, and of the server "
                                    "clusterMonitor"));
        }
    }
}

}  // namespace

std::vector<api::Cause> problems_on(const crd::DatabaseTenant& object, Engine engine) {
    constexpr std::size_t name_max = 63;
    std::vector<api::Cause> out;
    for (std::size_t i = 0; i < object.spec.databases.size() && engine == Engine::postgresql; ++i) {
        const auto& name = object.spec.databases[i].name;
        const auto field = "spec.databases[" + std::to_string(i) + "].name";
        if (name == "postgres" || name.starts_with("template"))
            out.push_back(cause(field, name, "is the server's own"));
        if (postgresql::group(name, postgresql::Group::writer).size() > name_max)
            out.push_back(cause(field, name, "has over 56 characters, which PostgreSQL would cut"));
    }
    for (std::size_t i = 0; i < object.spec.users.size(); ++i) {
        const auto at = "spec.users[" + std::to_string(i) + "]";
        if (engine == Engine::postgresql) check_for_postgresql(object.spec.users[i], at, out);
        if (engine == Engine::mysql) check_for_mysql(object.spec.users[i], at, out);
    }
    if (engine == Engine::mongodb) check_for_mongodb(object, out);
    return out;
}

std::vector<api::Cause> problems(const crd::DatabaseTenant& object) {
    static constexpr std::array server_schemas{std::string_view("mysql"), std::string_view("sys"),
                                               std::string_view("information_schema"),
                                               std::string_view("performance_schema")};
    static constexpr std::array server_users{std::string_view("root"), std::string_view("mysql"),
                                             std::string_view("public")};
    std::vector<api::Cause> out;
    std::set<std::string> databases, users;
    for (std::size_t i = 0; i < object.spec.databases.size(); ++i) {
        const auto& name = object.spec.databases[i].name;
        const auto field = "spec.databases[" + std::to_string(i) + "].name";
        if (std::ranges::find(server_schemas, name) != server_schemas.end())
            out.push_back(cause(field, name, "is the server's own"));
        if (!databases.insert(name).second) out.push_back(cause(field, name, "comes twice"));
    }
    for (std::size_t i = 0; i < object.spec.users.size(); ++i) {
        const auto& user = object.spec.users[i];
        const auto at = "spec.users[" + std::to_string(i) + "]";
        if (std::ranges::find(server_users, user.name) != server_users.end())
            out.push_back(cause(at + ".name", user.name, "is the server's own"));
        if (!users.insert(user.name + "@" + user.host).second)
            out.push_back(cause(at + ".name", user.name, "comes twice with the same host"));
        check_grants(user, at, databases, out);
    }
    return out;
}

}  // namespace ocim::database
