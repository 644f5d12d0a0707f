#pragma once

#include "gitops/source.hpp"

namespace ocim::runtime {
class Manager;
}

namespace ocim::gitops {

/// Registers GitSource. The manager must not have been started.
void register_kinds(runtime::Manager& manager, Doors doors);

}  // namespace ocim::gitops
