#include "cli/access.hpp"

#include "api/json.hpp"
#include "api/yaml.hpp"
#include "apiserver/authorizer.hpp"
#include "cli/address.hpp"
#include "cli/files.hpp"
#include "runtime/base64.hpp"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <filesystem>

namespace ocim::cli {

namespace {

Result<void> store(const std::string& path, const net::KeyPair& pair) {
    // the key first: a certificate without its key would be taken for a whole pair
    if (auto wrote = write_file(path + ".key", pair.private_key.reveal()); !wrote) return wrote;
    return write_file(path + ".crt", pair.certificate);
}

Result<net::KeyPair> open_ca(const std::string& path, WallTime now) {
    auto certificate = read_file(path + ".crt");
    if (!certificate) return std::move(certificate).error();
    auto key = read_file(path + ".key");
    if (!key) return std::move(key).error();
    if (!certificate->empty()) {
        if (key->empty())
            return Error{ErrorClass::invalid,
                         path + ".key is missing: put it back, or remove " + path +
                             ".crt to have a new CA made, which no existing kubeconfig will trust"};
        return net::KeyPair{*std::move(certificate), Secret(*std::move(key))};
    }
    auto made = net::make_ca("ocim", now);
    if (!made) return made;
    if (auto stored = store(path, *made); !stored) return std::move(stored).error();
    return made;
}

net::CertificateRequest server_request(const std::string& listen_host) {
    net::CertificateRequest out;
    out.common_name = "ocim";
    out.server = true;
    out.dns_names = {"localhost"};
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') out.dns_names.emplace_back(name.data());
    out.ip_addresses = {"127.0.0.1", "::1"};
    const bool any = reachable_host(listen_host) != listen_host;
    if (!any && std::ranges::find(out.ip_addresses, listen_host) == out.ip_addresses.end())
        out.ip_addresses.push_back(listen_host);
    return out;
}

}  // namespace

Result<Access> open_access(const std::string& directory, const std::string& listen_host, WallTime now) {
    const auto pki = directory + "/pki";
    std::error_code error;
    std::filesystem::create_directory(pki, error);
    if (error) return Error{ErrorClass::invalid, pki + ": cannot be made: " + error.message()};

    auto ca = open_ca(pki + "/ca", now);
    if (!ca) return std::move(ca).error();
    auto server = net::issue_certificate(*ca, server_request(listen_host), now);
    if (!server) return std::move(server).error();
    net::CertificateRequest request;
    request.common_name = "ocim-admin";
    request.organizations = {std::string(apiserver::masters_group)};
    auto admin = net::issue_certificate(*ca, request, now);
    if (!admin) return std::move(admin).error();
    if (auto stored = store(pki + "/server", *server); !stored) return std::move(stored).error();
    if (auto stored = store(pki + "/admin", *admin); !stored) return std::move(stored).error();
    return Access{*std::move(ca), *std::move(server), *std::move(admin)};
}

std::string kubeconfig(const Access& access, const std::string& server_url) {
    using api::json::array;
    using api::json::object;
    object cluster{{"server", server_url}, {"certificate-authority-data", runtime::base64(access.ca.certificate)}};
    object user{{"client-certificate-data", runtime::base64(access.admin.certificate)},
                {"client-key-data", runtime::base64(access.admin.private_key.reveal())}};
    object context{{"cluster", "ocim"}, {"user", "ocim-admin"}, {"namespace", "default"}};
    object out;
    out["apiVersion"] = "v1";
    out["kind"] = "Config";
    out["clusters"] = array{object{{"name", "ocim"}, {"cluster", std::move(cluster)}}};
    out["users"] = array{object{{"name", "ocim-admin"}, {"user", std::move(user)}}};
    out["contexts"] = array{object{{"name", "ocim"}, {"context", std::move(context)}}};
    out["current-context"] = "ocim";
    return api::to_yaml(out);
}

}  // namespace ocim::cli
