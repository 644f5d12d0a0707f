#pragma once

#include "registry/registry.hpp"

/// resourceVersion as clients write it.
namespace ocim::registry {

/// 400 when it is not a number.
Outcome<Revision> parse_revision(const std::string& text);
/// 504: the revision is of the future.
api::Status too_large_revision(Revision wanted, Revision current);

}  // namespace ocim::registry
