#pragma once

#include "apiserver/server.hpp"
#include "runtime/debug.hpp"
#include "runtime/manager.hpp"

#include <functional>

namespace ocim::cli {

/// The pages below /debug of the manager that runs in this process. `working` gives it, or says why there is none now:
/// that is answered with 503.
apiserver::DebugPages debug_pages(std::function<Result<const runtime::Manager*>()> working);

/// The part of a page that ?kind=, namespace=, name=, limit= and continue= ask for. Errors: 400.
Result<runtime::DebugQuery, api::Status> debug_query(const apiserver::Query& query);

}  // namespace ocim::cli
