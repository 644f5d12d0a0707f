#pragma once

#include "crd/databaseservers.hpp"
#include "database/mongodb_connection.hpp"
#include "database/server.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ocim::database {

/// A MongoDB server or replica set. It connects when it is first used; `metadata` is the database that holds our notes,
/// `mechanisms` are those by which tenants log in.
std::unique_ptr<Server> open_mongodb(mongodb::ConnectionSettings settings, std::string metadata,
                                     std::vector<std::string> mechanisms, const runtime::Services& services);

/// Where a server is and how it is protected, without a user. In server_object.cpp.
Result<mongodb::ConnectionSettings> mongodb_settings(const crd::DatabaseServer& server, const runtime::Inputs& inputs,
                                                     const std::string& data_directory);

}  // namespace ocim::database
