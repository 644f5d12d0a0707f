#pragma once

#include "apiserver/subresource.hpp"
#include "openedx/run_logs.hpp"

namespace ocim::cli {

/// appservers/log, as pods/log: follow, tailLines, limitBytes. `logs` must outlive what is returned.
apiserver::Subresource appserver_log(openedx::RunLogs& logs);

}  // namespace ocim::cli
