#include "openedx/mongodb_layout.hpp"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace ocim::openedx {
namespace {

using Spec = crd::DatabaseTenant::Spec;
using User = decltype(Spec::users)::value_type;
using Grant = decltype(User::grants)::value_type;
using Privilege = decltype(Grant::privileges)::value_type;

constexpr std::int64_t default_port = 27017;
constexpr std::size_t user_name_max = 32;                             // of a DatabaseTenant
constexpr std::string_view other_suffix = "_2", third_suffix = "_3";  // the same length

std::string forum_of(const std::string& database) { return database + "_forum"; }

void grant(User& user, const std::string& database) {
    Grant grant;
    grant.database = database;
    grant.privileges = {Privilege::read_write, Privilege::db_admin};  // indexes are made by the site
    user.grants.push_back(std::move(grant));
}

/// "db1.example.net:27018" or "[2001:db8::1]" taken apart.
std::optional<std::pair<std::string, std::int64_t>> host_and_port(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || text.ends_with(']')) return std::pair(text, default_port);
    std::int64_t port = 0;
    const auto* end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || read != end || port < 1 || port > 65535) return std::nullopt;
    return std::pair(text.substr(0, colon), port);
}

}  // namespace

std::pair<std::string, std::string> mongodb_turns(const crd::Instance::Status::Names& names,
                                                  const SiteSecrets& secrets) {
    const auto first = secrets.mongodb_user.empty() ? names.mysql_user.value_or("") + "_mongodb" : secrets.mongodb_user;
    const auto stem = first.substr(0, user_name_max - other_suffix.size());
    const auto other = stem + std::string(other_suffix);
    return {first, other == first ? stem + std::string(third_suffix) : other};
}

std::vector<MongoAccount> mongodb_accounts(const crd::Instance::Status::Names& names, const SiteSecrets& secrets) {
    const auto [first, other] = mongodb_turns(names, secrets);
    const bool brought = !secrets.mongodb_password.empty();
    const auto& beside = brought ? secrets.mongodb : secrets.mysql;
    const auto password = [&](const Secret& value, const std::string& user) {
        return brought ? value : Secret(mysql_password(value, user));
    };
    const bool swapped = beside.username == other;
    const auto& in_use = swapped ? other : first;
    const auto& idle = swapped ? first : other;
    std::vector<MongoAccount> out{{in_use, password(brought ? secrets.mongodb_password : secrets.mysql_key, in_use)}};
    const auto& second = beside.next.empty() ? beside.previous : beside.next;
    if (!second.empty()) out.push_back({idle, password(second, idle)});
    return out;
}

Spec mongodb_tenant(const std::string& database, const std::vector<MongoAccount>& accounts, const std::string& secret) {
    Spec spec;
    // the forum's playbook logs in to its own database, Tutor and the LMS to that of the courses
    for (const auto& home : {database, forum_of(database)}) {
        decltype(Spec::databases)::value_type made;
        made.name = home;
        spec.databases.push_back(std::move(made));
        for (const auto& one : accounts) {
            User account;
            account.name = one.user;
            account.host = home;
            account.password_ref = {secret, one.user};
            if (home == database) grant(account, database);
            grant(account, forum_of(database));
            spec.users.push_back(std::move(account));
        }
    }
    return spec;
}

Result<MongoAccess> mongodb_access(const crd::DatabaseServer& server, const std::string& database,
                                   const MongoAccount& account) {
    const auto place = "DatabaseServer " + server.metadata.name;
    if (!server.spec.mongodb) return Error{ErrorClass::invalid, place + " is no MongoDB server"};
    const auto& mongodb = *server.spec.mongodb;
    MongoAccess out;
    out.database = database;
    out.user = account.user;
    out.password = account.password;
    for (const auto& text : mongodb.hosts) {
        const auto host = host_and_port(text);
        if (!host)
            return Error{ErrorClass::invalid, place + ", spec.mongodb.hosts: \"" + text + "\" has no valid port"};
        if (out.hosts.empty()) out.port = host->second;
        if (host->second != out.port)
            return Error{ErrorClass::invalid, place + ", spec.mongodb.hosts: \"" + text +
                                                  "\" has another port than the first; a site knows one port for all"};
        out.hosts.push_back(host->first);
    }
    out.replica_set = mongodb.replica_set.value_or("");
    out.auth_source = database;
    using Mode = crd::DatabaseServer::Spec::Mongodb::Tls::Mode;
    out.tls = mongodb.tls.mode != Mode::disabled;
    return out;
}

}  // namespace ocim::openedx
