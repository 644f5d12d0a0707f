#pragma once

#include "base/async.hpp"
#include "base/secret.hpp"
#include "gitops/pack.hpp"
#include "gitops/wire.hpp"
#include "gitops/workshop.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ocim::gitops {

/// Whose signature a commit needs, or the tag that points at it.
struct Verification {
    enum class Of { commit, tag } of = Of::commit;
    Signers signers{};
};

/// Where a repository is, what of it is wanted, and who we are there.
struct RepositorySettings {
    std::string repository;  ///< "https://…" or "ssh://…"
    Wanted wanted{};
    std::string path = ".";
    // over HTTPS
    std::string username{};
    Secret password{};             ///< or token; empty: nobody
    std::string ca_certificate{};  ///< PEM; empty: the system's
    // over SSH
    Secret identity{};
    std::string host_key{};
    std::string known_hosts{};                   ///< asked where `host_key` is empty
    std::optional<Verification> verification{};  ///< without it nobody has to have signed anything
    Duration call_max{30'000};                   ///< one question and its answer
};

/// A commit, and what of it is in the folder.
struct Checkout {
    std::string commit, words;
    Tree tree;
    std::string signer{};  ///< whose signature counted, for people; "" where none is asked for
    bool operator==(const Checkout&) const = default;
};

/// Why there is none, for a condition.
struct Problem {
    std::string reason, message;
    bool soon = false;  ///< it may be over in a moment
    bool operator==(const Problem&) const = default;
};

/// One repository. Lives on the loop thread; speaks by way of net/, so every call has its end. The blocking pool takes
/// packs apart.
class Fetcher {
public:
    virtual ~Fetcher() = default;
    /// The commit that is meant now, signed as it has to be. Nothing is transferred when it is the one of the last
    /// call.
    virtual awaitable<Result<std::shared_ptr<const Checkout>, Problem>> fetch() = 0;
};

/// Problem: what is wrong with the settings. Without a workshop the threads are those of `services`, and nothing bounds
/// how many fetch at once.
Result<std::unique_ptr<Fetcher>, Problem> make_fetcher(RepositorySettings settings, const runtime::Services& services,
                                                       Workshop* workshop = nullptr);

}  // namespace ocim::gitops
