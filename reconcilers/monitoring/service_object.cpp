#include "monitoring/monitor.hpp"
#include "monitoring/newrelic.hpp"
#include "monitoring/prober.hpp"
#include "monitoring/prometheus_service.hpp"
#include "runtime/backend_spec.hpp"

#include <utility>

namespace ocim::monitoring {

namespace {

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr Duration call_timeout{30'000};                 // NerdGraph itself gives up earlier
constexpr std::size_t actions_max = 50;  // of one batch at New Relic: a call each, and it shall end within turn_max

using Service = crd::MonitoringService;
using Opened = Result<std::unique_ptr<Watch>>;

/// Where NerdGraph of a region answers.
const char* address_of(Service::Spec::NewRelic::Region region) {
    switch (region) {
        case Service::Spec::NewRelic::Region::us: return "https://api.newrelic.com/graphql";
        case Service::Spec::NewRelic::Region::eu: return "https://api.eu.newrelic.com/graphql";
        case Service::Spec::NewRelic::Region::jp: break;
    }
    return "https://api.jp.newrelic.com/graphql";
}

Opened new_relic(const Service& service, const runtime::Inputs& inputs, const runtime::Services& services) {
    const auto& given = *service.spec.new_relic;
    const auto secret = service.spec.credentials_ref ? service.spec.credentials_ref->name : std::string();
    auto key = inputs.secret(system_namespace, secret, "apiKey");
    if (!key || key->empty()) return Error{ErrorClass::auth, "the Secret " + secret + " has no key \"apiKey\""};
    const auto url = given.url.value_or(address_of(given.region));
    const auto scheme = url.find("://");
    const auto path = scheme == std::string::npos ? scheme : url.find('/', scheme + 3);
    net::HttpSettings http{.base_url = url.substr(0, path), .ca_certificate = {}, .timeout = call_timeout};
    if (given.ca_ref) {
        const auto certificates = inputs.secret(system_namespace, given.ca_ref->name, "ca.crt");
        if (!certificates)
            return Error{ErrorClass::invalid, "the Secret " + given.ca_ref->name + " has no key \"ca.crt\""};
        http.ca_certificate = certificates->reveal();
    }
    auto client = net::make_http_client(services.loop, services.clock, services.metrics, std::move(http));
    if (!client) return std::move(client).error().within("spec.newRelic.url");
    newrelic::Settings settings{
        .account = given.account_id, .service = service.metadata.name, .api_key = *std::move(key)};
    if (path != std::string::npos) settings.target = url.substr(path);
    return newrelic::open(*std::move(client), services, std::move(settings));
}

}  // namespace

runtime::BackendSettings Monitor::settings(const Backend& backend) {
    auto out = runtime::settings_of(backend.spec);
    if (backend.spec.prometheus) out.in_flight = 1;  // one version of the files follows another
    if (!backend.spec.new_relic) return out;
    out.in_flight = 1;                            // several monitors share what alerts: it is made once
    out.creates_twice = true;                     // names are nothing to New Relic
    out.landing_max = newrelic::index_delay_max;  // before that a look may not show what was made
    out.actions_max = actions_max;
    return out;
}

std::vector<runtime::Reference> Monitor::backend_needs(const Backend& backend) {
    if (backend.spec.prometheus) return prometheus::needs(backend);
    std::vector<runtime::Reference> out;
    if (!backend.spec.new_relic) return out;
    if (backend.spec.credentials_ref)
        out.push_back({api::secret_kind, system_namespace, backend.spec.credentials_ref->name});
    if (const auto& ca = backend.spec.new_relic->ca_ref) out.push_back({api::secret_kind, system_namespace, ca->name});
    return out;
}

Opened Monitor::open(const Backend& backend, const runtime::Inputs& inputs, const runtime::Services& services) {
    if (backend.spec.new_relic) return new_relic(backend, inputs, services);
    if (backend.spec.prometheus) return prometheus::open(backend, inputs, services);
    if (!backend.spec.prober) return Error{ErrorClass::invalid, "spec: a provider is needed"};
    const auto concurrent = static_cast<std::size_t>(backend.spec.prober->max_concurrent_probes);
    Senses senses{net::make_fetcher(services.loop, services.clock), net::make_talker(services.loop, services.clock)};
    return open_prober(std::move(senses), concurrent, services);
}

}  // namespace ocim::monitoring
