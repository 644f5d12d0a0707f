#include "cli/access.hpp"

#include "api/json.hpp"
#include "api/yaml.hpp"
#include "apiserver/authorizer.hpp"
#include "cli/address.hpp"
#include "cli/files.hpp"
#include "cli/revoked.hpp"
#include "runtime/base64.hpp"

#include <arpa/inet.h>
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

bool is_address(const std::string& text) {
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

}  // namespace

net::CertificateRequest server_request(const ServerNames& names) {
    net::CertificateRequest out;
    out.common_name = "ocim";
    out.server = true;
    const auto add = [](std::vector<std::string>& list, const std::string& name) {
        if (std::ranges::find(list, name) == list.end()) list.push_back(name);
    };
    out.dns_names = {"localhost"};
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') add(out.dns_names, name.data());
    out.ip_addresses = {"127.0.0.1", "::1"};
    const bool any = reachable_host(names.listen_host) != names.listen_host;
    if (!any) add(out.ip_addresses, names.listen_host);
    for (const auto& other : names.others) add(is_address(other) ? out.ip_addresses : out.dns_names, other);
    return out;
}

Result<net::KeyPair> read_ca(const std::string& directory) {
    const auto path = directory + "/pki/ca";
    auto certificate = read_file(path + ".crt");
    if (!certificate) return std::move(certificate).error();
    auto key = read_file(path + ".key");
    if (!key) return std::move(key).error();
    if (certificate->empty() || key->empty())
        return Error{ErrorClass::invalid,
                     path + ".crt and " + path +
                         ".key are not both there: give the --data-dir of an installation that has "
                         "been started once, as the user who runs it"};
    return net::KeyPair{*std::move(certificate), Secret(*std::move(key))};
}

Result<void> renew_access(Access& access, const std::string& directory, const ServerNames& names, WallTime now) {
    auto server = net::issue_certificate(access.ca, server_request(names), now);
    if (!server) return std::move(server).error();
    net::CertificateRequest request;
    request.common_name = admin_name;
    request.organizations = {std::string(apiserver::masters_group)};
    const auto revoked = read_revoked(directory);
    if (!revoked) return revoked.error();
    request.not_before_min = issue_from(*revoked, admin_name);
    auto admin = net::issue_certificate(access.ca, request, now);
    if (!admin) return std::move(admin).error();
    if (auto stored = store(directory + "/pki/server", *server); !stored) return stored;
    if (auto stored = store(directory + "/pki/admin", *admin); !stored) return stored;
    access.server = *std::move(server);
    access.admin = *std::move(admin);
    return {};
}

Result<Access> open_access(const std::string& directory, const ServerNames& names, WallTime now) {
    const auto pki = directory + "/pki";
    std::error_code error;
    std::filesystem::create_directory(pki, error);
    if (error) return Error{ErrorClass::invalid, pki + ": cannot be made: " + error.message()};
    auto ca = open_ca(pki + "/ca", now);
    if (!ca) return std::move(ca).error();
    Access out;
    out.ca = *std::move(ca);
    if (auto issued = renew_access(out, directory, names, now); !issued) return std::move(issued).error();
    return out;
}

Result<apiserver::StaticTokens> read_token_file(const std::string& path) {
    const auto place = "--token-auth-file " + path;
    auto text = read_file(path);
    if (!text) return std::move(text).error().within("--token-auth-file");
    if (text->empty()) return Error{ErrorClass::invalid, place + ": there is no such file, or nothing in it"};
    const Secret kept(*std::move(text));
    auto tokens = apiserver::StaticTokens::parse(kept.reveal());
    if (!tokens) return std::move(tokens).error().within(place);
    return tokens;
}

std::string kubeconfig(const KubeconfigFor& whom, const net::KeyPair& certificate) {
    using api::json::array;
    using api::json::object;
    object cluster{{"server", whom.server_url}, {"certificate-authority-data", runtime::base64(whom.ca_certificate)}};
    object user{{"client-certificate-data", runtime::base64(certificate.certificate)},
                {"client-key-data", runtime::base64(certificate.private_key.reveal())}};
    object context{{"cluster", "ocim"}, {"user", whom.user}, {"namespace", whom.namespace_}};
    object out;
    out["apiVersion"] = "v1";
    out["kind"] = "Config";
    out["clusters"] = array{object{{"name", "ocim"}, {"cluster", std::move(cluster)}}};
    out["users"] = array{object{{"name", whom.user}, {"user", std::move(user)}}};
    out["contexts"] = array{object{{"name", "ocim"}, {"context", std::move(context)}}};
    out["current-context"] = "ocim";
    return api::to_yaml(out);
}

}  // namespace ocim::cli
