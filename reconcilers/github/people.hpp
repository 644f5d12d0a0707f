#pragma once

#include "github/client.hpp"

#include <string>
#include <vector>

namespace ocim::github {

/// The members of `team`, which may be its name or slug, or without one of the whole organization. An empty team is
/// nobody; one that is not seen is an error, and so is anything else that keeps the list from being whole.
awaitable<Result<std::vector<Person>>> people_of(Client& client, std::string organization, std::string team);

}  // namespace ocim::github
