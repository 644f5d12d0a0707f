#pragma once

#include "base/secret.hpp"
#include "net/http_server.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::apiserver {

/// How whoever delivers shows that he has the secret that both sides know. A header that comes twice shows nothing.
enum class Proof {
    hub_signature,    ///< of GitHub: X-Hub-Signature-256, "sha256=" and the HMAC-SHA256 of the body in hex
    gitea_signature,  ///< of Gitea and Forgejo: X-Gitea-Signature, the same without the word before it
    gitlab_token,     ///< of GitLab: X-Gitlab-Token, the secret itself
};

/// What strangers may tell us (a push, a comment), on a listener of its own. A delivery is let in by its proof and by
/// nothing else. Lives on the loop thread.
class Webhooks {
public:
    /// In the order in which they are tried, as long as there is something left to hash.
    struct Candidates {
        std::vector<Secret> meant;   ///< of those whom the delivery concerns, as it says
        std::vector<Secret> others;  ///< tried where none of those is shown: who knows one is no stranger
    };
    struct Route {
        /// None: nobody is let in. What the delivery says is not to be believed yet: it only chooses what is tried
        /// first.
        std::function<Candidates(const net::ServerRequest& delivery)> secrets;
        /// What comes after: these of the secrets were shown.
        std::function<awaitable<net::ServerReply>(net::ServerRequest delivery, std::vector<Secret> shown)> receive;
        std::vector<Proof> proofs{Proof::hub_signature};  ///< one is enough
    };
    /// `path` as it is in the request, such as /github.
    void add(std::string path, Route route) { routes_[std::move(path)] = std::move(route); }

    /// 404 for a path that nobody added, 405 for another method than POST, 401 for a proof that is none. Holds a
    /// reference to this.
    net::Handler handler();

private:
    awaitable<void> handle(net::ServerRequest request, net::Responder& responder);
    std::map<std::string, Route> routes_;
};

/// What one delivery may have us hash, whoever sends it: the larger it is, the fewer secrets are tried.
inline constexpr std::size_t hashed_bytes_max = 32UL * 1024 * 1024;

/// What one delivery says to show that it knows a secret. Borrows the delivery and every secret that it is asked about.
class Claims {
public:
    Claims(const net::ServerRequest& delivery, const std::vector<Proof>& proofs);

    /// Whether it has a header that could show any secret; it costs nothing to find out.
    bool any() const { return !signatures_.empty() || !tokens_.empty(); }
    /// Whether it shows this one, in any of the ways. Each that is different costs one hash of the body, when it is
    /// signed at all; an empty one, one that was asked about before and one for which too little is left are not shown.
    bool show(const Secret& secret);
    std::size_t hashed_bytes() const { return hashed_; }

private:
    std::string_view body_;
    std::vector<std::string> signatures_, tokens_;
    std::set<std::string_view> tried_;
    std::size_t hashed_ = 0;
};

}  // namespace ocim::apiserver
