#pragma once

#include "apiserver/webhooks.hpp"
#include "base/clock.hpp"
#include "client/client.hpp"
#include "webhooks/hooks.hpp"

namespace ocim::cli {

/// What is delivered wakes the objects that it concerns and whose own secret it shows, in one of the ways of `proofs`.
/// All must outlive what is returned.
apiserver::Webhooks::Route hook_route(const webhooks::Hooks& hooks, client::Client& client, Clock& clock,
                                      std::vector<apiserver::Proof> proofs);

}  // namespace ocim::cli
