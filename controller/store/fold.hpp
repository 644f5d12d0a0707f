#pragma once

#include "store/store.hpp"

#include <vector>

namespace ocim::store {

/// Changes in order, as a journal keeps them, to what Journal::load returns: the state they lead to, and those after
/// `compacted` as history, each with what it replaced.
Journal::Loaded fold(std::vector<Change> changes, Revision compacted, Revision revision);

}  // namespace ocim::store
