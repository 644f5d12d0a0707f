#pragma once

#include "api/status.hpp"
#include "client/remote.hpp"
#include "net/https_client.hpp"

#include <memory>
#include <optional>
#include <string>

/// The connection to an API server, with who we are kept up to date; a part of remote.cpp.
namespace ocim::client {

class Session {
public:
    Session(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics, BlockingPool& blocking,
            RemoteSettings settings);

    /// Any answer with a status of success; else the error that it means.
    awaitable<Result<net::HttpReply>> send(net::HttpsRequest request);
    awaitable<Result<std::unique_ptr<net::HttpsStream>>> open(net::HttpsRequest request);
    /// What a write begins with. Error: transient.
    Result<void> may_write() const;
    Clock& clock() { return clock_; }
    Duration watch_silence() const { return settings_.watch_silence; }

private:
    /// Who we are now; what goes on at the same time keeps its own.
    struct Line {
        std::shared_ptr<net::HttpsClient> client;
        Secret token;
    };
    /// With `refused` that what we had is no good. Error: invalid or unreachable when nothing can be read at all.
    awaitable<Result<Line>> line(bool refused);
    awaitable<Result<void>> read_access();
    void prepare(net::HttpsRequest& request, const Line& line) const;

    boost::asio::any_io_executor loop_;
    Clock& clock_;
    Metrics& metrics_;
    BlockingPool& blocking_;
    RemoteSettings settings_;
    Access access_;
    std::shared_ptr<net::HttpsClient> client_;  // shared with the calls that go on; null until it was read once
    Instant read_at_{};
};

/// A metav1.Status that tells of a failure, with as much of it as decides; nothing when it is none.
std::optional<api::Status> read_status(const Json& said);
/// What an answer that is no success means: the server's own Status, or what else it said.
Error error_of(const net::HttpReply& reply, WallTime now);

}  // namespace ocim::client
