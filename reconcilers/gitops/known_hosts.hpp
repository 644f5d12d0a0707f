#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::gitops {

/// The keys by which a host is known, each as "ssh-ed25519 AAAA…" and none twice, as sshd(8) describes the file: names
/// and addresses, wildcards and negations, hashed ones, "[host]:port". A port other than 22 that no line names is the
/// host's own, as for ssh. `host` is without brackets. Error: invalid, saying why there is none: no line is of that
/// host, its keys are revoked, or only an authority vouches for it, which is not asked.
Result<std::vector<std::string>> keys_of_host(std::string_view known_hosts, std::string_view host, std::uint16_t port);

}  // namespace ocim::gitops
