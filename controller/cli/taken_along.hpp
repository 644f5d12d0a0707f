#pragma once

#include "cli/rehearsal.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

/// What a deletion takes along without a controller of the rehearsal doing it. Pure.
namespace ocim::cli {

/// What goes when `object` at `spot` is deleted, of what is `known`: all that is in a Namespace; what a GitSource
/// applied and still has its mark. Of kinds that the rehearsal does not read there is only the name.
std::vector<std::pair<Spot, api::Json>> taken_along(const Spot& spot, const api::Json& object,
                                                    const std::map<Spot, api::Json>& known);

/// What only the server can tell of a GitSource that is new, other or being deleted, because it has the repository and
/// acts as others. Nothing where there is nothing to tell.
std::optional<Rehearsed::Untold> untold_of_git_source(const Spot& spot, const api::Json& object);

}  // namespace ocim::cli
