#include "net/server_channel.hpp"

#include "base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t read_bytes = 16 * 1024;  // one TLS record

}  // namespace

struct ServerChannel::Tls {
    asio::ssl::stream<tcp::socket&> stream;
};

ServerChannel::ServerChannel(Clock& clock, SSL_CTX* tls, Duration write_stall, tcp::socket socket)
    : clock_(clock), write_stall_(write_stall), socket_(std::move(socket)) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    remote_address_ = socket_.remote_endpoint(ignored).address().to_string(ignored);
    if (tls != nullptr) tls_ = std::make_unique<Tls>(asio::ssl::stream<tcp::socket&>(socket_, SSL_new(tls)));
}

ServerChannel::~ServerChannel() = default;

awaitable<bool> ServerChannel::greet() {
    if (!tls_) co_return true;
    deadline_ = clock_.now() + limits::handshake_max;
    const auto [error] = co_await tls_->stream.async_handshake(asio::ssl::stream_base::server, as_result);
    // Ports are scanned and clients distrust us all day long: nobody wants to read of each.
    if (error) log::debug("a TLS handshake failed", {{"remote", remote_address_}, {"error", error.message()}});
    co_return !error;
}

std::optional<PeerCertificate> ServerChannel::peer() const {
    return tls_ ? peer_of(tls_->stream.native_handle()) : std::nullopt;
}

bool ServerChannel::shows_certificate() const { return tls_ && net::shows_certificate(tls_->stream.native_handle()); }

awaitable<bool> ServerChannel::fill() {
    const auto before = input_.size();
    co_await until_watched();
    if (!open_ || late_) co_return false;
    if (input_.size() > before) co_return true;
    const auto room = input_.prepare(read_bytes);
    error_code error;
    std::size_t size = 0;
    if (tls_) {
        std::tie(error, size) = co_await tls_->stream.async_read_some(room, as_result);
    } else {
        std::tie(error, size) = co_await socket_.async_read_some(room, as_result);
    }
    input_.commit(size);
    if (error && !late_) open_ = false;
    co_return !error && !late_;
}

awaitable<bool> ServerChannel::send(std::string bytes) {
    if (!open_) co_return false;
    const std::chrono::milliseconds fair(bytes.size() * 1000 / limits::write_rate_min);
    deadline_ = clock_.now() + write_stall_ + fair;
    const auto buffer = asio::buffer(bytes);
    error_code error;
    std::size_t size = 0;
    if (tls_) {
        std::tie(error, size) = co_await asio::async_write(tls_->stream, buffer, as_result);
    } else {
        std::tie(error, size) = co_await asio::async_write(socket_, buffer, as_result);
    }
    deadline_ = Instant::max();
    if (error) hang_up();
    co_return !error;
}

void ServerChannel::watch(Watched watched) {
    if (watching_ || !open_ || input_.size() >= limits::header_bytes_max) return;
    watching_ = true;
    auto on_read = [this, watched = std::move(watched)](error_code error, std::size_t size) {
        watching_ = false;
        input_.commit(size);
        if (error && !late_) open_ = false;
        watch_ended_.notify();
        watched(static_cast<bool>(error));
    };
    const auto room = input_.prepare(read_bytes);
    if (tls_) return tls_->stream.async_read_some(room, std::move(on_read));
    socket_.async_read_some(room, std::move(on_read));
}

awaitable<void> ServerChannel::until_watched() {
    while (watching_) {
        auto ended = watch_ended_.wait();
        co_await std::move(ended);
    }
}

/// Data that arrives at a closed socket resets the connection, and with it what the client has not read yet: it is
/// read and dropped for a while.
awaitable<void> ServerChannel::part() {
    if (!open_) co_return;
    deadline_ = clock_.now() + limits::linger_max;
    error_code ignored;
    if (watching_) {
        socket_.cancel(ignored);
        co_await until_watched();
    }
    if (tls_) {
        const auto [error] = co_await tls_->stream.async_shutdown(as_result);
        (void)error;
    }
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    input_.clear();
    for (std::size_t drained = 0; drained < limits::lingering_bytes_max;) {
        const auto room = input_.prepare(read_bytes);
        const auto [error, size] = co_await socket_.async_read_some(room, as_result);
        if (error) break;
        drained += size;
    }
}

void ServerChannel::hang_up() {
    open_ = false;
    error_code ignored;
    socket_.close(ignored);
}

bool ServerChannel::stop_filling(Instant now) {
    if (late_ || now < deadline_) return false;
    late_ = true;
    deadline_ = now + write_stall_;
    error_code ignored;
    socket_.cancel(ignored);
    return true;
}

bool ServerChannel::tick(Instant now) {
    if (now < deadline_) return true;
    hang_up();
    return false;
}

}  // namespace ocim::net
