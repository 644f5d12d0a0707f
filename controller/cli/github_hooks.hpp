#pragma once

#include "apiserver/webhooks.hpp"
#include "base/clock.hpp"
#include "client/client.hpp"
#include "github/hooks.hpp"

namespace ocim::cli {

/// What GitHub delivers wakes the feeds that it concerns and whose own secret it is signed with. All must outlive what
/// is returned.
apiserver::Webhooks::Route github_route(const github::Hooks& hooks, client::Client& client, Clock& clock);

}  // namespace ocim::cli
