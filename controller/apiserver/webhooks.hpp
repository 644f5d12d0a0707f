#pragma once

#include "base/secret.hpp"
#include "net/http_server.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// What strangers may tell us (a push, a comment), on a listener of its own. A delivery is let in by its signature and
/// by nothing else: X-Hub-Signature-256, the HMAC-SHA256 of its body under a secret that both sides know.
/// Lives on the loop thread.
class Webhooks {
public:
    struct Route {
        /// The secrets that are good now; none: nobody is let in.
        std::function<std::vector<Secret>()> secrets;
        /// What comes after: the signature has been checked.
        std::function<awaitable<net::ServerReply>(net::ServerRequest delivery)> receive;
    };
    /// `path` as it is in the request, such as /github.
    void add(std::string path, Route route) { routes_[std::move(path)] = std::move(route); }

    /// 404 for a path that nobody added, 405 for another method than POST, 401 for a signature that is none. Holds a
    /// reference to this.
    net::Handler handler();

private:
    awaitable<void> handle(net::ServerRequest request, net::Responder& responder);
    std::map<std::string, Route> routes_;
};

/// Whether `header` is the signature of `body` under one of the secrets, as GitHub writes it: "sha256=" and hex.
bool is_signed(std::string_view header, std::string_view body, const std::vector<Secret>& secrets);

}  // namespace ocim::apiserver
