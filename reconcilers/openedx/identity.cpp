#include "openedx/identity.hpp"

#include "crd/databasetenants.hpp"
#include "crd/dnsrecords.hpp"
#include "crd/loadbalancerfragments.hpp"
#include "crd/monitors.hpp"
#include "crd/objectstores.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "crd/storagecontainers.hpp"
#include "openedx/names.hpp"
#include "runtime/base64.hpp"

namespace ocim::openedx {
namespace {

using Status = crd::Instance::Status;
using Text = std::optional<std::string>;

constexpr std::string_view main_suffix = "_edxapp";  // of a database and of its user

void fill(Text& field, std::string_view value) {
    if (!field && !value.empty()) field = std::string(value);
}

/// "demo_abcdefgh" of "demo_abcdefgh_edxapp", "" of any other name.
std::string_view prefix_of(std::string_view name) {
    return name.ends_with(main_suffix) ? name.substr(0, name.size() - main_suffix.size()) : std::string_view();
}

Text& domain_of(Status::Domains& domains, Service service) {
    switch (service) {
        case Service::lms: return domains.lms;
        case Service::lms_preview: return domains.lms_preview;
        case Service::studio: return domains.studio;
        case Service::discovery: return domains.discovery;
        case Service::ecommerce: return domains.ecommerce;
        case Service::apps: return domains.apps;
        case Service::meilisearch: return domains.meilisearch;
    }
    return domains.lms;
}

void recall_databases(Status::Placement& placement, Status::Names& names, const ObjectNames& objects,
                      const runtime::Children& children) {
    if (const auto tenant = children.get<crd::DatabaseTenant>(objects.mysql)) {
        fill(placement.mysql, tenant->spec.server_ref.name);
        for (const auto& database : tenant->spec.databases) fill(names.database, prefix_of(database.name));
        for (const auto& user : tenant->spec.users) fill(names.mysql_user, prefix_of(user.name));
    }
    if (const auto tenant = children.get<crd::DatabaseTenant>(objects.mongodb))
        fill(placement.mongodb, tenant->spec.server_ref.name);
    // kept with the data, when the tenant is gone
    const auto* passwords = children.find(api::secret_kind, objects.mysql);
    const auto* data = passwords ? api::find(*passwords, {"data"}) : nullptr;
    if (!data || !data->is_object()) return;
    for (const auto& [key, value] : data->get_object()) fill(names.mysql_user, prefix_of(key));
    fill(names.database, runtime::from_base64(api::find_text(*data, {secret_keys::database_prefix})).value_or(""));
}

void recall_broker(Status::Placement& placement, Status::Names& names, const ObjectNames& objects,
                   const runtime::Children& children) {
    const auto vhost = children.get<crd::RabbitMQVhost>(objects.broker);
    if (!vhost) return;
    fill(placement.rabbitmq, vhost->spec.server_ref.name);
    fill(names.vhost, vhost->spec.vhost);
    for (const auto& user : vhost->spec.users) {
        if (user.password_ref && user.password_ref->key == secret_keys::provider_password)
            fill(names.rabbitmq_provider, user.name);
        if (user.password_ref && user.password_ref->key == secret_keys::consumer_password)
            fill(names.rabbitmq_consumer, user.name);
    }
}

void recall_files(Status::Placement& placement, Status::Names& names, const ObjectNames& objects,
                  const runtime::Children& children) {
    const auto container = children.get<crd::StorageContainer>(objects.storage);
    if (!container) return;
    fill(placement.storage, container->spec.store_ref.name);
    fill(names.container, container->spec.container);
}

/// What the configuration for new AppServers says; it stays while the site is archived.
void recall_settings(Status::Placement& placement, Status::Domains& domains, const ObjectNames& objects,
                     const runtime::Children& children) {
    const auto* configuration = children.find(api::secret_kind, objects.configuration);
    if (!configuration) return;
    const auto text = runtime::from_base64(api::find_text(*configuration, {"data", "settings.json"}));
    const auto settings = api::parse_json(text.value_or(""));
    if (!settings) return;
    fill(placement.cloud, api::find_text(settings->value, {"cloud"}));
    fill(placement.mongodb, api::find_text(settings->value, {"mongodb"}));
    fill(placement.rabbitmq, api::find_text(settings->value, {"rabbitmq"}));
    fill(placement.storage, api::find_text(settings->value, {"storage"}));
    for (const auto service : services)
        fill(domain_of(domains, service), api::find_text(settings->value, {"domains", short_name(service)}));
}

}  // namespace

void recall(Status& status, const crd::Instance& instance, const runtime::Children& children) {
    const auto& name = instance.metadata.name;
    const ObjectNames objects(name);
    auto placement = status.placement.value_or(Status::Placement{});
    auto names = status.names.value_or(Status::Names{});
    auto domains = status.domains.value_or(Status::Domains{});
    recall_databases(placement, names, objects, children);
    recall_broker(placement, names, objects, children);
    recall_files(placement, names, objects, children);
    if (const auto fragment = children.get<crd::LoadBalancerFragment>(objects.fragment))
        fill(placement.load_balancer, fragment->spec.load_balancer_ref.name);
    for (const auto service : services) {
        const auto child = name + "-" + std::string(short_name(service));
        if (const auto record = children.get<crd::DNSRecord>(child)) {
            fill(placement.dns_zone, record->spec.zone_ref.name);
            fill(domain_of(domains, service), record->spec.name);
        }
        if (const auto monitor = children.get<crd::Monitor>(child))
            fill(placement.monitoring, monitor->spec.service_ref.name);
    }
    recall_settings(placement, domains, objects, children);
    if (placement != Status::Placement{}) status.placement = std::move(placement);
    if (names != Status::Names{}) status.names = std::move(names);
    if (domains != Status::Domains{}) status.domains = std::move(domains);
}

void choose_domains(Status& status, const crd::Instance& instance, const crd::InstanceClass& of_class) {
    auto& domains = status.domains ? *status.domains : status.domains.emplace();
    for (const auto& [service, name] : domains_of_class(instance, of_class)) fill(domain_of(domains, service), name);
}

void choose_scheme(Status& status, const crd::InstanceClass& of_class, const api::Json* secrets) {
    if (status.name_scheme) return;
    using OfClass = crd::InstanceClass::Spec::NameScheme;
    const bool old = of_class.spec.name_scheme == OfClass::ocim_v1;
    status.name_scheme = old ? NameScheme::ocim_v1 : NameScheme::unique;
    if (!secrets) return;
    if (!api::find_text(*secrets, {"data", secret_keys::mysql_user}).empty())
        status.name_scheme = NameScheme::ocim_v1;
    else if (!api::find_text(*secrets, {"data", secret_keys::id}).empty())
        status.name_scheme = NameScheme::unique;
}

void choose_names(Status& status, const crd::Instance& instance, const SiteSecrets& secrets,
                  const runtime::Inputs& inputs) {
    auto& names = status.names ? *status.names : status.names.emplace();
    const auto lms = status.domains->lms.value_or("");
    if (status.placement && status.placement->storage) {
        if (instance.spec.storage) fill(names.container, instance.spec.storage->container.value_or(""));
        if (const auto store = inputs.get<crd::ObjectStore>("", *status.placement->storage)) {
            // no bucket's name holds the "_" of the old ones, which were Swift's
            const bool old = status.name_scheme == NameScheme::ocim_v1 && store->spec.swift;
            const auto& id = secrets.id.empty() ? secrets.mysql_user : secrets.id;
            fill(names.container, old ? ocim_v1_database_prefix(lms) : container_name(instance.spec.subdomain, id));
        }
    }
    const bool brokered = status.placement && status.placement->rabbitmq;
    if (status.name_scheme == NameScheme::ocim_v1) {
        fill(names.database, ocim_v1_database_prefix(lms));
        fill(names.mysql_user, secrets.mysql_user);
        if (!brokered) return;
        fill(names.vhost, secrets.vhost.starts_with('/') ? secrets.vhost : "/" + secrets.vhost);
        fill(names.rabbitmq_provider, secrets.provider);
        fill(names.rabbitmq_consumer, secrets.consumer);
        return;
    }
    const auto& subdomain = instance.spec.subdomain;
    fill(names.database, database_prefix(lms, secrets.id));
    fill(names.mysql_user, mysql_user_prefix(subdomain, secrets.id));
    if (!brokered) return;
    fill(names.vhost, vhost_name(subdomain, secrets.id));
    fill(names.rabbitmq_provider, *names.vhost + "-provider");
    fill(names.rabbitmq_consumer, *names.vhost + "-consumer");
}

void fill_urls(Status& status, const crd::Instance& instance, const crd::InstanceClass& of_class) {
    using Scheme = crd::InstanceClass::Spec::Monitoring::Scheme;
    const std::string scheme = of_class.spec.monitoring.scheme == Scheme::http ? "http://" : "https://";
    const auto external = external_domains(instance);
    const auto url = [&](Service service) {
        const auto own = external.find(service);
        const auto& name = own != external.end() ? own->second : *domain_of(*status.domains, service);
        return scheme + name + "/";
    };
    auto& urls = status.urls.emplace();
    urls.lms = url(Service::lms);
    urls.studio = url(Service::studio);
    urls.lms_preview = url(Service::lms_preview);
}

}  // namespace ocim::openedx
