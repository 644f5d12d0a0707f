#include "loadbalancing/fragment.hpp"
#include "loadbalancing/haproxy.hpp"
#include "loadbalancing/several_hosts.hpp"
#include "runtime/backend_spec.hpp"

#include <set>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr const char* private_key = "ssh-privatekey";    // as in Secrets of type kubernetes.io/ssh-auth

/// Where `given` says: this machine, or one at the other end of SSH.
template <class Where>
Result<std::unique_ptr<Host>> host_of(const Where& given, const std::string& field, const runtime::Inputs& inputs,
                                      const runtime::Services& services) {
    if (given.ssh.has_value() == given.local.has_value())
        return Error{ErrorClass::invalid, field + ": exactly one of ssh and local is needed"};
    if (given.local) return make_local_host(services.blocking);
    auto key = inputs.secret(system_namespace, given.ssh->key_ref.name, private_key);
    if (!key || key->empty())
        return Error{ErrorClass::auth, "the Secret " + given.ssh->key_ref.name + " has no key \"" + private_key + "\""};
    net::SshSettings ssh;
    ssh.host = given.ssh->host;
    ssh.port = static_cast<std::uint16_t>(given.ssh->port);
    ssh.user = given.ssh->user;
    ssh.private_key = *std::move(key);
    ssh.host_key = given.ssh->host_key;
    return make_remote_host(net::make_ssh_host(services.loop, std::move(ssh)), given.ssh->sudo);
}

}  // namespace

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
    for (const auto& key : keys) out.push_back({api::secret_kind, system_namespace, key});
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
        auto host = host_of(haproxy, "spec.haproxy", inputs, services);
        if (!host) return std::move(host).error();
        return open_haproxy(*std::move(host), services, settings);
    }
    if (haproxy.ssh || haproxy.local)
        return Error{ErrorClass::invalid, "spec.haproxy: exactly one of ssh, local and hosts is needed"};
    std::vector<Member> members;
    for (const auto& given : haproxy.hosts) {
        auto host = host_of(given, "spec.haproxy.hosts[" + given.name + "]", inputs, services);
        if (!host) return std::move(host).error();
        auto there = settings;
        there.name += "/" + given.name;
        if (given.directory && !haproxy.compatible) there.directory = *given.directory;
        if (!given.config_files.empty()) there.config_files = given.config_files;
        if (given.master_socket) there.master_socket = *given.master_socket;
        members.push_back({given.name, open_haproxy(*std::move(host), services, std::move(there))});
    }
    return open_several_hosts(std::move(members), services.loop, services.clock);
}

}  // namespace ocim::loadbalancing
