#pragma once

#include "hosts/host.hpp"
#include "monitoring/watch.hpp"
#include "net/http_client.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <string>

namespace ocim::monitoring::prometheus {

struct Settings {
    std::string directory;   ///< where the files are
    std::string name;        ///< what their names begin with: ours alone
    Secret authorization{};  ///< of each request: "Basic …", "Bearer …" or ""
};

/// Targets and alert rules in files of a Prometheus. All Monitors are in two files: a batch of changes is one check by
/// promtool, one rename a file and one reload, and counts as done when Prometheus says that the rules are in force.
std::unique_ptr<Watch> open(std::unique_ptr<hosts::Host> host, std::unique_ptr<net::HttpClient> http,
                            const runtime::Services& services, Settings settings);

}  // namespace ocim::monitoring::prometheus
