#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <string>
#include <vector>

namespace ocim::net {

struct KeyPair {
    std::string certificate;  ///< PEM
    Secret private_key;       ///< PEM, EC P-256
};

/// A CA of our own: EC P-256, ten years.
Result<KeyPair> make_ca(std::string_view common_name, WallTime now);
struct CertificateRequest {
    std::string common_name{};
    std::vector<std::string> organizations{};
    std::vector<std::string> dns_names{}, ip_addresses{};  ///< of a server certificate
    bool server = false;                                   ///< else a client's
    std::chrono::seconds valid_for = std::chrono::hours(24 * 365);
    /// It is good from five minutes ago, because clocks differ, but never from before this.
    WallTime not_before_min = WallTime::min();
};
Result<KeyPair> issue_certificate(const KeyPair& ca, const CertificateRequest& request, WallTime now);
Result<WallTime> certificate_expiry(const std::string& pem);

/// An Ed25519 key pair for SSH.
struct SshKeyPair {
    Secret private_key;      ///< OpenSSH or PKCS#8 PEM that libssh and OpenSSH read
    std::string public_key;  ///< "ssh-ed25519 AAAA…"
};
Result<SshKeyPair> make_ssh_key();

}  // namespace ocim::net
