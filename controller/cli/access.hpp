#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/tls.hpp"

#include <string>

/// Who the server is and who may come in: keys, certificates, and the kubeconfig.
namespace ocim::cli {

struct Access {
    net::KeyPair ca, server, admin;
};

/// The CA in `directory`/pki, made at the first start and kept for good; the server's and the admin's certificates,
/// made anew at every start so that they do not run out. All with mode 0600.
Result<Access> open_access(const std::string& directory, const std::string& listen_host, WallTime now);

/// A kubeconfig for the admin, as YAML.
std::string kubeconfig(const Access& access, const std::string& server_url);

}  // namespace ocim::cli
