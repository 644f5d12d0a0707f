#pragma once

#include "crd/instanceclasses.hpp"
#include "crd/instances.hpp"
#include "openedx/placement.hpp"
#include "openedx/variables.hpp"
#include "runtime/kinds.hpp"

#include <string>

/// What an Instance comes to once its class's defaults, its placement and its secrets are taken together.
namespace ocim::openedx {

/// The names of the objects that belong to one Instance.
struct ObjectNames {
    std::string secrets;        ///< Secret: what was generated; kept with the data
    std::string mysql;          ///< DatabaseTenant, and the Secret with its users' passwords
    std::string mongodb;        ///< DatabaseTenant of MongoDB, and the Secret with its user's password
    std::string broker;         ///< RabbitMQVhost
    std::string storage;        ///< StorageContainer, and the Secret that says how the site uses it
    std::string basic_auth;     ///< Secret: what the load balancer logs in with
    std::string configuration;  ///< Secret: what a new AppServer would get
    std::string tutor;          ///< Secret: what Tutor drew for the site; kept with the data
    std::string fragment;       ///< LoadBalancerFragment
    explicit ObjectNames(const std::string& instance);
};

namespace secret_keys {
inline constexpr auto id = "id";
inline constexpr auto master_key = "masterKey";
inline constexpr auto mysql_key = "mysqlKey";
inline constexpr auto provider_password = "rabbitmqProviderPassword";
inline constexpr auto consumer_password = "rabbitmqConsumerPassword";
// of names that Ocim gave before it had resources; drawn as they were, or brought by whoever takes a site over
inline constexpr auto mysql_user = "mysqlUser";
inline constexpr auto vhost = "rabbitmqVhost";
inline constexpr auto provider = "rabbitmqProvider";
inline constexpr auto consumer = "rabbitmqConsumer";
inline constexpr auto mongodb_user = "mongodbUser";          // brought only
inline constexpr auto mongodb_password = "mongodbPassword";  // brought only
inline constexpr auto users = "users";                       ///< in the Secret of the configuration
inline constexpr auto tutor_settings = "config.yml";         ///< in the Secret of what Tutor drew
inline constexpr auto database_prefix = "databasePrefix";    ///< in the Secret of the databases' passwords
}  // namespace secret_keys

using NameScheme = crd::Instance::Status::NameScheme;

/// What there is beside a generated value while it is replaced: see passwords.hpp.
struct Beside {
    Secret next, previous;   ///< one of them, or none
    std::string username{};  ///< of two accounts that take turns: whose the value is; "": the first's
};

/// The generated secrets of one Instance, read back. What is not needed may be empty.
struct SiteSecrets {
    MasterKey master;
    Secret mysql_key, provider_password, consumer_password;
    std::string id;                                     ///< NameScheme::unique
    std::string mysql_user, vhost, provider, consumer;  ///< NameScheme::ocim_v1
    std::string mongodb_user;                           ///< of a site that was taken over; else it follows from MySQL's
    Secret mongodb_password{};
    Beside mysql{}, mongodb{}, rabbitmq_provider{}, rabbitmq_consumer{};
    std::string drawn_at{};  ///< when its passwords were replaced last; "": never
};
/// What must be in there of a site that is placed as the status says. Error: invalid, naming the key, when the Secret
/// lacks one (a person changed it).
Result<SiteSecrets> read_secrets(const api::Json& secret, const crd::Instance::Status& status);

/// Internal names of every service, as the status holds them for good.
std::map<Service, std::string> internal_domains(const crd::Instance& instance);
/// Those that a new Instance of the class gets.
std::map<Service, std::string> domains_of_class(const crd::Instance& instance, const crd::InstanceClass& of_class);
std::map<Service, std::string> external_domains(const crd::Instance& instance);
/// "spec.domains.lmsPreview".
std::string field_of(Service service);

/// What an Instance of the class reads in ocim-system.
std::vector<runtime::Reference> secrets_of_class(const crd::InstanceClass& of_class);

/// Whether its databases outlive its machines: as it was made, or, before that, as it is declared.
bool persistent(const crd::Instance& instance, const crd::InstanceClass& of_class);
bool declared_persistent(const crd::Instance& instance, const crd::InstanceClass& of_class);

/// What a new AppServer gets, taken together as one snapshot: `settings` are JSON text for the AppServer itself,
/// `variables` the YAML document for its playbook. `hash` is of what people declare, not of what we make of it: a new
/// version of the program, or a rotated password of the class, makes no new AppServers; replaced passwords of the
/// site's own do.
struct Configuration {
    std::string settings, variables, hash;
    std::string users;             ///< of the LMS: variables of their playbook, or a list for Tutor; "" without any
    std::string tutor, plugin;     ///< with Tutor: its settings, instead of variables, and our plug-in, if there is one
    std::string secret_variables;  ///< names, as a JSON list: what these hold is never shown
};

/// Error: invalid, naming the field or the Secret; not_found, when something that it refers to is not there.
Result<Configuration> configuration(const crd::Instance& instance, const crd::InstanceClass& of_class,
                                    const SiteSecrets& secrets, const runtime::Inputs& inputs);

}  // namespace ocim::openedx
