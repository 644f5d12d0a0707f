#include "openedx/mysql_layout.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using Spec = crd::DatabaseTenant::Spec;
using Users = decltype(Spec::users);
using User = Users::value_type;
using Grant = decltype(User::grants)::value_type;
using Privilege = decltype(Grant::privileges)::value_type;

std::vector<Privilege> privileges(Rights rights) {
    switch (rights) {
        case Rights::all: return {Privilege::all};
        case Rights::read_write: return {Privilege::select, Privilege::insert, Privilege::update, Privilege::delete_};
        case Rights::read: return {Privilege::select};
    }
    return {};
}

void grant(User& user, const std::string& database, Rights rights) {
    Grant grant;
    grant.database = database;
    grant.privileges = privileges(rights);
    user.grants.push_back(std::move(grant));
}

/// One user over all databases of the site: migrations change them, readers only read.
void grant_everywhere(User& user, const std::string& database_prefix, Rights rights) {
    for (const auto& row : site_databases) grant(user, database_prefix + "_" + std::string(row.database), rights);
}

Grant may_make_accounts() {
    Grant global;
    global.database = "*";
    global.privileges = {Privilege::create_user};
    return global;
}

void grant_by_table(User& user, std::string_view suffix, const std::string& database_prefix) {
    for (const auto& row : site_databases) {
        const auto database = database_prefix + "_" + std::string(row.database);
        if (row.user == suffix) grant(user, database, row.rights);
        if (row.reader == suffix) grant(user, database, Rights::read);
    }
}

}  // namespace

std::vector<std::string> site_users() {
    std::vector<std::string> out;
    for (const auto& row : site_databases)
        if (std::ranges::find(out, row.user) == out.end()) out.emplace_back(row.user);
    for (const auto* global : {"migrate", "read_only", "admin"}) out.emplace_back(global);
    return out;
}

crd::DatabaseTenant::Spec site_tenant(const std::string& database_prefix, const std::string& user_prefix,
                                      const std::string& secret, Sharing sharing) {
    Spec spec;
    for (const auto& row : site_databases) {
        decltype(Spec::databases)::value_type database;
        database.name = database_prefix + "_" + std::string(row.database);
        spec.databases.push_back(std::move(database));
    }
    for (const auto& suffix : site_users()) {
        User user;
        user.name = user_prefix + "_" + suffix;
        user.password_ref = {secret, user.name};
        if (suffix == "migrate") {
            grant_everywhere(user, database_prefix, Rights::all);
        } else if (suffix == "read_only") {
            grant_everywhere(user, database_prefix, Rights::read);
        } else if (suffix == "admin") {
            if (sharing == Sharing::dedicated) user.grants.push_back(may_make_accounts());
        } else {
            grant_by_table(user, suffix, database_prefix);
        }
        spec.users.push_back(std::move(user));
    }
    return spec;
}

}  // namespace ocim::openedx
