#pragma once

#include "base/secret.hpp"
#include "net/http_server.hpp"

#include <functional>
#include <map>
#include <string>
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
    struct Route {
        /// The secrets that may be meant; none: nobody is let in. What the delivery says is not to be believed yet: it
        /// only chooses what is tried.
        std::function<std::vector<Secret>(const net::ServerRequest& delivery)> secrets;
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

/// Whether the delivery has a header that could show a secret in one of the ways; it costs nothing to find out.
bool may_be_proven(const net::ServerRequest& delivery, const std::vector<Proof>& proofs);

/// Which of the secrets the delivery shows, in any of the ways. Each that is different costs one hash of the body, when
/// it is signed at all.
std::vector<Secret> shown_secrets(const net::ServerRequest& delivery, const std::vector<Secret>& secrets,
                                  const std::vector<Proof>& proofs);

}  // namespace ocim::apiserver
