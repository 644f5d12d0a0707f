#pragma once

#include "store/postgres_connection.hpp"
#include "store/store.hpp"

#include <chrono>
#include <string>

/// What the parts of the log in PostgreSQL say alike; room-internal.
namespace ocim::store {

inline constexpr auto load_limit = std::chrono::seconds(120);  // everything there is, over a network; also below
inline constexpr auto turn_limit = std::chrono::seconds(10);   // longer than the server lets somebody stand in the way
/// How long a statement may take that reads or goes through everything; the server's bound for others is shorter.
inline constexpr auto long_statements = "SET LOCAL statement_timeout = '120s'";
static_assert(load_limit == std::chrono::seconds(120));
inline constexpr auto seal_name = "ocim_meta";  // what the seal, which is a value of no key, is sealed as
inline constexpr auto begin_turn = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

inline constexpr auto lock_row = "SELECT revision, compacted FROM ocim_meta FOR UPDATE";
/// The lock that every server shares and that `ocim migrate` wants for itself.
inline constexpr auto presence = "5720033212";

inline Statement::Parameter number(Revision value) { return {std::to_string(value), false}; }
/// Shows that a server runs, for as long as the session lives: nothing is written by one while somebody carries the
/// store elsewhere. Error unreachable: somebody does.
Result<void> show_presence(PostgresConnection& connection, PostgresConnection::Deadline deadline);

inline Statement plain(const char* sql) { return {sql, {}, false}; }

}  // namespace ocim::store
