#include "loadbalancing/fragment.hpp"
#include "loadbalancing/haproxy.hpp"
#include "runtime/backend_spec.hpp"

namespace ocim::loadbalancing {

namespace {

constexpr const char* system_namespace = "ocim-system";  // where credentials of backends live
constexpr const char* private_key = "ssh-privatekey";    // as in Secrets of type kubernetes.io/ssh-auth

}  // namespace

runtime::BackendSettings Fragment::settings(const Backend& balancer) {
    auto settings = runtime::settings_of(balancer.spec);
    settings.in_flight = 1;  // one version follows another
    return settings;
}

std::vector<runtime::Reference> Fragment::backend_needs(const Backend& balancer) {
    if (!balancer.spec.haproxy || !balancer.spec.haproxy->ssh) return {};
    return {{api::secret_kind, system_namespace, balancer.spec.haproxy->ssh->key_ref.name}};
}

Result<std::unique_ptr<System>> Fragment::open(const Backend& balancer, const runtime::Inputs& inputs,
                                               const runtime::Services& services) {
    if (!balancer.spec.haproxy) return Error{ErrorClass::invalid, "spec.haproxy: a provider is needed"};
    const auto& haproxy = *balancer.spec.haproxy;
    if (haproxy.ssh.has_value() == haproxy.local.has_value())
        return Error{ErrorClass::invalid, "spec.haproxy: exactly one of ssh and local is needed"};
    std::unique_ptr<Host> host;
    if (haproxy.ssh) {
        auto key = inputs.secret(system_namespace, haproxy.ssh->key_ref.name, private_key);
        if (!key || key->empty())
            return Error{ErrorClass::auth,
                         "the Secret " + haproxy.ssh->key_ref.name + " has no key \"" + private_key + "\""};
        net::SshSettings ssh;
        ssh.host = haproxy.ssh->host;
        ssh.port = static_cast<std::uint16_t>(haproxy.ssh->port);
        ssh.user = haproxy.ssh->user;
        ssh.private_key = *std::move(key);
        ssh.host_key = haproxy.ssh->host_key;
        host = make_remote_host(net::make_ssh_host(services.loop, std::move(ssh)), haproxy.ssh->sudo);
    } else {
        host = make_local_host(services.blocking);
    }
    return open_haproxy(std::move(host), services, {haproxy.directory, haproxy.config_files, haproxy.master_socket});
}

}  // namespace ocim::loadbalancing
