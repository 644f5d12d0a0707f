#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Messages signed with a shared key (RFC 8945). Pure: the time comes in.
///
/// Ours and not the DNS library's, which asks the machine for the time, checks none, and knows no answer of several
/// messages in which not each is signed.
namespace ocim::dns {

struct TsigKey {
    std::string name;       ///< canonical
    std::string algorithm;  ///< "hmac-sha256"
    Secret secret;          ///< as it is, not base64
};

/// `secret` is base64. Error: invalid, naming what cannot be used.
Result<TsigKey> make_tsig_key(std::string_view name, std::string_view algorithm, const Secret& secret);

/// One question and what is answered to it.
class TsigSession {
public:
    explicit TsigSession(TsigKey key) : key_(std::move(key)) {}

    /// The message with our signature behind it.
    std::string sign(std::string message, WallTime now);
    /// Takes the signature off an answer, or the next message of it. An answer that says no may come without one; any
    /// other must have one, or be followed by one that has: see all_signed(). Error: auth.
    Result<void> check(std::string& message, WallTime now);
    /// Whether nothing that was taken is without a signature.
    bool all_signed() const { return unsigned_.empty() && answers_ > 0; }

private:
    std::string digest(std::string_view what) const;

    TsigKey key_;
    std::string prior_;     ///< the signature before
    std::string unsigned_;  ///< messages that the next signature covers
    std::size_t answers_ = 0, unsigned_count_ = 0;
};

}  // namespace ocim::dns
