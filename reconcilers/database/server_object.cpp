#include "database/mysql.hpp"
#include "database/script.hpp"
#include "database/tenant.hpp"
#include "runtime/backend_spec.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

namespace ocim::database {

namespace {

constexpr std::string_view secrets_namespace = "ocim-system";

using Tls = crd::DatabaseServer::Spec::Mysql::Tls;

bool loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

mysql::ConnectionSettings::Tls protection(const crd::DatabaseServer::Spec::Mysql& server) {
    using Out = mysql::ConnectionSettings::Tls;
    if (!server.tls.mode) return loopback(server.host) ? Out::disabled : Out::verify_identity;
    switch (*server.tls.mode) {
        case Tls::Mode::verify_identity: return Out::verify_identity;
        case Tls::Mode::required: return Out::required;
        case Tls::Mode::disabled: break;
    }
    return Out::disabled;
}

/// The client library reads authorities from a file only.
Result<std::string> write_authorities(const std::string& directory, const std::string& name, const Secret& pem) {
    const auto path = directory + "/mysql-ca-" + name + ".pem";
    {
        std::ofstream file(path + ".new", std::ios::binary | std::ios::trunc);
        file << pem.reveal();
        if (!file.flush()) return Error{ErrorClass::transient, path + ".new: cannot be written"};
    }
    if (std::rename((path + ".new").c_str(), path.c_str()) != 0)
        return Error{ErrorClass::transient, path + ": " + std::generic_category().message(errno)};
    return path;
}

}  // namespace

runtime::BackendSettings Tenant::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

std::vector<runtime::Reference> authority_needs(const crd::DatabaseServer& server) {
    if (!server.spec.mysql.tls.ca_ref) return {};
    return {{api::secret_kind, std::string(secrets_namespace), server.spec.mysql.tls.ca_ref->name}};
}

Result<mysql::ConnectionSettings> server_settings(const crd::DatabaseServer& backend, const runtime::Inputs& inputs,
                                                  const std::string& data_directory) {
    const std::string where(secrets_namespace);
    const auto& server = backend.spec.mysql;
    mysql::ConnectionSettings settings;
    settings.host = server.host;
    settings.port = static_cast<std::uint16_t>(server.port);
    settings.tls = protection(server);
    if (server.tls.ca_ref) {
        const auto pem = inputs.secret(where, server.tls.ca_ref->name, "ca.crt");
        if (!pem || pem->empty())
            return Error{ErrorClass::invalid,
                         "Secret " + where + "/" + server.tls.ca_ref->name + " has no key \"ca.crt\""};
        auto path = write_authorities(data_directory, backend.metadata.name, *pem);
        if (!path) return std::move(path).error();
        settings.ca_file = *std::move(path);
    }
    return settings;
}

std::vector<runtime::Reference> Tenant::backend_needs(const Backend& backend) {
    auto out = authority_needs(backend);
    out.insert(out.begin(), {api::secret_kind, std::string(secrets_namespace), backend.spec.credentials_ref.name});
    return out;
}

Result<std::unique_ptr<Server>> Tenant::open(const Backend& backend, const runtime::Inputs& inputs,
                                             const runtime::Services& services) {
    const std::string where(secrets_namespace);
    const auto secret = "Secret " + where + "/" + backend.spec.credentials_ref.name;
    const auto username = inputs.secret(where, backend.spec.credentials_ref.name, "username");
    const auto password = inputs.secret(where, backend.spec.credentials_ref.name, "password");
    if (!username || username->empty()) return Error{ErrorClass::auth, secret + " has no key \"username\""};
    if (!password) return Error{ErrorClass::auth, secret + " has no key \"password\""};
    auto settings = server_settings(backend, inputs, services.data_directory);
    if (!settings) return std::move(settings).error();
    settings->username = username->reveal();
    settings->password = *password;
    return open_mysql(*std::move(settings), backend.spec.mysql.meta_database, services);
}

}  // namespace ocim::database
