#pragma once

#include "database/mysql_connection.hpp"
#include "database/server.hpp"

#include <string>

namespace ocim::database::mysql {

/// What one bulk read brought, a table a statement.
struct Reading {
    Table notes, schemas, users, grants;
};

/// The bulk read: four statements, whatever the number of things. A server on which we never wrote has no notes.
Result<Reading> read(Connection& connection, const std::string& metadata);

/// What was read, in our terms. Pure. `own_account` is "user@host" of the account we use.
Snapshot snapshot_of(const Reading& reading, const Dialect& dialect, const std::string& metadata,
                     const std::string& own_account);

/// The notes alone.
std::map<Key, Note> notes_of(const Table& notes);

}  // namespace ocim::database::mysql
