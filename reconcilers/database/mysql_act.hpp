#pragma once

#include "database/job.hpp"
#include "database/mysql_connection.hpp"

#include <string>
#include <vector>

namespace ocim::database::mysql {

/// Writes the notes that must be there before the things, in a number of statements that grows by three for each 500
/// keys, and refuses what became another's meanwhile. An error is everybody's.
Result<void> prepare(Connection& connection, const std::string& metadata, std::vector<Job>& jobs);

/// Does one job.
Result<Done> perform(Connection& connection, const std::string& metadata, const Job& job);

}  // namespace ocim::database::mysql
