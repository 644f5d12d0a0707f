#pragma once

#include "apiserver/authenticator.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/tls.hpp"

#include <string>
#include <vector>

/// Who the server is and who may come in: keys, certificates, and the kubeconfig.
namespace ocim::cli {

struct Access {
    net::KeyPair ca, server, admin;
};

/// By which names and addresses clients reach the server.
struct ServerNames {
    std::string listen_host;
    std::vector<std::string> others;  ///< --tls-san: DNS names and IP addresses
};

/// What the certificate of such a server says.
net::CertificateRequest server_request(const ServerNames& names);

/// The CA in `directory`/pki, made at the first start and kept for good; the server's and the admin's certificates,
/// made anew at every start. All with mode 0600.
Result<Access> open_access(const std::string& directory, const ServerNames& names, WallTime now);
/// Makes the server's and the admin's certificates anew, with the same CA.
Result<void> renew_access(Access& access, const std::string& directory, const ServerNames& names, WallTime now);
/// The CA of an installation that exists. Error: invalid.
Result<net::KeyPair> read_ca(const std::string& directory);

/// --token-auth-file. Errors: invalid.
Result<apiserver::StaticTokens> read_token_file(const std::string& path);

/// Whom a kubeconfig is for, and where he finds the server.
struct KubeconfigFor {
    std::string server_url, ca_certificate, user, namespace_;
};
/// A kubeconfig with a client certificate, as YAML.
std::string kubeconfig(const KubeconfigFor& whom, const net::KeyPair& certificate);

inline constexpr auto admin_name = "ocim-admin";

}  // namespace ocim::cli
