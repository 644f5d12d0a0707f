#include "database/mongodb.hpp"
#include "database/mysql.hpp"
#include "database/postgresql.hpp"
#include "database/script.hpp"
#include "database/tenant.hpp"
#include "runtime/backend_spec.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>

namespace ocim::database {

namespace {

constexpr std::string_view secrets_namespace = "ocim-system";

/// An address of this machine's own; of names, which may lead anywhere, only the one that leads nowhere else.
bool loopback(const std::string& host) {
    in_addr four{};
    in6_addr six{};
    if (inet_pton(AF_INET, host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return std::memcmp(&six, &in6addr_loopback, sizeof(six)) == 0;
    return host == "localhost";
}

/// The host of "name", "name:port", "[address]:port".
std::string host_of(const std::string& place) {
    if (place.starts_with('[')) return place.substr(1, place.find(']') - 1);
    return place.substr(0, place.find(':'));
}

/// `Out` is the driver's word for what the spec of its provider says; `nearby`: it does not leave this machine.
template <class Out, class Provider>
Out protection(const Provider& server, bool nearby) {
    using Tls = typename Provider::Tls;
    if (!server.tls.mode) return nearby ? Out::disabled : Out::verify_identity;
    switch (*server.tls.mode) {
        case Tls::Mode::verify_identity: return Out::verify_identity;
        case Tls::Mode::required: return Out::required;
        case Tls::Mode::disabled: break;
    }
    return Out::disabled;
}

/// The client libraries read authorities from a file only.
Result<std::string> write_authorities(const std::string& directory, const std::string& name, const Secret& pem) {
    const auto path = directory + "/database-ca-" + name + ".pem";
    {
        std::ofstream file(path + ".new", std::ios::binary | std::ios::trunc);
        file << pem.reveal();
        if (!file.flush()) return Error{ErrorClass::transient, path + ".new: cannot be written"};
    }
    if (std::rename((path + ".new").c_str(), path.c_str()) != 0)
        return Error{ErrorClass::transient, path + ": " + std::generic_category().message(errno)};
    return path;
}

template <class Provider>
Result<std::string> authorities(const Provider& server, const std::string& name, const runtime::Inputs& inputs,
                                const std::string& data_directory) {
    if (!server.tls.ca_ref) return std::string();
    const std::string where(secrets_namespace);
    const auto pem = inputs.secret(where, server.tls.ca_ref->name, "ca.crt");
    if (!pem || pem->empty())
        return Error{ErrorClass::invalid, "Secret " + where + "/" + server.tls.ca_ref->name + " has no key \"ca.crt\""};
    return write_authorities(data_directory, name, *pem);
}

Result<std::unique_ptr<Server>> open_mysql_server(const crd::DatabaseServer& backend, const runtime::Inputs& inputs,
                                                  const runtime::Services& services, std::string username,
                                                  Secret password) {
    auto settings = server_settings(backend, inputs, services.data_directory);
    if (!settings) return std::move(settings).error();
    settings->username = std::move(username);
    settings->password = std::move(password);
    return open_mysql(*std::move(settings), backend.spec.mysql->meta_database, services);
}

Result<std::unique_ptr<Server>> open_postgresql_server(const crd::DatabaseServer& backend,
                                                       const runtime::Inputs& inputs, const runtime::Services& services,
                                                       std::string username, Secret password) {
    const auto& server = *backend.spec.postgresql;
    auto ca_file = authorities(server, backend.metadata.name, inputs, services.data_directory);
    if (!ca_file) return std::move(ca_file).error();
    postgresql::ConnectionSettings settings;
    settings.host = server.host;
    settings.port = static_cast<std::uint16_t>(server.port);
    settings.database = server.database;
    settings.tls = protection<postgresql::ConnectionSettings::Tls>(server, loopback(server.host));
    settings.ca_file = *std::move(ca_file);
    settings.username = std::move(username);
    settings.password = std::move(password);
    return open_postgresql(std::move(settings), services);
}

Result<std::unique_ptr<Server>> open_mongodb_server(const crd::DatabaseServer& backend, const runtime::Inputs& inputs,
                                                    const runtime::Services& services, std::string username,
                                                    Secret password) {
    auto settings = mongodb_settings(backend, inputs, services.data_directory);
    if (!settings) return std::move(settings).error();
    settings->username = std::move(username);
    settings->password = std::move(password);
    const auto& server = *backend.spec.mongodb;
    std::vector<std::string> mechanisms;
    for (const auto mechanism : server.mechanisms) mechanisms.emplace_back(api::encode(mechanism).as_string());
    if (mechanisms.empty()) mechanisms.emplace_back("SCRAM-SHA-256");
    return open_mongodb(*std::move(settings), server.meta_database, std::move(mechanisms), services);
}

}  // namespace

runtime::BackendSettings Tenant::settings(const Backend& backend) { return runtime::settings_of(backend.spec); }

std::vector<runtime::Reference> authority_needs(const crd::DatabaseServer& server) {
    std::vector<runtime::Reference> out;
    const auto note = [&out](const auto& provider) {
        if (provider && provider->tls.ca_ref)
            out.push_back({api::secret_kind, std::string(secrets_namespace), provider->tls.ca_ref->name});
    };
    note(server.spec.mysql);
    note(server.spec.postgresql);
    note(server.spec.mongodb);
    return out;
}

Result<mysql::ConnectionSettings> server_settings(const crd::DatabaseServer& backend, const runtime::Inputs& inputs,
                                                  const std::string& data_directory) {
    if (!backend.spec.mysql)
        return Error{ErrorClass::invalid, "DatabaseServer " + backend.metadata.name + " has no spec.mysql"};
    const auto& server = *backend.spec.mysql;
    auto ca_file = authorities(server, backend.metadata.name, inputs, data_directory);
    if (!ca_file) return std::move(ca_file).error();
    mysql::ConnectionSettings settings;
    settings.host = server.host;
    settings.port = static_cast<std::uint16_t>(server.port);
    settings.tls = protection<mysql::ConnectionSettings::Tls>(server, loopback(server.host));
    settings.ca_file = *std::move(ca_file);
    return settings;
}

Result<mongodb::ConnectionSettings> mongodb_settings(const crd::DatabaseServer& backend, const runtime::Inputs& inputs,
                                                     const std::string& data_directory) {
    const auto& server = *backend.spec.mongodb;
    auto ca_file = authorities(server, backend.metadata.name, inputs, data_directory);
    if (!ca_file) return std::move(ca_file).error();
    // a member of a replica set names the others, which may be anywhere
    const bool nearby = !server.replica_set && std::ranges::all_of(server.hosts, loopback, host_of);
    mongodb::ConnectionSettings settings;
    settings.hosts = server.hosts;
    settings.replica_set = server.replica_set.value_or("");
    settings.auth_source = server.auth_source;
    settings.tls = protection<mongodb::ConnectionSettings::Tls>(server, nearby);
    settings.ca_file = *std::move(ca_file);
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
    if (backend.spec.mysql) return open_mysql_server(backend, inputs, services, username->reveal(), *password);
    if (backend.spec.postgresql)
        return open_postgresql_server(backend, inputs, services, username->reveal(), *password);
    if (backend.spec.mongodb) return open_mongodb_server(backend, inputs, services, username->reveal(), *password);
    return Error{ErrorClass::invalid, "exactly one provider is needed: mysql, postgresql or mongodb"};
}

}  // namespace ocim::database
