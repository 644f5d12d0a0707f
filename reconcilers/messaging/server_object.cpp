#include "messaging/rabbitmq.hpp"
#include "messaging/vhost.hpp"
#include "runtime/backend_spec.hpp"

namespace ocim::messaging {

namespace {

const std::string_view system_namespace = "ocim-system";  // where credentials of backends live
constexpr Duration call_timeout{20'000};

}  // namespace

runtime::BackendSettings Vhost::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

std::vector<runtime::Reference> Vhost::backend_needs(const Backend& backend) {
    const std::string where(system_namespace);
    std::vector<runtime::Reference> out{{api::secret_kind, where, backend.spec.credentials_ref.name}};
    if (backend.spec.ca_ref) out.push_back({api::secret_kind, where, backend.spec.ca_ref->name});
    return out;
}

Result<std::unique_ptr<Broker>> Vhost::open(const Backend& backend, const runtime::Inputs& inputs,
                                            const runtime::Services& services) {
    const std::string where(system_namespace);
    const auto& secret = backend.spec.credentials_ref.name;
    auto username = inputs.secret(where, secret, "username");
    auto password = inputs.secret(where, secret, "password");
    for (const auto& [value, key] : {std::pair(&username, "username"), std::pair(&password, "password")})
        if (!*value || (*value)->empty())
            return Error{ErrorClass::auth, "the Secret " + where + "/" + secret + " has no key \"" + key + "\""};
    net::HttpSettings http{.base_url = backend.spec.management_url, .ca_certificate = {}, .timeout = call_timeout};
    while (http.base_url.ends_with('/')) http.base_url.pop_back();
    if (backend.spec.ca_ref) {
        const auto pem = inputs.secret(where, backend.spec.ca_ref->name, "ca.crt");
        if (!pem || pem->empty())
            return Error{ErrorClass::invalid,
                         "the Secret " + where + "/" + backend.spec.ca_ref->name + " has no key \"ca.crt\""};
        http.ca_certificate = pem->reveal();
    }
    auto client = net::make_http_client(services.loop, services.clock, services.metrics, std::move(http));
    if (!client) return std::move(client).error().within("spec.managementURL");
    const auto at_a_time = runtime::settings_of(backend.spec).in_flight;
    return open_rabbitmq(*std::move(client), {username->reveal(), *std::move(password), at_a_time}, services);
}

}  // namespace ocim::messaging
