#include "openedx/site.hpp"
#include "openedx/machine_groups.hpp"

#include "api/yaml.hpp"
#include "crd/databaseservers.hpp"
#include "crd/rabbitmqservers.hpp"
#include "openedx/admins.hpp"
#include "openedx/files.hpp"
#include "openedx/lms_users.hpp"
#include "openedx/mongodb_layout.hpp"
#include "openedx/run_on.hpp"
#include "openedx/tutor_settings.hpp"
#include "runtime/base64.hpp"
#include "runtime/rotation.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::openedx {
namespace {

constexpr auto system_namespace = "ocim-system";
constexpr auto default_platform = "https://github.com/openedx/edx-platform.git";

/// "amqps://host:5671" taken apart.
Result<BrokerAccess> broker_at(const std::string& url) {
    BrokerAccess out;
    out.tls = url.starts_with("amqps://");
    const auto rest = url.substr(url.find("://") + 3);
    const auto colon = rest.rfind(':');
    out.host = rest.substr(0, colon);
    out.port = out.tls ? 5671 : 5672;
    if (colon != std::string::npos) {
        const auto* end = rest.data() + rest.size();
        if (std::from_chars(rest.data() + colon + 1, end, out.port).ptr != end)
            return Error{ErrorClass::invalid,
                         "spec.instanceURL of the RabbitMQServer: \"" + url + "\" has no valid port"};
    }
    return out;
}

Error gone(const std::string& kind, const std::string& name, const std::string& what) {
    return Error{ErrorClass::not_found,
                 kind + " " + name + ", which " + what + ", does not exist or cannot be read; put it back"};
}

Result<void> add_backends(Site& site, const crd::Instance& instance, const SiteSecrets& secrets,
                          const runtime::Inputs& inputs) {
    const auto& placement = instance.status.placement;
    const auto& names = instance.status.names;
    if (!placement || !names) return {};
    if (placement->mysql) {
        const auto server = inputs.get<crd::DatabaseServer>("", *placement->mysql);
        if (!server) return gone("DatabaseServer", *placement->mysql, "holds the databases");
        if (!server->spec.mysql)
            return Error{ErrorClass::invalid, "DatabaseServer " + *placement->mysql + " is no MySQL server"};
        site.mysql = MySqlAccess{server->spec.mysql->host, server->spec.mysql->port, names->database.value_or(""),
                                 names->mysql_user.value_or(""), secrets.mysql_key};
    }
    if (placement->mongodb) {
        const auto server = inputs.get<crd::DatabaseServer>("", *placement->mongodb);
        if (!server) return gone("DatabaseServer", *placement->mongodb, "holds the courses");
        auto access = mongodb_access(*server, names->database.value_or(""), mongodb_accounts(*names, secrets).front());
        if (!access) return std::move(access).error();
        site.mongodb = *std::move(access);
    }
    if (placement->rabbitmq) {
        const auto server = inputs.get<crd::RabbitMQServer>("", *placement->rabbitmq);
        if (!server) return gone("RabbitMQServer", *placement->rabbitmq, "holds the vhost");
        auto access = broker_at(server->spec.instance_url);
        if (!access) return std::move(access).error();
        access->vhost = names->vhost.value_or("");
        const auto in_use = [](const Beside& beside, const std::optional<std::string>& first) {
            return beside.username.empty() ? first.value_or("") : beside.username;
        };
        access->provider = in_use(secrets.rabbitmq_provider, names->rabbitmq_provider);
        access->consumer = in_use(secrets.rabbitmq_consumer, names->rabbitmq_consumer);
        access->provider_password = secrets.provider_password;
        access->consumer_password = secrets.consumer_password;
        site.broker = *std::move(access);
    }
    return {};
}

/// The mappings that Secrets of `extraVarsFrom` hold, each key of each Secret one YAML document.
Result<void> add_extra(Site& site, const crd::Instance& instance, const runtime::Inputs& inputs) {
    if (!instance.spec.configuration) return {};
    const auto& configuration = *instance.spec.configuration;
    if (const auto* extra = configuration.extra_vars.if_object()) site.extra.push_back(*extra);
    for (const auto& from : configuration.extra_vars_from) {
        const auto& name = from.secret_ref.name;
        const auto place = "spec.configuration.extraVarsFrom: Secret " + name;
        const auto* secret = inputs.find(api::secret_kind, instance.metadata.namespace_, name);
        if (!secret) return Error{ErrorClass::not_found, place + " does not exist; make it"};
        const auto* data = api::find(*secret, {"data"});
        if (!data || !data->is_object()) continue;
        for (const auto& [key, encoded] : data->get_object()) {
            const auto text = inputs.secret(instance.metadata.namespace_, name, std::string(key));
            if (!text) return Error{ErrorClass::invalid, place + ", key " + std::string(key) + ": is not base64"};
            // JSON first: its pairs of \u escapes mean something else to YAML
            auto parsed = api::parse_json(text->reveal());
            if (!parsed) parsed = api::parse_yaml(text->reveal());
            // the reader's own words could quote the secret
            if (!parsed || !parsed->value.is_object())
                return Error{ErrorClass::invalid, place + ", key " + std::string(key) + ": is not a YAML mapping"};
            for (const auto& [variable, value] : parsed->value.get_object())
                site.secret_variables.emplace_back(variable);
            site.extra.push_back(parsed->value.get_object());
        }
    }
    return {};
}

/// A key of a Secret that the class names. One that is not there is never an empty credential.
Result<Secret> of_class_secret(const crd::InstanceClass& of_class, const std::string& field, const std::string& secret,
                               const std::string& key, const runtime::Inputs& inputs) {
    auto found = inputs.secret(system_namespace, secret, key);
    if (found && !found->reveal().empty()) return *std::move(found);
    return Error{ErrorClass::not_found, "InstanceClass " + of_class.metadata.name + ", spec." + field + ": Secret " +
                                            system_namespace + "/" + secret + " has no key \"" + key + "\"; add it"};
}

Result<void> add_class_secrets(Site& site, const crd::InstanceClass& of_class, const runtime::Inputs& inputs) {
    if (const auto& relay = of_class.spec.smtp_relay) {
        auto& out = site.mail_relay.emplace();
        out.host = relay->host;
        out.port = relay->port;
        out.sender_domain = relay->sender_domain.value_or("");
        if (relay->credentials_ref) {
            const auto& secret = relay->credentials_ref->name;
            auto username = of_class_secret(of_class, "smtpRelay.credentialsRef", secret, "username", inputs);
            if (!username) return std::move(username).error();
            auto password = of_class_secret(of_class, "smtpRelay.credentialsRef", secret, "password", inputs);
            if (!password) return std::move(password).error();
            out.username = *std::move(username);
            out.password = *std::move(password);
        }
    }
    if (const auto& relic = of_class.spec.new_relic) {
        const auto& from = relic->license_key_ref;
        auto key = of_class_secret(of_class, "newRelic.licenseKeyRef", from.name, from.key, inputs);
        if (!key) return std::move(key).error();
        site.new_relic_key = *std::move(key);
    }
    return {};
}

/// Where Tutor has it unless one says otherwise, so that cookies of the LMS reach it.
std::string below(Service service, const std::string& lms) { return std::string(short_name(service)) + "." + lms; }

api::json::object names_in(const std::map<Service, std::string>& domains) {
    api::json::object out;
    for (const auto& [service, name] : domains) out[short_name(service)] = name;
    return out;
}

/// Without those that follow from the name of the LMS.
api::json::object chosen_in(std::map<Service, std::string> domains) {
    const auto lms = domains.find(Service::lms);
    for (const auto service : tutor_services)
        if (const auto found = domains.find(service); found != domains.end())
            if (lms != domains.end() && found->second == below(service, lms->second)) domains.erase(found);
    return names_in(domains);
}

/// What people declared of a site, without what we make of it. A field that is added later goes in only where it is
/// set, so that the hash of those who do not use it stays.
api::json::object declared(const Site& site, const SiteSecrets& secrets, const std::string& request) {
    api::json::object out{{"displayName", site.display_name},
                          {"email", site.email},
                          {"release", site.release},
                          {"platform", site.platform_repository + " " + site.platform_commit},
                          {"internal", chosen_in(site.internal)},
                          {"external", chosen_in(site.external)},
                          // of high-entropy secrets: tells nobody anything
                          {"secrets", secrets.master.derived("configuration hash")}};
    if (site.mysql)
        out["mysql"] = api::json::object{{"host", site.mysql->host},
                                         {"port", site.mysql->port},
                                         {"database", site.mysql->database_prefix},
                                         {"user", site.mysql->user_prefix}};
    if (site.mongodb)
        out["mongodb"] =
            api::json::object{{"hosts", api::json::array(site.mongodb->hosts.begin(), site.mongodb->hosts.end())},
                              {"port", site.mongodb->port},
                              {"replicaSet", site.mongodb->replica_set},
                              {"tls", site.mongodb->tls},
                              {"database", site.mongodb->database},
                              {"user", site.mongodb->user}};
    if (site.broker)
        out["broker"] = api::json::object{{"host", site.broker->host},
                                          {"port", site.broker->port},
                                          {"tls", site.broker->tls},
                                          {"vhost", site.broker->vhost}};
    if (site.swift)
        out["swift"] = api::json::object{{"container", site.swift->container},
                                         {"authURL", site.swift->auth_url},
                                         {"authVersion", site.swift->auth_version},
                                         {"project", site.swift->tenant},
                                         {"region", site.swift->region}};
    if (site.s3)
        out["s3"] = api::json::object{
            {"bucket", site.s3->bucket}, {"region", site.s3->region}, {"endpoint", site.s3->endpoint}};
    if (site.mail_relay)
        out["mailRelay"] = api::json::object{{"host", site.mail_relay->host},
                                             {"port", site.mail_relay->port},
                                             {"senderDomain", site.mail_relay->sender_domain}};
    if (site.new_relic_key) out["newRelic"] = true;
    if (!site.admins.empty()) out["admins"] = api::json::array(site.admins.begin(), site.admins.end());
    if (!site.admin_organizations.empty())  // not who is in them: that is nobody's declaration here
        out["organizations"] = api::json::array(site.admin_organizations.begin(), site.admin_organizations.end());
    if (!site.extra.empty()) out["extra"] = api::json::array(site.extra.begin(), site.extra.end());
    // not the hashes of their passwords: these count for users that do not exist yet
    for (const auto& user : site.lms_users) {
        auto& users = out["lmsUsers"].is_object() ? out["lmsUsers"].as_object() : out["lmsUsers"].emplace_object();
        users[user.username] = api::json::array{user.email, user.staff, user.superuser};
    }
    if (!request.empty()) out["request"] = request;
    return out;
}

template <class A, class B>
std::string first_of(const std::optional<A>& own, const B& of_class, const std::string& otherwise = "") {
    if (own) return *own;
    if constexpr (std::is_same_v<B, std::string>)
        return of_class;
    else
        return of_class.value_or(otherwise);
}

/// Makes it a configuration for Tutor. `hashed` is what a new AppServer follows from.
Result<void> add_tutor(Configuration& out, api::json::object& settings, api::json::object& hashed, const Site& site,
                       const crd::Instance& instance, const crd::InstanceClass& of_class) {
    const auto own = instance.spec.tutor.value_or(crd::Instance::Spec::Tutor{});
    if (!of_class.spec.tutor) {
        if (own.plugins.empty() && own.patches.empty()) return {};
        return Error{ErrorClass::invalid, "spec.tutor: InstanceClass " + of_class.metadata.name +
                                              " makes sites with Ansible; leave it out, or choose another class"};
    }
    const auto& tutor = *of_class.spec.tutor;
    out.plugin = tutor_plugin(tutor.patches, own.patches);
    std::vector<std::string> plugins;
    if (!out.plugin.empty()) plugins.emplace_back("ocim");
    for (const auto* names : {&tutor.plugins, &own.plugins})
        for (const auto& name : *names)
            if (std::ranges::find(plugins, name) == plugins.end()) plugins.push_back(name);
    out.tutor = api::to_text(tutor_settings(site, plugins)) + "\n";
    const auto images = tutor_images(site, tutor.build_images);
    const auto list = [](const auto& items) { return api::json::array(items.begin(), items.end()); };
    settings["tutor"] = api::json::object{{"requirements", list(tutor.requirements)},
                                          {"plugins", list(plugins)},
                                          {"buildImages", list(images)},
                                          {"plugin", !out.plugin.empty()}};
    if (!site.lms_users.empty()) settings["tutor"].as_object()["users"] = true;
    hashed["tutor"] = settings["tutor"];
    hashed["plugin"] = out.plugin;
    return {};
}

}  // namespace

