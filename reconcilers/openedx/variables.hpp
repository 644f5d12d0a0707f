#pragma once

#include "api/json.hpp"
#include "base/secret.hpp"
#include "openedx/names.hpp"
#include "openedx/secrets.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The Ansible variables of one site.
namespace ocim::openedx {

/// Where the site's MySQL databases are.
struct MySqlAccess {
    std::string host;
    std::int64_t port = 3306;
    std::string database_prefix, user_prefix;
    Secret key;  ///< what the users' passwords are derived from
};

/// Where the site's vhost is.
struct BrokerAccess {
    std::string host;
    std::int64_t port = 5671;
    bool tls = true;
    std::string vhost, provider, consumer;
    Secret provider_password, consumer_password;
};

/// Where the site's MongoDB databases are: its own, and the forum's, whose name ends in "_forum".
struct MongoAccess {
    std::vector<std::string> hosts;
    std::int64_t port = 27017;
    std::string database, user;
    Secret password;
    /// Of a replica set; "": a server of its own.
    std::string replica_set{};
    /// The database that the user belongs to; in the forum's there is one of the same name. "": as it was always done.
    std::string auth_source{};
    bool tls = false;
};

/// A container at OpenStack's object storage.
struct SwiftAccess {
    std::string container, user, tenant, auth_url, region;
    std::string auth_version = "2";
    Secret password;
};

struct S3Access {
    std::string bucket;
    Secret access_key, secret_key;
    std::string region;
    std::string endpoint;  ///< URL without a slash at its end; empty: Amazon's own
};

/// A user of the LMS that a new AppServer makes, unless there is one of that name.
struct LmsUser {
    std::string username, email;
    Secret password_hash;  ///< as Django stores it
    bool staff = true, superuser = true;
};

struct MailRelay {
    std::string host;
    std::int64_t port = 587;
    Secret username, password;
    std::string sender_domain;
};

/// Everything that the variables are made of.
struct Site {
    std::string display_name, email, release;
    std::string platform_repository, platform_commit;
    std::string configuration_repository, configuration_version;
    std::map<Service, std::string> internal;  ///< every service has one
    std::map<Service, std::string> external;  ///< those that a customer owns
    std::optional<MySqlAccess> mysql;
    std::optional<MongoAccess> mongodb;
    std::optional<BrokerAccess> broker;
    std::optional<SwiftAccess> swift;
    std::optional<S3Access> s3;  ///< goes before Swift
    std::optional<MailRelay> mail_relay;
    std::optional<Secret> new_relic_key;
    std::vector<std::string> admins;               ///< GitHub users whose keys open the machine
    std::vector<std::string> admin_organizations;  ///< and whose members' do
    std::vector<std::string> organization_members;
    std::vector<LmsUser> lms_users;
    bool lms_users_must_succeed = true;
    bool ephemeral_databases = false;
    std::vector<api::json::object> extra;       ///< merged last, in this order
    std::vector<std::string> secret_variables;  ///< those of them that came from Secrets

    /// The name that people use: external if there is one.
    const std::string& domain(Service service) const;
};

/// The variables with the extra ones merged over them: mappings deeply, everything else replaced.
/// `literal` are those whose text is a person's or secret and must reach the far end as it is.
struct Variables {
    api::json::object values;
    std::vector<std::string> literal;

    /// A YAML document for `ansible-playbook -e @FILE`, one variable a line. Literal ones carry the tag !unsafe, so
    /// that "{{" in a name is not a template.
    std::string document() const;
    /// The texts in it that are secret, for masking them in a log: by the name of what holds them, and all that the
    /// variables in `wholly` hold.
    std::vector<Secret> secrets(const std::vector<std::string>& wholly = {}) const;
};

Variables variables(const Site& site, const MasterKey& key);

/// `over` onto `base`: mappings deeply, everything else replaced.
void merge(api::json::object& base, const api::json::object& over);

}  // namespace ocim::openedx
