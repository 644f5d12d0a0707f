#pragma once

#include "api/kind.hpp"
#include "hosts/host.hpp"
#include "net/ssh.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <string>
#include <utility>

namespace ocim::hosts {

inline constexpr const char* system_namespace = "ocim-system";     // where credentials of backends live
inline constexpr const char* private_key_name = "ssh-privatekey";  // as in Secrets of type kubernetes.io/ssh-auth

/// Where `given` says, which has the members `ssh` and `local`: this machine, or one at the other end of SSH. `field`
/// is its place in the spec. Errors: invalid, and auth without a key.
template <class Where>
Result<std::unique_ptr<Host>> host_of(const Where& given, const std::string& field, const runtime::Inputs& inputs,
                                      const runtime::Services& services) {
    if (given.ssh.has_value() == given.local.has_value())
        return Error{ErrorClass::invalid, field + ": exactly one of ssh and local is needed"};
    if (given.local) return make_local_host(services.blocking);
    auto key = inputs.secret(system_namespace, given.ssh->key_ref.name, private_key_name);
    if (!key || key->empty())
        return Error{ErrorClass::auth,
                     "the Secret " + given.ssh->key_ref.name + " has no key \"" + private_key_name + "\""};
    net::SshSettings ssh;
    ssh.host = given.ssh->host;
    ssh.port = static_cast<std::uint16_t>(given.ssh->port);
    ssh.user = given.ssh->user;
    ssh.private_key = *std::move(key);
    ssh.host_key = given.ssh->host_key;
    return make_remote_host(net::make_ssh_host(services.loop, std::move(ssh)), given.ssh->sudo);
}

}  // namespace ocim::hosts
