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
        /// The secrets that are good now; none: nobody is let in.
        std::function<std::vector<Secret>()> secrets;
        /// What comes after: the proof has been checked.
        std::function<awaitable<net::ServerReply>(net::ServerRequest delivery)> receive;
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

/// Whether the delivery shows one of the secrets in one of the ways.
bool is_proven(const net::ServerRequest& delivery, const std::vector<Secret>& secrets,
               const std::vector<Proof>& proofs);

}  // namespace ocim::apiserver
