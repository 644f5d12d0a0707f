#pragma once

#include "apiserver/authorizer.hpp"
#include "client/delegate.hpp"

namespace ocim::cli {

/// What the API server would say to whoever acts as another in this process. `authorizer` must outlive it.
client::Judge judge_by(const apiserver::Authorizer& authorizer);

}  // namespace ocim::cli
