#pragma once

#include "api/json.hpp"
#include "base/async.hpp"
#include "client/client.hpp"
#include "net/http_server.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace ocim::openedx {

/// The gathered logs of runs, as people read them: streamed, and their end in a ConfigMap. Lives on the loop thread.
class RunLogs {
public:
    /// All must outlive it.
    RunLogs(client::Client& client, Clock& clock, BlockingPool& blocking, std::string data_directory)
        : client_(client), clock_(clock), blocking_(blocking), data_directory_(std::move(data_directory)) {}

    /// Keeps the ConfigMap "<appserver>-log" of every run up to date (of one that an AppServer did not ask for
    /// "<run>-log"), and removes logs whose run is gone. Until it is cancelled.
    awaitable<void> keep();

    struct Wanted {
        bool follow = false;  ///< until the run has ended, also when it has not begun
        std::optional<std::int64_t> tail_lines{}, limit_bytes{};
        std::optional<std::int64_t> since_seconds{};  ///< only what came so long ago at most
    };
    /// The log of an AppServer, as text. A refusal, or nothing when it was streamed. `draining`: end soon.
    awaitable<std::optional<net::ServerReply>> send(api::Json appserver, Wanted wanted, std::function<bool()> draining,
                                                    net::Responder& responder);

private:
    struct Published {
        std::int64_t bytes = 0;
        Instant at{};
        bool ended = false;
    };
    awaitable<void> watch_from(std::string resource_version);
    awaitable<void> look(api::Json run);
    awaitable<Result<void>> publish(api::Json run);
    awaitable<void> forget(std::string uid);
    awaitable<void> sweep(std::vector<api::Json> runs);
    awaitable<std::optional<api::Json>> run_of(api::Json appserver);
    awaitable<void> stream(api::Json appserver, Wanted wanted, std::function<bool()> draining,
                           net::Responder& responder);

    client::Client& client_;
    Clock& clock_;
    BlockingPool& blocking_;
    std::string data_directory_;
    std::map<std::string, Published> published_;  ///< by the run's uid
    bool failed_ = false;                         ///< something is to be tried again
};

/// The last `bytes_max` of `text` that begin with a whole line, as valid UTF-8. Pure.
std::string end_of_log(std::string_view text, std::size_t bytes_max);

}  // namespace ocim::openedx
