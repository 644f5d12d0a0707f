#include "dns/powerdns.hpp"
#include "dns/record.hpp"
#include "dns/values.hpp"
#include "runtime/backend_spec.hpp"

namespace ocim::dns {

namespace {

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr Duration call_timeout{20'000};

}  // namespace

runtime::BackendSettings Record::settings(const Backend& zone) {
    auto settings = runtime::settings_of(zone.spec);
    settings.in_flight = 1;  // PowerDNS' SQL backends refuse writes that come at once
    return settings;
}

std::vector<runtime::Reference> Record::backend_needs(const Backend& zone) {
    std::vector<runtime::Reference> out{{api::secret_kind, system_namespace, zone.spec.credentials_ref.name}};
    if (zone.spec.powerdns && zone.spec.powerdns->ca_ref)
        out.push_back({api::secret_kind, system_namespace, zone.spec.powerdns->ca_ref->name});
    return out;
}

Result<std::unique_ptr<Zone>> Record::open(const Backend& zone, const runtime::Inputs& inputs,
                                           const runtime::Services& services) {
    if (!zone.spec.powerdns) return Error{ErrorClass::invalid, "spec.powerdns: a provider is needed"};
    const auto& powerdns = *zone.spec.powerdns;
    auto api_key = inputs.secret(system_namespace, zone.spec.credentials_ref.name, "apiKey");
    if (!api_key || api_key->empty())
        return Error{ErrorClass::auth, "the Secret " + zone.spec.credentials_ref.name + " has no key \"apiKey\""};
    net::HttpSettings http{.base_url = powerdns.url, .ca_certificate = {}, .timeout = call_timeout};
    if (powerdns.ca_ref) {
        const auto certificates = inputs.secret(system_namespace, powerdns.ca_ref->name, "ca.crt");
        if (!certificates)
            return Error{ErrorClass::invalid, "the Secret " + powerdns.ca_ref->name + " has no key \"ca.crt\""};
        http.ca_certificate = certificates->reveal();
    }
    auto client = net::make_http_client(services.loop, services.clock, services.metrics, std::move(http));
    if (!client) return std::move(client).error().within("spec.powerdns.url");
    return open_powerdns(*std::move(client), services,
                         {canonical_name(zone.spec.domain), powerdns.server_id, *std::move(api_key)});
}

}  // namespace ocim::dns
