#pragma once

#include "support/log_ins.hpp"

#include <cstdlib>
#include <string_view>

namespace ocim::database::test {

using Clients = ocim::test::LogIns;

inline int rotations() {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full" ? 100 : 8;
}

}  // namespace ocim::database::test
