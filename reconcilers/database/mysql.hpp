#pragma once

#include "database/mysql_connection.hpp"
#include "database/server.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <string>

namespace ocim::database {

/// A MySQL or MariaDB server. It connects when it is first used; `metadata` is the database that holds our notes.
std::unique_ptr<Server> open_mysql(mysql::ConnectionSettings settings, std::string metadata,
                                   const runtime::Services& services);

}  // namespace ocim::database
