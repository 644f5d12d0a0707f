#pragma once

#include "api/json.hpp"
#include "api/status.hpp"
#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "cli/arguments.hpp"
#include "client/remote.hpp"
#include "net/https_client.hpp"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

namespace ocim::cli {

/// What the server refused, in its words; with code 0 what went wrong on the way to it.
using Refusal = api::Status;
template <class T = void>
using Answer = Result<T, Refusal>;

/// Code 0: it did not come from the server.
Refusal refusal(std::string message);
/// "Error from server (NotFound): …", as kubectl says it, or "ocim: …"; on stderr.
void complain(const Refusal& refused);

/// What is asked of an API server beside the target.
struct Asked {
    std::string method = "GET", target, body{}, content_type = "application/json", accept = "application/json";
};

/// An API server that is asked one thing at a time: each call waits for its answer. For commands, which have nothing
/// else to do.
class Connection {
public:
    /// As --kubeconfig and --context say. Error: invalid.
    static Result<std::unique_ptr<Connection>> open(const Arguments& arguments);
    explicit Connection(client::Access access);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    const client::Access& access() const { return access_; }
    /// A server that asks to be asked later is.
    Answer<api::Json> ask(Asked asked);
    Answer<api::Json> get(std::string target) { return ask({.target = std::move(target)}); }
    /// Hands on each event of a watch until `take` says false, the server ends it, or `limit` is over.
    Answer<> watch(Asked asked, Duration limit, const std::function<bool(const api::Json& event)>& take);

    Instant now() const { return clock_->now(); }
    WallTime wall() const { return clock_->wall(); }
    void sleep(Duration time);

private:
    template <class T>
    T run(awaitable<T> work);
    Result<void> connect();
    net::HttpsRequest request(Asked asked) const;
    Answer<net::HttpReply> send(const Asked& asked);

    client::Access access_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<Clock> clock_;
    Metrics metrics_;
    std::unique_ptr<net::HttpsClient> server_;
};

}  // namespace ocim::cli
