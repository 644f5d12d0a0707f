#include "runtime/backend_spec.hpp"
#include "storage/container.hpp"
#include "storage/s3.hpp"
#include "storage/swift.hpp"

namespace ocim::storage {

namespace {

using Opened = Result<std::unique_ptr<Provider>>;

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr Duration call_timeout{20'000};

/// One key of the store's Secret.
Result<Secret> credential(const crd::ObjectStore& store, const runtime::Inputs& inputs, const std::string& key) {
    const auto& name = store.spec.credentials_ref.name;
    auto value = inputs.secret(system_namespace, name, key);
    if (!value || value->empty())
        return Error{ErrorClass::auth,
                     "the Secret " + std::string(system_namespace) + "/" + name + " has no key \"" + key + "\""};
    return *std::move(value);
}

std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

Result<keystone::Credentials> keystone_login(const crd::ObjectStore& store, const runtime::Inputs& inputs) {
    const auto& swift = *store.spec.swift;
    keystone::Credentials out;
    out.place = "spec.swift";
    out.auth_url = without_slash(swift.auth_url);
    if (!out.auth_url.ends_with("/v3")) out.auth_url += "/v3";
    out.region = swift.region.value_or("");
    using Interface = crd::ObjectStore::Spec::Swift::Interface;
    if (swift.interface != Interface::public_)
        out.interface = swift.interface == Interface::internal ? "internal" : "admin";
    const auto& secret = store.spec.credentials_ref.name;
    if (auto id = inputs.secret(system_namespace, secret, "applicationCredentialID"); id && !id->empty()) {
        auto value = credential(store, inputs, "applicationCredentialSecret");
        if (!value) return std::move(value).error();
        out.application_credential.id = id->reveal();
        out.application_secret = *std::move(value);
        return out;
    }
    auto user = credential(store, inputs, "username"), password = credential(store, inputs, "password");
    if (!user) return std::move(user).error();
    if (!password) return std::move(password).error();
    if (!swift.project)
        return Error{ErrorClass::invalid, "spec.swift.project: a user with a password needs it, to say whose account"};
    out.user.name = user->reveal();
    const auto domain = inputs.secret(system_namespace, secret, "userDomainName");
    out.user_domain.name = domain && !domain->empty() ? domain->reveal() : "Default";
    out.password = *std::move(password);
    out.project = {swift.project->id.value_or(""), swift.project->name.value_or("")};
    out.project_domain.name = swift.project->domain_name;
    return out;
}

Opened swift(const crd::ObjectStore& store, const runtime::Inputs& inputs, const runtime::Services& services,
             SwiftSession::Connect connect) {
    SwiftLogin login;
    if (store.spec.swift->auth_version == crd::ObjectStore::Spec::Swift::AuthVersion::v3) {
        auto credentials = keystone_login(store, inputs);
        if (!credentials) return std::move(credentials).error();
        login.keystone = *std::move(credentials);
    } else {
        auto user = credential(store, inputs, "username"), password = credential(store, inputs, "password");
        if (!user) return std::move(user).error();
        if (!password) return std::move(password).error();
        login.temp = {without_slash(store.spec.swift->auth_url), user->reveal(), *std::move(password)};
    }
    auto session = std::make_unique<SwiftSession>(std::move(login), services.clock, std::move(connect));
    return open_swift(std::move(session), services);
}

Opened s3(const crd::ObjectStore& store, const runtime::Inputs& inputs, const runtime::Services& services,
          const SwiftSession::Connect& connect) {
    const auto endpoint = without_slash(store.spec.s3->endpoint);
    auto access = credential(store, inputs, "accessKey"), secret = credential(store, inputs, "secretKey");
    if (!access) return std::move(access).error();
    if (!secret) return std::move(secret).error();
    auto client = connect(endpoint);
    if (!client) return std::move(client).error().within("spec.s3.endpoint");
    const auto host = endpoint.substr(endpoint.find("://") + 3);
    return open_s3(*std::move(client), services,
                   {host, {access->reveal(), *std::move(secret), store.spec.s3->region, "s3"}});
}

}  // namespace

runtime::BackendSettings Container::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

std::vector<runtime::Reference> Container::backend_needs(const Backend& backend) {
    std::vector<runtime::Reference> out{{api::secret_kind, system_namespace, backend.spec.credentials_ref.name}};
    if (backend.spec.ca_ref) out.push_back({api::secret_kind, system_namespace, backend.spec.ca_ref->name});
    return out;
}

Result<std::unique_ptr<Store>> Container::open(const Backend& backend, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
    std::string trusted;
    if (backend.spec.ca_ref) {
        const auto pem = inputs.secret(system_namespace, backend.spec.ca_ref->name, "ca.crt");
        if (!pem || pem->empty())
            return Error{ErrorClass::invalid, "the Secret " + std::string(system_namespace) + "/" +
                                                  backend.spec.ca_ref->name + " has no key \"ca.crt\""};
        trusted = pem->reveal();
    }
    const SwiftSession::Connect connect = [services, trusted](const std::string& url) {
        net::HttpSettings http{.base_url = url, .ca_certificate = trusted, .timeout = call_timeout};
        return net::make_http_client(services.loop, services.clock, services.metrics, std::move(http));
    };
    if (!backend.spec.swift && !backend.spec.s3) return Error{ErrorClass::invalid, "spec: a provider is needed"};
    auto provider =
        backend.spec.swift ? swift(backend, inputs, services, connect) : s3(backend, inputs, services, connect);
    if (!provider) return std::move(provider).error();
    return make_store(*std::move(provider), services, settings(backend).in_flight);
}

}  // namespace ocim::storage
