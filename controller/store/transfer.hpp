#pragma once

#include "store/key_ring.hpp"
#include "store/postgres_connection.hpp"
#include "store/store.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Whole stores from one place to another, without a server. Blocking.
namespace ocim::store {

/// All of a store at one moment.
struct Snapshot {
    Revision revision = 0;
    std::vector<std::pair<std::string, Item>> state;  ///< by key
};

/// Where a store is kept: in a file, or in a database.
struct Place {
    std::string file;
    std::optional<PostgresSettings> database;
};

/// As long as it lives no server runs on a place, and none starts there.
class Claim {
public:
    /// Errors: not_found when there is nothing, conflict when a server uses it.
    static Result<Claim> make(const Place& place);
    Claim(Claim&&) noexcept;
    Claim& operator=(Claim&&) = delete;
    ~Claim();
    /// Error conflict: it was lost with the connection, and a server may have run meanwhile.
    Result<void> confirm();

private:
    struct Held;
    explicit Claim(std::unique_ptr<Held> held);
    std::unique_ptr<Held> held_;
};
/// What is there now, opened with `keys`, as by a journal for `sealed_prefix`; a server may be using it. Errors:
/// not_found when there is nothing, invalid when a value does not open.
Result<Snapshot> read_snapshot(const Place& place, const KeyRing& keys);
/// Fills a place that holds nothing, as a whole or not at all, and reads it back. Its history begins there: whoever
/// watches lists again. Errors: conflict when something is there already, a log of a database that was there, or a
/// server uses it.
Result<void> fill(const Place& place, const KeyRing& keys, const Snapshot& snapshot);

}  // namespace ocim::store
