#pragma once

#include "apiserver/authenticator.hpp"
#include "apiserver/authorizer.hpp"
#include "apiserver/exchange.hpp"

namespace ocim::apiserver {

/// Answers the reviews (who am I, what may I do, whose token is this): nothing is stored. `body` is the review as JSON.
/// 201 with the same object and its status.
net::ServerReply review(const Exchange& exchange, const Authorizer& authorizer, Authenticator& authenticator,
                        api::Json body, WallTime now);

}  // namespace ocim::apiserver
