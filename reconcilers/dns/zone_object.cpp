#include "dns/gandi.hpp"
#include "dns/powerdns.hpp"
#include "dns/record.hpp"
#include "dns/rfc2136.hpp"
#include "dns/values.hpp"
#include "runtime/backend_spec.hpp"

namespace ocim::dns {

namespace {

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr Duration call_timeout{20'000};

}  // namespace

runtime::BackendSettings Record::settings(const Backend& zone) {
    auto settings = runtime::settings_of(zone.spec);
    settings.in_flight = 1;  // a zone has one serial: writes that come at once wait for each other, or are refused
    return settings;
}

std::vector<runtime::Reference> Record::backend_needs(const Backend& zone) {
    std::vector<runtime::Reference> out{{api::secret_kind, system_namespace, zone.spec.credentials_ref.name}};
    if (zone.spec.powerdns && zone.spec.powerdns->ca_ref)
        out.push_back({api::secret_kind, system_namespace, zone.spec.powerdns->ca_ref->name});
    if (zone.spec.gandi && zone.spec.gandi->ca_ref)
        out.push_back({api::secret_kind, system_namespace, zone.spec.gandi->ca_ref->name});
    return out;
}

namespace {

using Opened = Result<std::unique_ptr<Zone>>;

/// One key of the zone's Secret.
Result<Secret> credential(const crd::DNSZone& zone, const runtime::Inputs& inputs, const std::string& key) {
    const auto& name = zone.spec.credentials_ref.name;
    auto value = inputs.secret(system_namespace, name, key);
    if (!value || value->empty()) return Error{ErrorClass::auth, "the Secret " + name + " has no key \"" + key + "\""};
    return *std::move(value);
}

ExternalDns external_of(const crd::DNSZone& zone) {
    const auto& external = zone.spec.external_dns;
    return {external.txt_prefix, external.txt_suffix, external.txt_wildcard_replacement};
}

/// For one of the services that speak HTTP. `given` is its part of the spec, at `place`.
template <class Given>
Result<std::unique_ptr<net::HttpClient>> http_client(const Given& given, const char* place,
                                                     const runtime::Inputs& inputs, const runtime::Services& services) {
    net::HttpSettings http{.base_url = given.url, .ca_certificate = {}, .timeout = call_timeout};
    if (given.ca_ref) {
        const auto certificates = inputs.secret(system_namespace, given.ca_ref->name, "ca.crt");
        if (!certificates)
            return Error{ErrorClass::invalid, "the Secret " + given.ca_ref->name + " has no key \"ca.crt\""};
        http.ca_certificate = certificates->reveal();
    }
    auto client = net::make_http_client(services.loop, services.clock, services.metrics, std::move(http));
    if (!client) return std::move(client).error().within(place);
    return *std::move(client);
}

Opened gandi(const crd::DNSZone& zone, const runtime::Inputs& inputs, const runtime::Services& services) {
    auto token = credential(zone, inputs, "token");
    if (!token) return std::move(token).error();
    auto client = http_client(*zone.spec.gandi, "spec.gandi.url", inputs, services);
    if (!client) return std::move(client).error();
    return open_gandi(*std::move(client), services,
                      {canonical_name(zone.spec.domain), *std::move(token), external_of(zone)});
}

Opened powerdns(const crd::DNSZone& zone, const runtime::Inputs& inputs, const runtime::Services& services) {
    const auto& powerdns = *zone.spec.powerdns;
    auto api_key = credential(zone, inputs, "apiKey");
    if (!api_key) return std::move(api_key).error();
    auto client = http_client(powerdns, "spec.powerdns.url", inputs, services);
    if (!client) return std::move(client).error();
    return open_powerdns(
        *std::move(client), services,
        {canonical_name(zone.spec.domain), powerdns.server_id, *std::move(api_key), external_of(zone)});
}

Opened rfc2136(const crd::DNSZone& zone, const runtime::Inputs& inputs, const runtime::Services& services) {
    auto name = credential(zone, inputs, "keyName"), secret = credential(zone, inputs, "secret");
    if (!name) return std::move(name).error();
    if (!secret) return std::move(secret).error();
    const auto algorithm = inputs.secret(system_namespace, zone.spec.credentials_ref.name, "algorithm");
    auto key = make_tsig_key(name->reveal(), algorithm ? algorithm->reveal() : "hmac-sha256", *secret);
    if (!key) return std::move(key).error().within("the Secret " + zone.spec.credentials_ref.name);
    const auto& server = *zone.spec.rfc2136;
    return open_rfc2136(services, {canonical_name(zone.spec.domain), server.server, std::to_string(server.port),
                                   *std::move(key), external_of(zone), call_timeout});
}

}  // namespace

Result<std::unique_ptr<Zone>> Record::open(const Backend& zone, const runtime::Inputs& inputs,
                                           const runtime::Services& services) {
    if (zone.spec.powerdns) return powerdns(zone, inputs, services);
    if (zone.spec.gandi) return gandi(zone, inputs, services);
    if (zone.spec.rfc2136) return rfc2136(zone, inputs, services);
    return Error{ErrorClass::invalid, "spec: a provider is needed"};
}

}  // namespace ocim::dns
