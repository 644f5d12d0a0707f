#pragma once

#include "base/clock.hpp"
#include "base/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Certificates that fragments bring along. Pure.
namespace ocim::loadbalancing {

/// What a fragment's text says of the certificate that is in force with it.
struct CertificateNote {
    std::string fingerprint;  ///< SHA-256 of the certificate
    std::string short_print;  ///< SHA-1 of it, by which HAProxy names what it serves
    std::string file;         ///< SHA-256 of the file with the private key
    WallTime not_before{}, not_after{};
    /// The host names that it was checked to be good for, sorted: it answers for no other. Nothing: it was put there
    /// before these were noted, and is good for all of its fragment.
    std::optional<std::vector<std::string>> names{};
    bool operator==(const CertificateNote&) const = default;

    /// "# certificate …", without an end of line.
    std::string line() const;
    static std::optional<CertificateNote> parse(std::string_view line);
    /// When people are told that it ends: 14 days before, or after two thirds of a short life.
    WallTime warn_at() const;
};

/// One that may go live, or why not.
struct JudgedCertificate {
    std::optional<CertificateNote> note;
    Secret pem;                   ///< the certificate, those that vouch for it, the private key, and nothing else
    std::string reason, message;  ///< what is wrong; never anything of the key
};

/// `chain` holds the certificate first, then those that vouch for it, in any order; what does not is left out. `key` is
/// its private key. `domains` are sorted.
JudgedCertificate judge_certificate(const Secret& chain, const Secret& key, const std::vector<std::string>& domains,
                                    WallTime now);

std::string sha256_hex(std::string_view bytes);

}  // namespace ocim::loadbalancing
