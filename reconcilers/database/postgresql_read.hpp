#pragma once

#include "database/postgresql_connection.hpp"
#include "database/server.hpp"

namespace ocim::database::postgresql {

/// What one bulk read brought, a table a statement.
struct Reading {
    Table databases, roles, members, rights, roles_taken;
};

/// The bulk read: five statements, whatever the number of things.
Result<Reading> read(Connection& connection);

/// What was read, in our terms. Pure.
Snapshot snapshot_of(const Reading& reading);

}  // namespace ocim::database::postgresql
