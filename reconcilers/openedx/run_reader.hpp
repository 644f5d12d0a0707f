#pragma once

#include "openedx/run.hpp"

#include <string_view>

namespace ocim::openedx {

/// What run_look.sh prints. Error: transient, when it was cut short.
Result<RunSnapshot> read_runs(std::string_view text);

}  // namespace ocim::openedx
