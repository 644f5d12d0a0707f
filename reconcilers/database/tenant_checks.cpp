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
        case Privilege::show_databases: return true;
        case Privilege::all:
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
        case Privilege::trigger: break;
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

}  // namespace

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
