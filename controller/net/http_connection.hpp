#pragma once

#include "net/http_server.hpp"
#include "net/http_wire.hpp"
#include "net/server_tls.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

/// One client of the HTTP server as the server sees it; room-internal, for .cpp files.
namespace ocim::net {

/// What connections share with their server.
struct ServerShared {
    boost::asio::any_io_executor loop;
    Clock& clock;
    ServerSettings settings;
    Handler handler;
    TlsContext tls{};
    bool stopping = false;
    std::size_t body_bytes = 0;  ///< of all requests that are being read or handled
    WallTime date_at{};
    std::string date{};

    std::string_view date_now() {
        const auto second = std::chrono::floor<std::chrono::seconds>(clock.wall());
        if (date.empty() || second != date_at) {
            date_at = second;
            date = wire::date(second);
        }
        return date;
    }
    ServerReply refusal(unsigned status, std::string_view reason) const {
        if (settings.refusal) return settings.refusal(status, reason);
        return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(reason) + "\n"};
    }
};

/// Serves one client until it goes. Shared, because a read may end after the coroutine has.
class ServerConnection {
public:
    virtual ~ServerConnection() = default;
    /// Requests one after another, each handed to the handler.
    virtual awaitable<void> run() = 0;
    virtual boost::asio::cancellation_slot slot() = 0;
    /// Its coroutine unwinds, from wherever it is.
    virtual void cancel() = 0;
    virtual void hang_up() = 0;
    virtual void stop_if_idle() = 0;
    /// Hangs up when what it does now takes too long. Called now and then: no timer is set for a request.
    virtual void tick(Instant now) = 0;
    /// After run() has ended, however it did.
    virtual void ended() = 0;
};

/// `shared` must outlive it.
std::shared_ptr<ServerConnection> make_connection(ServerShared& shared, boost::asio::ip::tcp::socket socket);

}  // namespace ocim::net