ObjectNames::ObjectNames(const std::string& instance)
    : secrets(instance + "-secrets"),
      mysql(instance + "-mysql"),
      mongodb(instance + "-mongodb"),
      broker(instance + "-rabbitmq"),
      storage(instance + "-storage"),
      basic_auth(instance + "-basic-auth"),
      configuration(instance + "-configuration"),
      tutor(instance + "-tutor"),
      fragment(instance + "-http") {}

Result<SiteSecrets> read_secrets(const api::Json& secret, const crd::Instance::Status& status) {
    const auto read = [&](const std::string& key) {
        return Secret(runtime::from_base64(api::find_text(secret, {"data", key})).value_or(""));
    };
    const bool unique = status.name_scheme != NameScheme::ocim_v1;
    std::vector<const char*> needed{secret_keys::master_key, secret_keys::mysql_key,
                                    unique ? secret_keys::id : secret_keys::mysql_user};
    if (status.placement && status.placement->rabbitmq) {
        needed.insert(needed.end(), {secret_keys::provider_password, secret_keys::consumer_password});
        if (!unique) needed.insert(needed.end(), {secret_keys::vhost, secret_keys::provider, secret_keys::consumer});
    }
    for (const auto* key : needed)
        if (read(key).reveal().empty())
            return Error{ErrorClass::invalid, "Secret " + std::string(api::find_text(secret, {"metadata", "name"})) +
                                                  " has no key \"" + key + "\"; put it back from a backup"};
    auto master = MasterKey::decode(read(secret_keys::master_key));
    if (!master) return std::move(master).error();
    const auto text = [&](const std::string& key) { return std::string(read(key).reveal()); };
    const auto beside = [&](const char* key) {
        return Beside{read(runtime::next_key(key)), read(runtime::previous_key(key)), text(runtime::username_key(key))};
    };
    return SiteSecrets{.master = *std::move(master),
                       .mysql_key = read(secret_keys::mysql_key),
                       .provider_password = read(secret_keys::provider_password),
                       .consumer_password = read(secret_keys::consumer_password),
                       .id = text(secret_keys::id),
                       .mysql_user = text(secret_keys::mysql_user),
                       .vhost = text(secret_keys::vhost),
                       .provider = text(secret_keys::provider),
                       .consumer = text(secret_keys::consumer),
                       .mongodb_user = text(secret_keys::mongodb_user),
                       .mongodb_password = read(secret_keys::mongodb_password),
                       .mysql = beside(secret_keys::mysql_key),
                       .mongodb = beside(secret_keys::mongodb_password),
                       .rabbitmq_provider = beside(secret_keys::provider_password),
                       .rabbitmq_consumer = beside(secret_keys::consumer_password),
                       .drawn_at = text(runtime::rotated_key(secret_keys::mysql_key))};
}

