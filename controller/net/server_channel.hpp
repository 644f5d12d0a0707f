#pragma once

#include "net/http_server.hpp"
#include "net/server_tls.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>

/// How the bytes of one client of the HTTP server come and go; room-internal, for .cpp files.
namespace ocim::net {

/// TCP, and TLS where the server speaks it. What takes longer than it may is cut off by tick(): no timer is set for
/// a read or a write. Lives on the loop thread.
class ServerChannel {
public:
    /// What becomes of a read that is on its way while nobody waits for it: bytes came, or the client has gone.
    using Watched = std::function<void(bool gone)>;

    /// TLS if `tls` is not null; it must outlive the channel, as `clock` must.
    ServerChannel(Clock& clock, SSL_CTX* tls, Duration write_stall, boost::asio::ip::tcp::socket socket);
    ~ServerChannel();
    ServerChannel(const ServerChannel&) = delete;
    ServerChannel& operator=(const ServerChannel&) = delete;

    /// The TLS handshake, if there is one to make. False when it failed.
    awaitable<bool> greet();
    /// Who the client is by its certificate, after greet().
    std::optional<PeerCertificate> peer() const;
    /// Whether the client showed a certificate at all, good or not.
    bool shows_certificate() const;
    const std::string& remote_address() const { return remote_address_; }

    /// Received and not consumed.
    boost::beast::flat_buffer& input() { return input_; }
    /// More input; false when the client has gone.
    awaitable<bool> fill();
    /// False when the client has gone, or took longer than the bytes are worth: it is then cut off by tick().
    awaitable<bool> send(std::string bytes);
    /// The same without waiting, and then to the end or not at all: false when something else is on its way still, or
    /// the client has gone. `owner` keeps the channel alive until the kernel has all of it.
    bool send_now(std::string_view bytes, std::shared_ptr<void> owner);
    /// Reads while the server works, to see the client go. `watched` is called once, unless a read is on its way
    /// already or there is no room for more input, and keeps the channel's owner alive until then.
    void watch(Watched watched);

    /// Says goodbye so that the client can read our last words.
    awaitable<void> part();
    void hang_up();
    bool open() const { return open_; }

    /// For what it does now; then the connection is cut.
    void set_deadline(Instant deadline) { deadline_ = deadline; }
    Instant deadline() const { return deadline_; }
    /// Hangs up and returns false when the deadline has passed.
    bool tick(Instant now);
    /// Ends fill() when the deadline has passed, for good; there is time for an answer then. False before.
    bool stop_filling(Instant now);
    /// Whether that was done.
    bool late() const { return late_; }

private:
    awaitable<void> until_watched();
    void allow_for(std::size_t bytes);
    bool hand_over(std::string_view bytes);
    void send_rest(std::shared_ptr<void> owner);

    Clock& clock_;
    const Duration write_stall_;
    boost::asio::ip::tcp::socket socket_;
    class Outlet;
    std::unique_ptr<Outlet> outlet_;
    struct Tls;
    std::unique_ptr<Tls> tls_;  // after the outlet, which it writes to
    boost::beast::flat_buffer input_;
    std::string remote_address_;
    Instant deadline_ = Instant::max();
    bool open_ = true;
    bool late_ = false;
    bool watching_ = false;
    Signal watch_ended_;
    bool sending_ = false;  ///< a coroutine waits in send()
    Signal rest_sent_;
};

}  // namespace ocim::net
