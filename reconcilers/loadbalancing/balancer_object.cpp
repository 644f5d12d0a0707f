#include "hosts/host_of.hpp"
#include "loadbalancing/fragment.hpp"
#include "loadbalancing/haproxy.hpp"
#include "loadbalancing/several_hosts.hpp"
#include "loadbalancing/traffic.hpp"
#include "runtime/backend_spec.hpp"

#include <set>
#include <utility>

namespace ocim::loadbalancing {

runtime::BackendSettings Fragment::settings(const Backend& balancer) {
    auto settings = runtime::settings_of(balancer.spec);
    settings.in_flight = 1;  // one version follows another
    return settings;
}

std::vector<runtime::Reference> Fragment::backend_needs(const Backend& balancer) {
    if (!balancer.spec.haproxy) return {};
    const auto& haproxy = *balancer.spec.haproxy;
    std::set<std::string> keys;
    if (haproxy.ssh) keys.insert(haproxy.ssh->key_ref.name);
    for (const auto& host : haproxy.hosts)
        if (host.ssh) keys.insert(host.ssh->key_ref.name);
    std::vector<runtime::Reference> out;
    for (const auto& key : keys) out.push_back({api::secret_kind, hosts::system_namespace, key});
    return out;
}

Result<std::unique_ptr<System>> Fragment::open(const Backend& balancer, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
    if (!balancer.spec.haproxy) return Error{ErrorClass::invalid, "spec.haproxy: a provider is needed"};
    const auto& haproxy = *balancer.spec.haproxy;
    HaproxySettings settings{
        haproxy.directory, haproxy.config_files, haproxy.master_socket, {}, balancer.metadata.name};
    if (haproxy.compatible) {
        settings.directory = haproxy.compatible->directory;
        settings.tool = ToolSettings{haproxy.compatible->command, haproxy.compatible->fragment};
    }
    if (haproxy.hosts.empty()) {
        auto host = hosts::host_of(haproxy, "spec.haproxy", inputs, services);
        if (!host) return std::move(host).error();
        return with_seldom_traffic(open_haproxy(*std::move(host), services, settings), services.clock);
    }
    if (haproxy.ssh || haproxy.local)
        return Error{ErrorClass::invalid, "spec.haproxy: exactly one of ssh, local and hosts is needed"};
    std::vector<Member> members;
    for (const auto& given : haproxy.hosts) {
        auto host = hosts::host_of(given, "spec.haproxy.hosts[" + given.name + "]", inputs, services);
        if (!host) return std::move(host).error();
        auto there = settings;
        there.name += "/" + given.name;
        if (given.directory && !haproxy.compatible) there.directory = *given.directory;
        if (!given.config_files.empty()) there.config_files = given.config_files;
        if (given.master_socket) there.master_socket = *given.master_socket;
        members.push_back({given.name, open_haproxy(*std::move(host), services, std::move(there))});
    }
    return with_seldom_traffic(open_several_hosts(std::move(members), services.loop, services.clock), services.clock);
}

api::json::object Fragment::backend_report(const std::string& installation, const Snapshot& seen) {
    const auto all = totals(installation, seen);
    api::json::object out;
    if (all.traffic) out["traffic"] = api::encode(*all.traffic);
    if (all.servers) out["serverStates"] = api::encode(*all.servers);
    return out;
}

}  // namespace ocim::loadbalancing
