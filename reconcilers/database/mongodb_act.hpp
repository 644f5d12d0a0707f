#pragma once

#include "database/job.hpp"
#include "database/mongodb_commands.hpp"
#include "database/mongodb_connection.hpp"

#include <vector>

namespace ocim::database::mongodb {

/// Refuses what became another's meanwhile, and notes the databases that are to be made, in a number of commands that
/// grows by seven for each 500 jobs. An error is everybody's.
Result<void> prepare(Connection& connection, const Ways& ways, std::vector<Job>& jobs);

/// Does one job.
Result<Done> perform(Connection& connection, const Ways& ways, const Job& job);

}  // namespace ocim::database::mongodb
