#pragma once

#include "database/mysql_connection.hpp"
#include "database/server.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ocim::database::mysql {

using Done = runtime::Done<Key, Thing>;

/// One action on its way.
struct Job {
    std::size_t index = 0;  ///< among the actions we were given
    Action action;
    std::string salt;  ///< for a new password
    // filled by prepare()
    std::string hash;       ///< as the server will store the password
    bool is_there = false;  ///< of a create: what an earlier try of ours made already
    std::optional<Error> refused;
};

/// In which order jobs are done, so that every prefix is a legal state: notes, schemas, accounts, rights; and back.
int rank(Action::Verb verb);

/// What a job stands on: a right needs its account and its schema to be ours.
std::vector<Key> grounds(const Action& action);

/// Writes the notes that must be there before the things, in a number of statements that grows by three for each 500
/// keys, and refuses what became another's meanwhile. An error is everybody's.
Result<void> prepare(Connection& connection, const std::string& metadata, std::vector<Job>& jobs);

/// Does one job.
Result<Done> perform(Connection& connection, const std::string& metadata, const Job& job);

}  // namespace ocim::database::mysql