std::map<Service, std::string> internal_domains(const crd::Instance& instance) {
    const auto domains = instance.status.domains.value_or(crd::Instance::Status::Domains{});
    std::map<Service, std::string> out{{Service::lms, domains.lms.value_or("")},
                                       {Service::lms_preview, domains.lms_preview.value_or("")},
                                       {Service::studio, domains.studio.value_or("")},
                                       {Service::discovery, domains.discovery.value_or("")},
                                       {Service::ecommerce, domains.ecommerce.value_or("")}};
    if (domains.apps) out[Service::apps] = *domains.apps;
    if (domains.meilisearch) out[Service::meilisearch] = *domains.meilisearch;
    return out;
}

std::map<Service, std::string> domains_of_class(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    const auto lms = instance.spec.subdomain + "." + of_class.spec.base_domain;
    const auto& prefixes = of_class.spec.domain_prefixes;
    std::map<Service, std::string> out{{Service::lms, lms},
                                       {Service::lms_preview, prefixes.lms_preview + lms},
                                       {Service::studio, prefixes.studio + lms},
                                       {Service::discovery, prefixes.discovery + lms},
                                       {Service::ecommerce, prefixes.ecommerce + lms}};
    if (of_class.spec.tutor)
        for (const auto service : tutor_services) out[service] = below(service, lms);
    return out;
}

