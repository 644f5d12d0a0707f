#pragma once

#include "base/async.hpp"
#include "keystone/login.hpp"
#include "net/http_client.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace ocim::keystone {

/// A token as long as it is used. Shared with the calls under way while another takes its place.
struct Held {
    Token token;
    Instant good_until{};
    std::uint64_t serial = 0;
};

/// The one token of all calls to a cloud as one user: asked for when it is needed, once for all who wait, anew before
/// its end or when it is refused before its time. Who is refused a token, or is given one that has ended, does not ask
/// again at once. Lives on the loop thread.
class Session {
public:
    using LogIn = std::function<awaitable<Result<Token>>()>;

    Session(Clock& clock, LogIn log_in) : clock_(clock), log_in_(std::move(log_in)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// `refused`: the serial of a token that is no good any more, or 0. Error: auth, when we are not let in.
    awaitable<Result<std::shared_ptr<const Held>>> token(std::uint64_t refused);

private:
    awaitable<Result<void>> log_in();

    Clock& clock_;
    LogIn log_in_;
    std::shared_ptr<const Held> held_;
    std::uint64_t serial_ = 0;
    bool logging_in_ = false;
    Signal logged_in_;
    std::optional<Error> refused_;  // why, and until when, we do not ask again
    Instant refused_until_{};
};

/// Asks Keystone for a token; `door` is for its auth_url. Both arguments outlive the call.
awaitable<Result<Token>> log_in(net::HttpClient& door, const Credentials& credentials, const Clock& clock);

/// What a refusal says, whichever service of OpenStack it comes from: each has a form of its own. `request` is "nova
/// GET /servers".
Error refusal(const net::HttpReply& reply, const std::string& request, WallTime now);

/// One header of a reply, by its name in lower case; "" when it has none.
std::string header(const net::HttpReply& reply, const char* name);

}  // namespace ocim::keystone
