#pragma once

#include "base/metrics.hpp"
#include "base/secret.hpp"
#include "client/client.hpp"
#include "client/delegate.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

namespace ocim::client {

/// Where an API server is, and who we are there.
struct Access {
    std::string server;            ///< "https://127.0.0.1:7443"
    std::string ca_certificate{};  ///< PEM
    std::string server_name{};     ///< whose certificate is wanted; empty: that of the server's host
    std::string certificate{};     ///< PEM; empty when a token says who we are
    Secret private_key{}, token{};
    std::string namespace_ = "default";
    bool operator==(const Access&) const = default;
};
/// Reads it from where it is kept. Called again every minute, and when the server refuses what we have: tokens and
/// certificates are replaced in their files while we run. Blocks; runs on a thread.
using AccessSource = std::function<Result<Access>()>;

struct RemoteSettings {
    AccessSource access;
    std::string user_agent;
    /// Asked before each write; false: nothing is sent. Empty: always.
    std::function<bool()> may_write{};
    /// A watch that says nothing for so long is opened anew where it was: it may be dead, or of a kind of which 1.20
    /// has no bookmark to send as nothing happened to it.
    Duration watch_silence{150'000};
};

/// An API server over the network, Kubernetes' (1.20 and later) or ours. Lists are read page by page; a watch goes on
/// by itself, without a word, when the server ends it in order and when nothing is heard of it, not even a bookmark.
/// All arguments must outlive it. Errors carry the server's own message; auth: who we are is refused; rate_limited:
/// with the time that the server asked for; unreachable or transient with outcome_unknown: it may have been done.
std::unique_ptr<Client> make_remote_client(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                           BlockingPool& blocking, RemoteSettings settings);

/// The same in the place of ServiceAccounts: Impersonate-User, so we need that right there, and the server judges the
/// rest. Errors as above.
Delegates make_remote_delegates(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                BlockingPool& blocking, RemoteSettings settings);

}  // namespace ocim::client
