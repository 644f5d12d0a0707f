#pragma once

#include "hosts/host.hpp"
#include "loadbalancing/balancer.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::loadbalancing {

/// A host whose configuration is put together by the tool haproxy-config: all our fragments are one of the tool's.
struct ToolSettings {
    std::string command;   ///< the tool's name or path
    std::string fragment;  ///< what it calls ours
};

struct HaproxySettings {
    std::string directory;                  ///< ours; README.md shows what is in it. With the tool: its own
    std::vector<std::string> config_files;  ///< what HAProxy is started with, except ours
    std::string master_socket;
    std::optional<ToolSettings> tool{};
    std::string name{};  ///< what metrics call it: the LoadBalancer's name, and the host's if there are several
};

/// Fragments in an HAProxy that runs in master-worker mode on `host`.
std::unique_ptr<System> open_haproxy(std::unique_ptr<hosts::Host> host, const runtime::Services& services,
                                     HaproxySettings settings);

}  // namespace ocim::loadbalancing
