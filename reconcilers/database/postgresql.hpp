#pragma once

#include "database/postgresql_connection.hpp"
#include "database/server.hpp"
#include "runtime/kinds.hpp"

#include <memory>

namespace ocim::database {

/// A PostgreSQL server. It connects when it is first used.
std::unique_ptr<Server> open_postgresql(postgresql::ConnectionSettings settings, const runtime::Services& services);

}  // namespace ocim::database
