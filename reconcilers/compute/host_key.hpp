#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <string>
#include <string_view>

/// The key by which a machine's SSH server is known before anybody has spoken to it: we make it, and the machine finds
/// it in its user data. Pure.
namespace ocim::compute {

/// Where a Secret has the key that a machine is given: 32 random bytes as base64. All else is computed from them, so
/// that one machine never has two.
inline constexpr const char* host_key_seed = "ed25519-seed";
inline constexpr std::size_t host_key_seed_bytes = 32;

struct HostKey {
    Secret private_key;      ///< as OpenSSH keeps it in a file
    std::string public_key;  ///< "ssh-ed25519 AAAA…"
    bool operator==(const HostKey&) const = default;
};

/// Error: invalid when `seed` is not base64 of 32 bytes; the message does not show it.
Result<HostKey> host_key_of(const Secret& seed);

/// What cloud-init finds: the person's own user data, whatever form it has, and a part that has it put `key` in place
/// of all others. The part comes last, so it goes before keys that the first ones name.
Secret user_data_with(const HostKey& key, std::string_view own);

}  // namespace ocim::compute
