#pragma once

#include "database/mongodb_commands.hpp"
#include "database/mongodb_connection.hpp"
#include "database/server.hpp"

#include <string>
#include <vector>

namespace ocim::database::mongodb {

/// What one bulk read brought.
struct Reading {
    std::vector<Json> users, notes;
    std::vector<std::string> databases;
};

/// The bulk read: three commands for what fits into an answer (16 MB: some 25,000 users), and a few more for each
/// answer that is needed besides.
Result<Reading> read(Connection& connection, const Ways& ways);

/// What was read, in our terms. Pure.
Snapshot snapshot_of(const Reading& reading, const Ways& ways);

/// The members of an answer, each of which has a text of that name. What is not as the manual says is an error: it is
/// not read as nothing.
Result<std::vector<Json>> list_in(const Json& answer, std::initializer_list<std::string_view> path,
                                  std::string_view name);
/// A text between two, where names are halved to be read in parts; "" when there is none. Of the second "" is no bound.
std::string between(const std::string& from, const std::string& below);

}  // namespace ocim::database::mongodb
