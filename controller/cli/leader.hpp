#pragma once

#include "client/client.hpp"
#include "net/http_server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <string>

namespace ocim::cli {

/// Where the leader of operator mode is found, as it says in the annotations of its Lease. What is empty it does not
/// have.
struct Leader {
    std::string holder;
    std::string door{};       ///< "https://10.1.2.3:7481"
    std::string authority{};  ///< PEM: who vouches for its certificate there
    bool operator==(const Leader&) const = default;

    std::map<std::string, std::string> annotations() const;
    static Leader of(const api::Json& lease);
};

/// Passes on to the leader's door what only the leader can answer. Lives on the loop thread.
class Forwarder {
public:
    /// All must outlive it. `self`: who we are in the Lease.
    Forwarder(boost::asio::any_io_executor loop, client::Client& client, Clock& clock, Metrics& metrics,
              std::string self)
        : loop_(std::move(loop)), client_(client), clock_(clock), metrics_(metrics), self_(std::move(self)) {}

    /// With the token or the signature that came along, which the leader judges; its answer as it comes. 503 when the
    /// leader was not reached, 502 when it may have been.
    awaitable<void> pass_on(net::ServerRequest request, net::Responder& responder);

private:
    awaitable<Result<Leader>> leader();
    awaitable<Result<void>> pass(net::ServerRequest request, net::Responder& responder, bool& answered);

    boost::asio::any_io_executor loop_;
    client::Client& client_;
    Clock& clock_;
    Metrics& metrics_;
    std::string self_;
    Leader known_;
    Instant known_until_{};
};

}  // namespace ocim::cli
