#include "openedx/parts.hpp"

#include "crd/databaseservers.hpp"
#include "crd/databasetenants.hpp"
#include "crd/dnsrecords.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/loadbalancers.hpp"
#include "crd/monitors.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "openedx/files.hpp"
#include "openedx/mongodb_layout.hpp"
#include "openedx/mysql_layout.hpp"
#include "runtime/base64.hpp"
#include "runtime/rotation.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace ocim::openedx {
namespace {

constexpr std::int32_t record_ttl_seconds = 1200;  // as long as the sites that exist have it
constexpr std::int32_t web_port = 80;              // where every AppServer answers; TLS ends at the load balancer

template <class T>
T object_of(const crd::Instance& instance, std::string name) {
    T out;
    out.metadata.name = std::move(name);
    out.metadata.namespace_ = instance.metadata.namespace_;
    return out;
}

runtime::Child secret_child(const crd::Instance& instance, const std::string& name, api::json::object data) {
    api::json::object object{
        {"apiVersion", "v1"},
        {"kind", "Secret"},
        {"metadata", api::json::object{{"name", name}, {"namespace", instance.metadata.namespace_}}},
        {"type", "Opaque"}};
    if (!data.empty()) object["data"] = std::move(data);
    return runtime::Child{object, std::nullopt, false, {}, false};
}

runtime::Child record(const InstanceView& view, const std::string& suffix, const std::string& name,
                      crd::DNSRecord::Spec::Type type, const std::string& value) {
    auto out = object_of<crd::DNSRecord>(view.instance, view.instance.metadata.name + "-" + suffix);
    out.spec.zone_ref.name = view.instance.status.placement->dns_zone.value_or("");
    out.spec.name = name;
    out.spec.type = type;
    out.spec.values = {value};
    out.spec.ttl_seconds = record_ttl_seconds;
    return child(out);
}

/// External names first, each once, in the order of the services.
std::vector<std::string> balanced_domains(const InstanceView& view) {
    std::vector<std::string> out;
    const auto add = [&](const std::map<Service, std::string>& names) {
        for (const auto service : services)
            if (const auto found = names.find(service); found != names.end())
                if (std::ranges::find(out, found->second) == out.end()) out.push_back(found->second);
    };
    add(external_domains(view.instance));
    add(internal_domains(view.instance));
    return out;
}

runtime::Child fragment(const InstanceView& view) {
    const ObjectNames names(view.instance.metadata.name);
    auto out = object_of<crd::LoadBalancerFragment>(view.instance, names.fragment);
    out.spec.load_balancer_ref.name = view.instance.status.placement->load_balancer.value_or("");
    out.spec.domains = balanced_domains(view);
    const auto add = [&](const std::vector<crd::AppServer>& appservers, bool standby) {
        for (const auto& appserver : appservers) {
            decltype(out.spec.servers)::value_type server;
            server.name = appserver.metadata.name;
            server.address = appserver.status.addresses.front();
            server.port = web_port;
            server.standby = standby;
            out.spec.servers.push_back(std::move(server));
        }
    };
    add(view.serving, false);
    add(view.standby, true);
    auto& auth = out.spec.basic_auth_secret_ref.emplace();
    auth.name = names.basic_auth;
    const auto& check = view.of_class.spec.health_check;
    out.spec.health_check.path = check.path;
    out.spec.health_check.expected_status = check.expected_status;
    out.spec.stickiness.emplace().cookie = "sessionid";
    return child(out);
}

runtime::Child tenant_child(const InstanceView& view, crd::DatabaseTenant tenant, const std::string& server) {
    tenant.spec.server_ref.name = server;
    using Policy = crd::DatabaseTenant::Spec::DeletionPolicy;
    tenant.spec.deletion_policy = deletes_data(view.instance) ? Policy::delete_ : Policy::retain;
    using Adoption = crd::DatabaseTenant::Spec::AdoptionPolicy;
    tenant.spec.adoption_policy = adopts(view.instance, view.of_class) ? Adoption::adopt : Adoption::never;
    return child(tenant);
}

}  // namespace

bool deletes_data(const crd::Instance& instance) {
    return instance.spec.deletion_policy == crd::Instance::Spec::DeletionPolicy::delete_;
}

bool adopts(const crd::Instance& instance, const crd::InstanceClass& of_class) {
    return instance.spec.adoption_policy == crd::Instance::Spec::AdoptionPolicy::adopt &&
           of_class.spec.name_scheme == crd::InstanceClass::Spec::NameScheme::ocim_v1;
}

