#pragma once

#include "base/async.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Who signed what, as OpenSSH and GnuPG judge it.
namespace ocim::gitops {

/// Whose signatures count.
struct Signers {
    std::string allowed_signers{};  ///< SSH keys, as ssh-keygen(1) describes the file; "" when there are none
    std::string keyring{};          ///< OpenPGP keys as gpgv reads them, see keyring_of(); "" when there are none
    std::string secret{};           ///< "campus/signers": where they are from, for messages
};

/// What was signed, and what it was signed with.
struct Signed {
    std::string text;
    std::string signature;  ///< armored; "" when there is none
    bool operator==(const Signed&) const = default;
};

/// One of the two is not empty.
struct Judgement {
    std::string signer{};   ///< who it was, for people
    std::string refusal{};  ///< why it does not count, and what to do: "it has no signature; …"
    bool operator==(const Judgement&) const = default;
};

/// What judges; a name is looked for in PATH.
struct Judges {
    std::string ssh_keygen = "ssh-keygen", gpgv = "gpgv";
};

/// Asks ssh-keygen or gpgv, in a directory of its own in `workspace`. Whatever does not count at this moment is
/// refused: no signature, a key that is not among the signers' or has expired, a text that was changed. An error means
/// that nobody knows: the program is not there, cannot be run, or did not end.
awaitable<Result<Judgement>> judge_signature(Signed what, Signers signers, BlockingPool& blocking,
                                             std::string workspace, Judges judges = Judges());

/// What gpgv says (its status lines) of one signature.
Judgement read_gpgv(std::string_view status, const Signers& signers);

/// Armored OpenPGP keys, one block or several, as gpgv wants them; what is not armored is taken as it is. Nothing when
/// a block is broken.
std::optional<std::string> keyring_of(std::string_view keys);

}  // namespace ocim::gitops