std::string field_of(Service service) {
    const std::string part(service == Service::lms_preview ? "lmsPreview" : short_name(service));
    return "spec.domains." + part;
}

std::map<Service, std::string> external_domains(const crd::Instance& instance) {
    std::map<Service, std::string> out;
    if (!instance.spec.domains) return out;
    const auto& domains = *instance.spec.domains;
    const auto add = [&](Service service, const std::optional<std::string>& name) {
        if (name && !name->empty()) out[service] = *name;
    };
    add(Service::lms, domains.lms);
    add(Service::lms_preview, domains.lms_preview);
    add(Service::studio, domains.studio);
    add(Service::discovery, domains.discovery);
    add(Service::ecommerce, domains.ecommerce);
    add(Service::apps, domains.apps);
    add(Service::meilisearch, domains.meilisearch);
    const auto internal = internal_domains(instance);
    for (const auto service : tutor_services)
        if (internal.contains(service) && domains.lms && !domains.lms->empty())
            out.try_emplace(service, below(service, *domains.lms));
    return out;
}

std::vector<runtime::Reference> secrets_of_class(const crd::InstanceClass& of_class) {
    std::vector<runtime::Reference> out;
    if (const auto& relay = of_class.spec.smtp_relay; relay && relay->credentials_ref)
        out.push_back({api::secret_kind, system_namespace, relay->credentials_ref->name, true});
    if (const auto& relic = of_class.spec.new_relic)
        out.push_back({api::secret_kind, system_namespace, relic->license_key_ref.name, true});
    return out;
}