runtime::Child standing(const api::Json& object) {
    api::json::object metadata{{"name", api::find_text(object, {"metadata", "name"})},
                               {"namespace", api::find_text(object, {"metadata", "namespace"})}};
    api::json::object named{{"apiVersion", api::find_text(object, {"apiVersion"})},
                            {"kind", api::find_text(object, {"kind"})},
                            {"metadata", std::move(metadata)}};
    // as it is: owned, or kept beyond its owner
    const auto* owners = api::find(object, {"metadata", "ownerReferences"});
    const bool owned = owners && owners->is_array() && !owners->get_array().empty();
    return runtime::Child{named, "nothing: it is not made anew", true, {}, !owned};
}

runtime::Child adopted(const api::Json& object) {
    auto out = standing(object);
    out.retain = false;
    out.adopt = true;
    return out;
}

runtime::Child generated_secrets(const crd::Instance& instance, NameScheme scheme, bool adopt) {
    using Form = runtime::Generate::Form;
    auto out = secret_child(instance, ObjectNames(instance.metadata.name).secrets, {});
    out.create_only = true;
    out.adopt = adopt;
    out.retain = !deletes_data(instance);
    out.generated = {{secret_keys::master_key, {Form::base64, 36}},
                     {secret_keys::mysql_key, {Form::alphanumeric, 32}},
                     {secret_keys::provider_password, {Form::alphanumeric, 64}},
                     {secret_keys::consumer_password, {Form::alphanumeric, 64}}};
    if (scheme == NameScheme::unique)
        out.generated.insert({secret_keys::id, {Form::lower_letters, 8}});
    else
        out.generated.insert({{secret_keys::mysql_user, {Form::lower_letters, 6}},
                              {secret_keys::vhost, {Form::lower_letters, 14}},
                              {secret_keys::provider, {Form::lower_letters, 32}},
                              {secret_keys::consumer, {Form::lower_letters, 32}}});
    return out;
}

runtime::Child basic_auth_secret(const InstanceView& view) {
    return secret_child(view.instance, ObjectNames(view.instance.metadata.name).basic_auth,
                        {{"username", runtime::base64(view.secrets.master.basic_auth_user())},
                         {"password", runtime::base64(view.secrets.master.basic_auth_password())}});
}

runtime::Child tutor_secret(const crd::Instance& instance) {
    auto out = secret_child(instance, ObjectNames(instance.metadata.name).tutor, {});
    out.create_only = true;
    out.retain = !deletes_data(instance);
    return out;
}

runtime::Child configuration_secret(const InstanceView& view, const Configuration& configuration) {
    api::json::object data{{"settings.json", runtime::base64(configuration.settings)},
                           {"secret-variables.json", runtime::base64(configuration.secret_variables)},
                           {"hash", runtime::base64(configuration.hash)}};
    if (!configuration.users.empty()) data[secret_keys::users] = runtime::base64(configuration.users);
    if (configuration.tutor.empty()) {
        data["variables.yml"] = runtime::base64(configuration.variables);
    } else {
        data[secret_keys::tutor_settings] = runtime::base64(configuration.tutor);
        if (!configuration.plugin.empty()) data["plugin.yml"] = runtime::base64(configuration.plugin);
    }
    return secret_child(view.instance, ObjectNames(view.instance.metadata.name).configuration, std::move(data));
}

