#pragma once

#include "apiserver/route.hpp"
#include "client/reviews.hpp"
#include "net/http_server.hpp"

#include <map>
#include <optional>
#include <string>

namespace ocim::cli {

/// The token of "Authorization: Bearer …"; "" when there is none, or more than one.
std::string bearer_token(const net::ServerRequest& request);

/// Who may come in to what this process shows by itself: whom the API server knows by his token, and lets do what he
/// asks for. What it said is good for a few seconds. Lives on the loop thread.
class Doorkeeper {
public:
    /// Both must outlive it.
    Doorkeeper(client::Reviews& reviews, Clock& clock) : reviews_(reviews), clock_(clock) {}

    /// Nothing: who sent it may do what its route says. Else the refusal: 400 (it wants to be somebody else), 401, 403,
    /// 429 (too many are being asked about), or 503 when the API server does not tell.
    awaitable<std::optional<net::ServerReply>> refusal(net::ServerRequest request, apiserver::Route route);

private:
    template <class T>
    struct Known {
        T said;
        Instant until;
    };
    template <class T>
    using Memory = std::map<std::string, Known<T>>;  ///< by a hash: no token is kept

    awaitable<Result<client::Person>> holder(std::string token);
    awaitable<Result<bool>> may(client::Person person, client::Wish wish);
    template <class T>
    const T* remembered(const Memory<T>& memory, const std::string& key) const;
    template <class T>
    void remember(Memory<T>& memory, std::string key, T said);

    client::Reviews& reviews_;
    Clock& clock_;
    Memory<std::optional<client::Person>> holders_;  ///< nobody, for a token that is no good
    Memory<bool> answers_;
    std::size_t asking_ = 0;
};

}  // namespace ocim::cli
