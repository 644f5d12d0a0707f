#pragma once

#include "base/result.hpp"
#include "client/remote.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace ocim::cli {

/// `path`, else the first of $KUBECONFIG, else ~/.kube/config.
std::string kubeconfig_path(const std::string& path);

/// What its context says: the named one, else its current one. `path` is its file's name, and `read` gives the text of
/// others. Errors (invalid) name the file and what it lacks, or has that is not supported.
Result<client::Access> parse_kubeconfig(const std::string& path, std::string_view text,
                                        const std::function<Result<std::string>(const std::string& path)>& read,
                                        const std::string& context = "");
/// Keys and tokens may be in the file or beside it. Errors (invalid) name the file and what it lacks.
Result<client::Access> read_kubeconfig(const std::string& path, const std::string& context = "");

/// What Kubernetes gives to a program in a pod: KUBERNETES_SERVICE_HOST and _PORT, and the files below `folder`.
/// Error: invalid, saying what is missing.
Result<client::Access> read_pod_access(const std::string& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

}  // namespace ocim::cli