std::vector<runtime::Child> data_children(const InstanceView& view) {
    const auto& placement = *view.instance.status.placement;
    const auto& site = *view.instance.status.names;
    const ObjectNames names(view.instance.metadata.name);
    std::vector<runtime::Child> out;
    if (placement.mysql) {
        api::json::object passwords;
        for (const auto& suffix : site_users()) {
            const auto user = *site.mysql_user + "_" + suffix;
            passwords[user] = runtime::base64(mysql_password(view.secrets.mysql_key, user));
            const auto& [next, previous, turn] = view.secrets.mysql;
            if (!next.empty()) passwords[runtime::next_key(user)] = runtime::base64(mysql_password(next, user));
            if (!previous.empty())
                passwords[runtime::previous_key(user)] = runtime::base64(mysql_password(previous, user));
        }
        // kept with the data: what the databases are called does not follow from a class that may have changed
        passwords[secret_keys::database_prefix] = runtime::base64(*site.database);
        out.push_back(secret_child(view.instance, names.mysql, std::move(passwords)));
        out.back().retain = !deletes_data(view.instance);
        auto tenant = object_of<crd::DatabaseTenant>(view.instance, names.mysql);
        const auto server = view.inputs.get<crd::DatabaseServer>("", *placement.mysql);
        const auto sharing = server && !server->spec.shared ? Sharing::dedicated : Sharing::shared;
        tenant.spec = site_tenant(*site.database, *site.mysql_user, names.mysql, sharing);
        out.push_back(tenant_child(view, std::move(tenant), *placement.mysql));
    }
    if (placement.mongodb) {
        const auto accounts = mongodb_accounts(site, view.secrets);
        api::json::object passwords;
        for (const auto& account : accounts) passwords[account.user] = runtime::base64(account.password.reveal());
        out.push_back(secret_child(view.instance, names.mongodb, std::move(passwords)));
        out.back().retain = !deletes_data(view.instance);
        auto tenant = object_of<crd::DatabaseTenant>(view.instance, names.mongodb);
        tenant.spec = mongodb_tenant(*site.database, accounts, names.mongodb);
        out.push_back(tenant_child(view, std::move(tenant), *placement.mongodb));
    }
    if (placement.rabbitmq) {
        auto vhost = object_of<crd::RabbitMQVhost>(view.instance, names.broker);
        vhost.spec.server_ref.name = *placement.rabbitmq;
        vhost.spec.vhost = *site.vhost;
        for (const auto& [name, key, beside] :
             {std::tuple{*site.rabbitmq_provider, secret_keys::provider_password, &view.secrets.rabbitmq_provider},
              std::tuple{*site.rabbitmq_consumer, secret_keys::consumer_password, &view.secrets.rabbitmq_consumer}}) {
            decltype(vhost.spec.users)::value_type user;
            user.name = name;
            user.password_ref = {names.secrets, key};
            if (!beside->username.empty()) user.rotation.emplace();  // two take turns; we say when
            vhost.spec.users.push_back(std::move(user));
        }
        using Policy = crd::RabbitMQVhost::Spec::DeletionPolicy;
        vhost.spec.deletion_policy = deletes_data(view.instance) ? Policy::delete_ : Policy::retain;
        using Adoption = crd::RabbitMQVhost::Spec::AdoptionPolicy;
        vhost.spec.adoption_policy = adopts(view.instance, view.of_class) ? Adoption::adopt : Adoption::never;
        out.push_back(child(vhost));
    }
    for (auto& item : file_children(view)) out.push_back(std::move(item));
    return out;
}

std::vector<runtime::Child> traffic_children(const InstanceView& view, const crd::LoadBalancer& balancer) {
    using Type = crd::DNSRecord::Spec::Type;
    std::vector<runtime::Child> out{fragment(view)};
    const auto internal = internal_domains(view.instance);
    for (const auto service : services)
        if (const auto name = internal.find(service); name != internal.end())
            out.push_back(
                record(view, std::string(short_name(service)), name->second, Type::cname, balancer.spec.domain));
    for (std::size_t index = 0; index < view.serving.size(); ++index) {
        const auto name = "vm" + std::to_string(index + 1);
        const auto& address = view.serving[index].status.addresses.front();
        const auto type = address.find(':') == std::string::npos ? Type::a : Type::aaaa;
        out.push_back(record(view, name, name + "." + internal.at(Service::lms), type, address));
    }
    return out;
}

std::vector<runtime::Child> monitor_children(const InstanceView& view) {
    const auto& placement = *view.instance.status.placement;
    if (!placement.monitoring || !view.of_class.spec.monitoring.enabled) return {};
    const auto& settings = view.of_class.spec.monitoring;
    const auto internal = internal_domains(view.instance);
    const auto external = external_domains(view.instance);
    std::set<std::string> emails;
    if (view.of_class.spec.notifications)
        emails.insert(view.of_class.spec.notifications->emails.begin(), view.of_class.spec.notifications->emails.end());
    if (view.instance.spec.monitoring)
        emails.insert(view.instance.spec.monitoring->emails.begin(), view.instance.spec.monitoring->emails.end());
    const bool plain = settings.scheme == crd::InstanceClass::Spec::Monitoring::Scheme::http;
    std::vector<runtime::Child> out;
    for (const auto service : {Service::lms, Service::studio, Service::lms_preview}) {
        auto monitor = object_of<crd::Monitor>(view.instance,
                                               view.instance.metadata.name + "-" + std::string(short_name(service)));
        monitor.spec.service_ref.name = *placement.monitoring;
        const auto own = external.find(service);
        monitor.spec.url =
            (plain ? "http://" : "https://") + (own != external.end() ? own->second : internal.at(service)) + "/";
        monitor.spec.interval_seconds = settings.interval_seconds;
        monitor.spec.connect_to = settings.connect_to;
        monitor.spec.alert_emails.assign(emails.begin(), emails.end());
        monitor.spec.enabled = view.visited;
        out.push_back(child(monitor));
    }
    return out;
}

}  // namespace ocim::openedx
