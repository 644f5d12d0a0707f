#pragma once

#include "runtime/external_controller.hpp"

#include <vector>

namespace ocim::runtime {

/// The parts of a manager, to look at.
struct DebugView {
    const Engine& engine;
    std::vector<const Controller*> controllers;
    std::vector<const ExternalController*> externals;
};

}  // namespace ocim::runtime
