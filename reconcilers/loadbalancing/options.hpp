#pragma once

#include "base/result.hpp"

#include <string>

namespace ocim::loadbalancing {

/// One line of a backend that a fragment asks for by itself, as HAProxy reads it: only of those that cannot reach
/// beyond the fragment's own site, with a value that holds nothing but what is meant there. Error: invalid, saying what
/// is allowed.
Result<std::string> option_line(const std::string& name, const std::string& value);

}  // namespace ocim::loadbalancing
