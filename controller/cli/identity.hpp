#pragma once

#include "base/random.hpp"

#include <string>

namespace ocim::cli {

/// Of this process among all that ever run: the host and something drawn, for a pod's name is used again.
std::string process_identity(Random& random);

}  // namespace ocim::cli
