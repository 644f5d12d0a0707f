#pragma once

#include "api/json.hpp"
#include "base/async.hpp"
#include "base/result.hpp"
#include "client/client.hpp"

#include <string>

namespace ocim::openedx {

/// Settings that a run drew and that are kept in a Secret from then on. They wait in a file of the data directory
/// between the run's backend, which has them from the machine, and whoever may write Secrets.
struct Keepsake {
    std::string namespace_, secret, key;
    api::json::object settings;
};

/// Blocks. Error: transient.
Result<void> write_keepsake(const std::string& data_directory, const std::string& run, const Keepsake& keepsake);

/// `settings` as `kept` has them, with those added that it lacks: what is kept once never changes. Pure.
api::json::object with_added(api::json::object kept, const api::json::object& settings);

/// Puts keepsakes into their Secrets, which exist. Lives on the loop thread.
class Keepsakes {
public:
    /// All must outlive it.
    Keepsakes(client::Client& client, Clock& clock, BlockingPool& blocking, std::string data_directory)
        : client_(client), clock_(clock), blocking_(blocking), data_directory_(std::move(data_directory)) {}

    /// Until it is cancelled.
    awaitable<void> keep();
    /// All that wait now.
    awaitable<void> keep_once();

private:
    awaitable<Result<void>> store(Keepsake keepsake);

    client::Client& client_;
    Clock& clock_;
    BlockingPool& blocking_;
    std::string data_directory_;
};

}  // namespace ocim::openedx
