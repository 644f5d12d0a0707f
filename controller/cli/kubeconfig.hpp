#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace ocim::cli {

/// What a kubeconfig's current context says.
struct Kubeconfig {
    std::string server;          ///< "https://127.0.0.1:7443"
    std::string ca_certificate;  ///< PEM
    std::string certificate;     ///< PEM; empty when a token says who we are
    Secret private_key, token;
    std::string namespace_ = "default";
};

/// `path`, else the first of $KUBECONFIG, else ~/.kube/config.
std::string kubeconfig_path(const std::string& path);

/// `path` is its file's name, and `read` gives the text of others. Errors (invalid) name the file and what it lacks.
Result<Kubeconfig> parse_kubeconfig(const std::string& path, std::string_view text,
                                    const std::function<Result<std::string>(const std::string& path)>& read);
/// Keys may be in the file or beside it. Errors (invalid) name the file and what it lacks.
Result<Kubeconfig> read_kubeconfig(const std::string& path);

}  // namespace ocim::cli
