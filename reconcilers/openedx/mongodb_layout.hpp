#pragma once

#include "crd/databaseservers.hpp"
#include "crd/databasetenants.hpp"
#include "openedx/site.hpp"

#include <string>

/// The MongoDB databases of one site: of its courses, and of its forum.
namespace ocim::openedx {

struct MongoAccount {
    std::string user;
    Secret password;
};
/// What the site logs in with: as whoever took it over says, else derived as MySQL's users are.
MongoAccount mongodb_account(const crd::Instance::Status::Names& names, const SiteSecrets& secrets);

/// The tenant's spec without its server and policies. `secret` holds the user's password under the user's name.
crd::DatabaseTenant::Spec mongodb_tenant(const std::string& database, const std::string& user,
                                         const std::string& secret);

/// Error: invalid, when it is no MongoDB server, or its hosts cannot be told to a site.
Result<MongoAccess> mongodb_access(const crd::DatabaseServer& server, const std::string& database,
                                   const MongoAccount& account);

}  // namespace ocim::openedx
