#pragma once

#include "registry/registry.hpp"
#include "store/store.hpp"

namespace ocim::registry {

std::unique_ptr<Follower> make_follower(store::Store& store, std::vector<std::pair<std::string, std::string>> kinds);

}  // namespace ocim::registry