bool persistent(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    const auto& placement = instance.status.placement;
    if (placement && placement->cloud) return placement->mysql.has_value();
    return declared_persistent(instance, of_class);
}

bool declared_persistent(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    using Own = crd::Instance::Spec::Databases::Mode;
    using Default = crd::InstanceClass::Spec::Databases::Mode;
    if (instance.spec.databases && instance.spec.databases->mode)
        return *instance.spec.databases->mode == Own::persistent;
    return of_class.spec.databases.mode == Default::persistent;
}

Result<Configuration> configuration(const crd::Instance& instance, const crd::InstanceClass& of_class,
                                    const SiteSecrets& secrets, const runtime::Inputs& inputs) {
    const auto& own = instance.spec;
    const auto& defaults = of_class.spec;
    const auto own_configuration = own.configuration.value_or(crd::Instance::Spec::Configuration{});
    const auto own_platform = own.platform.value_or(crd::Instance::Spec::Platform{});
    const auto class_platform = defaults.platform.value_or(crd::InstanceClass::Spec::Platform{});

    Site site;
    site.display_name = own.display_name.value_or(own.subdomain);
    site.email = first_of(own.email, defaults.email);
    site.release = first_of(own.release, defaults.release);
    site.platform_repository = first_of(own_platform.repository, class_platform.repository, default_platform);
    site.platform_commit = first_of(own_platform.commit, class_platform.commit, site.release);
    site.configuration_repository = first_of(own_configuration.repository, defaults.configuration.repository);
    site.configuration_version = first_of(own_configuration.version, defaults.configuration.version);
    site.internal = internal_domains(instance);
    site.external = external_domains(instance);
    site.ephemeral_databases = !persistent(instance, of_class);
    if (auto added = add_admins(site, instance, of_class, inputs); !added) return std::move(added).error();
    if (auto added = add_class_secrets(site, of_class, inputs); !added) return std::move(added).error();
    if (const auto* extra = defaults.configuration.extra_vars.if_object()) site.extra.push_back(*extra);
    if (auto added = add_backends(site, instance, secrets, inputs); !added) return std::move(added).error();
    if (auto added = add_files(site, instance, of_class, inputs); !added) return std::move(added).error();
    if (auto added = add_extra(site, instance, inputs); !added) return std::move(added).error();
    if (auto added = add_lms_users(site, instance, inputs); !added) return std::move(added).error();

    const auto flavor =
        own.compute && own.compute->flavor ? api::encode(own.compute->flavor) : api::encode(defaults.compute.flavor);
    const auto image =
        own.compute && own.compute->image ? api::encode(own.compute->image) : api::encode(defaults.compute.image);
    const auto placement = instance.status.placement.value_or(Placement{});
    api::json::object settings{
        {"cloud", placement.cloud.value_or("")},
        {"keyName", defaults.compute.key_name},
        {"sshUser", defaults.compute.ssh_user},
        {"sshKeySecret", defaults.compute.ssh_key_ref.name},
        {"flavor", flavor},
        {"image", image},
        {"repository", site.configuration_repository},
        {"version", site.configuration_version},
        {"playbook", first_of(own_configuration.playbook, defaults.configuration.playbook)},
        {"requirements", first_of(own_configuration.requirements, defaults.configuration.requirements)}};
    if (!site.lms_users.empty())
        settings["usersPlaybook"] = first_of(own_configuration.users_playbook, defaults.configuration.users_playbook);
    add_groups(instance, of_class, placement.cloud.value_or(""), inputs, settings);
    Configuration out;
    out.variables = variables(site, secrets.master).document();
    if (!site.lms_users.empty())
        out.users = of_class.spec.tutor ? lms_user_list(site) : lms_user_variables(site).document();
    out.secret_variables = api::to_text(api::json::array(site.secret_variables.begin(), site.secret_variables.end()));
    auto hashed = declared(site, secrets, own.rollout.request.value_or(""));
    hashed["settings"] = settings;
    if (!secrets.drawn_at.empty()) hashed["passwords"] = secrets.drawn_at;
    if (auto added = add_tutor(out, settings, hashed, site, instance, of_class); !added)
        return std::move(added).error();
    out.hash = sha256_hex(api::to_text(hashed)).substr(0, 16);
    settings["domains"] = names_in(site.internal);
    if (!secrets.drawn_at.empty()) settings["passwordsDrawnAt"] = secrets.drawn_at;
    if (placement.mongodb) settings["mongodb"] = *placement.mongodb;
    if (placement.rabbitmq) settings["rabbitmq"] = *placement.rabbitmq;
    if (placement.storage) settings["storage"] = *placement.storage;
    // where a playbook runs makes no other server of it: not in the hash
    if (runs_on_controller(of_class)) settings["runOn"] = "Controller";
    // how a machine is first met makes no other server of it either
    if (defaults.compute.host_keys == crd::InstanceClass::Spec::Compute::HostKeys::injected)
        settings["hostKeys"] = "Injected";
    settings["lineTimeoutSeconds"] = defaults.configuration.line_timeout_seconds;
    settings["totalTimeoutSeconds"] = defaults.configuration.total_timeout_seconds;
    // how a server is looked at makes it no other server: not in the hash
    api::json::object check{{"host", site.domain(Service::lms)},
                            {"expectedStatus", defaults.health_check.expected_status},
                            {"timeoutSeconds", defaults.health_check.timeout_seconds}};
    check["basicAuthSecretRef"] = api::json::object{{"name", ObjectNames(instance.metadata.name).basic_auth}};
    if (defaults.health_check.path) check["path"] = *defaults.health_check.path;
    settings["healthCheck"] = std::move(check);
    out.settings = api::to_text(settings);
    return out;
}

}  // namespace ocim::openedx
