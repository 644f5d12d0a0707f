#pragma once

#include "crd/databaseservers.hpp"
#include "crd/databasetenants.hpp"
#include "openedx/site.hpp"

#include <string>
#include <utility>
#include <vector>

/// The MongoDB databases of one site: of its courses, and of its forum.
namespace ocim::openedx {

struct MongoAccount {
    std::string user;
    Secret password;
};
/// Names of the two accounts that take turns when passwords are replaced, since one has one password: the one that
/// whoever took the site over says, else named after MySQL's users, and another.
std::pair<std::string, std::string> mongodb_turns(const crd::Instance::Status::Names& names,
                                                  const SiteSecrets& secrets);
/// What the site logs in with comes first; while passwords are replaced the other one is let in too.
std::vector<MongoAccount> mongodb_accounts(const crd::Instance::Status::Names& names, const SiteSecrets& secrets);

/// The tenant's spec without its server and policies. `secret` holds each account's password under its name.
crd::DatabaseTenant::Spec mongodb_tenant(const std::string& database, const std::vector<MongoAccount>& accounts,
                                         const std::string& secret);

/// Error: invalid, when it is no MongoDB server, or its hosts cannot be told to a site.
Result<MongoAccess> mongodb_access(const crd::DatabaseServer& server, const std::string& database,
                                   const MongoAccount& account);

}  // namespace ocim::openedx
