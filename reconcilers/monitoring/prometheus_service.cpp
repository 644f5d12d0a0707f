#include "monitoring/prometheus_service.hpp"

#include "hosts/host_of.hpp"
#include "monitoring/prometheus.hpp"
#include "net/http_client.hpp"
#include "runtime/base64.hpp"

#include <utility>

namespace ocim::monitoring::prometheus {

namespace {

constexpr Duration call_timeout{30'000};  // a reload reads all of its configuration

/// Who we are for a Prometheus behind a log-in; "" where there is none.
Result<Secret> authorization(const crd::MonitoringService& service, const runtime::Inputs& inputs) {
    if (!service.spec.credentials_ref) return Secret();
    const auto& name = service.spec.credentials_ref->name;
    if (const auto token = inputs.secret(hosts::system_namespace, name, "token"))
        return Secret("Bearer " + token->reveal());
    const auto user = inputs.secret(hosts::system_namespace, name, "username");
    const auto password = inputs.secret(hosts::system_namespace, name, "password");
    if (!user || !password)
        return Error{ErrorClass::auth,
                     "the Secret " + name + " has neither \"token\" nor \"username\" and \"password\""};
    return Secret("Basic " + runtime::base64(user->reveal() + ":" + password->reveal()));
}

}  // namespace

std::vector<runtime::Reference> needs(const crd::MonitoringService& service) {
    std::vector<runtime::Reference> out;
    const auto need = [&](const std::string& name) {
        out.push_back({api::secret_kind, hosts::system_namespace, name});
    };
    if (service.spec.credentials_ref) need(service.spec.credentials_ref->name);
    if (const auto& ca = service.spec.prometheus->ca_ref) need(ca->name);
    if (const auto& ssh = service.spec.prometheus->ssh) need(ssh->key_ref.name);
    return out;
}

Result<std::unique_ptr<Watch>> open(const crd::MonitoringService& service, const runtime::Inputs& inputs,
                                    const runtime::Services& services) {
    const auto& given = *service.spec.prometheus;
    auto who = authorization(service, inputs);
    if (!who) return std::move(who).error();
    net::HttpSettings http{.base_url = given.url, .ca_certificate = {}, .timeout = call_timeout};
    if (given.ca_ref) {
        const auto certificates = inputs.secret(hosts::system_namespace, given.ca_ref->name, "ca.crt");
        if (!certificates)
            return Error{ErrorClass::invalid, "the Secret " + given.ca_ref->name + " has no key \"ca.crt\""};
        http.ca_certificate = certificates->reveal();
    }
    auto client = net::make_http_client(services.loop, services.clock, services.metrics, std::move(http));
    if (!client) return std::move(client).error().within("spec.prometheus.url");
    auto host = hosts::host_of(given, "spec.prometheus", inputs, services);
    if (!host) return std::move(host).error();
    // neither part can hold what would make two of these names the same
    const auto name = "ocim." + services.installation + "." + service.metadata.name;
    return open(*std::move(host), *std::move(client), services, {given.directory, name, *std::move(who)});
}

}  // namespace ocim::monitoring::prometheus
