#pragma once

#include "base/metrics.hpp"
#include "store/postgres_connection.hpp"
#include "store/sealed_journal.hpp"

#include <functional>
#include <string>

namespace ocim::store {

struct PostgresJournalSettings {
    PostgresSettings database;
    std::string name;  ///< of this process among all that ever write to that database
    std::string sealed_prefix = "core/secrets/";
    std::function<void()> made{};  ///< called in load(), on the loop, when this process has made the tables
};

/// A journal in PostgreSQL that several processes share, with the values of some keys encrypted in it. Its tables are
/// named ocim_*, in the schema where the user's own tables go; load() makes them. Nothing is asked of the server
/// before. Every call is bounded, counted and timed; its end breaks off what is under way. Errors: unreachable when the
/// server does not answer in time.
std::unique_ptr<SealedJournal> open_postgres_journal(boost::asio::any_io_executor loop, Metrics& metrics, KeyRing ring,
                                                     PostgresJournalSettings settings);

}  // namespace ocim::store
