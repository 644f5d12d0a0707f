#pragma once

#include "database/job.hpp"
#include "database/postgresql_connection.hpp"

#include <vector>

namespace ocim::database::postgresql {

/// Refuses what became another's meanwhile, in a statement for each 500 jobs. An error is everybody's.
Result<void> prepare(Connection& connection, std::vector<Job>& jobs);

/// Does one job.
Result<Done> perform(Connection& connection, const Job& job);

}  // namespace ocim::database::postgresql
