#include "net/server_channel.hpp"

#include "base/log.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t read_bytes = 16 * 1024;  // one TLS record
/// More is encrypted piece by piece, as the client takes it.
constexpr std::size_t at_once_bytes = 128 * 1024;

}  // namespace

/// Where the bytes go out, encrypted or not. Unless told to pace, nothing waits here: what the kernel has no room for
/// is kept and sent by whoever wrote it, and what is written meanwhile comes after it.
class ServerChannel::Outlet {
public:
    using lowest_layer_type = tcp::socket::lowest_layer_type;
    using executor_type = tcp::socket::executor_type;

    explicit Outlet(tcp::socket& socket) : socket_(socket) {}
    executor_type get_executor() { return socket_.get_executor(); }
    lowest_layer_type& lowest_layer() { return socket_.lowest_layer(); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return socket_.async_read_some(buffers, std::forward<Token>(token));
    }
    /// TLS reads only when it has asked to wait for input.
    template <class Buffers>
    std::size_t read_some(const Buffers&, error_code& error) {
        error = asio::error::would_block;
        return 0;
    }

    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, error_code& error) {
        std::size_t taken = 0;
        error.clear();
        if (!under_way && kept.empty()) taken = socket_.write_some(buffers, error);
        if (error && error != asio::error::would_block && error != asio::error::try_again) return 0;
        error.clear();
        for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
            asio::const_buffer rest(*at);
            const auto gone = std::min(taken, rest.size());
            taken -= gone;
            rest += gone;
            kept.append(static_cast<const char*>(rest.data()), rest.size());
        }
        return asio::buffer_size(buffers);
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        auto start = [this](auto handler, const Buffers& what) {
            if (pace) return socket_.async_write_some(what, std::move(handler));
            error_code error;
            const auto size = write_some(what, error);
            asio::post(get_executor(), asio::append(std::move(handler), error, size));
        };
        return asio::async_initiate<Token, void(error_code, std::size_t)>(std::move(start), token, buffers);
    }

    std::string kept;
    bool under_way = false;  ///< some of what was kept is being sent
    bool pace = true;        ///< handshakes, and what is much

private:
    tcp::socket& socket_;
};

struct ServerChannel::Tls {
    asio::ssl::stream<Outlet&> stream;
};

ServerChannel::ServerChannel(Clock& clock, SSL_CTX* tls, Duration write_stall, tcp::socket socket)
    : clock_(clock), write_stall_(write_stall), socket_(std::move(socket)), outlet_(std::make_unique<Outlet>(socket_)) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    remote_address_ = socket_.remote_endpoint(ignored).address().to_string(ignored);
    if (tls != nullptr) tls_ = std::make_unique<Tls>(asio::ssl::stream<Outlet&>(*outlet_, SSL_new(tls)));
}

ServerChannel::~ServerChannel() = default;

awaitable<bool> ServerChannel::greet() {
    outlet_->pace = static_cast<bool>(tls_);
    if (!tls_) co_return true;
    deadline_ = clock_.now() + limits::handshake_max;
    const auto [error] = co_await tls_->stream.async_handshake(asio::ssl::stream_base::server, as_result);
    // Ports are scanned and clients distrust us all day long: nobody wants to read of each.
    outlet_->pace = false;
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

/// A client that reads slowly is given longer the more it is sent.
void ServerChannel::allow_for(std::size_t bytes) {
    const std::chrono::milliseconds fair(bytes * 1000 / limits::write_rate_min);
    deadline_ = clock_.now() + write_stall_ + fair;
}

/// To the kernel, and into the outlet what does not fit.
bool ServerChannel::hand_over(std::string_view bytes) {
    error_code error;
    if (tls_)
        asio::write(tls_->stream, asio::buffer(bytes), error);
    else
        asio::write(*outlet_, asio::buffer(bytes), error);
    if (error) hang_up();
    return !error;
}

awaitable<bool> ServerChannel::send(std::string bytes) {
    sending_ = true;
    while (outlet_->under_way) {
        auto sent = rest_sent_.wait();
        co_await std::move(sent);
    }
    if (!open_) co_return false;
    allow_for(bytes.size());
    const bool at_once = bytes.size() <= at_once_bytes;
    if (at_once && !hand_over(bytes)) co_return false;
    error_code error;
    std::size_t size = 0;
    if (!outlet_->kept.empty()) {
        outlet_->under_way = true;
        const auto rest = std::exchange(outlet_->kept, {});
        const auto buffer = asio::buffer(rest);
        std::tie(error, size) = co_await asio::async_write(socket_, buffer, as_result);
        outlet_->under_way = false;
    }
    if (!at_once && !error) {
        outlet_->pace = true;
        const auto buffer = asio::buffer(bytes);
        if (tls_) {
            std::tie(error, size) = co_await asio::async_write(tls_->stream, buffer, as_result);
        } else {
            std::tie(error, size) = co_await asio::async_write(socket_, buffer, as_result);
        }
        outlet_->pace = false;
    }
    sending_ = false;
    deadline_ = Instant::max();
    if (error) hang_up();
    co_return !error;
}

bool ServerChannel::send_now(std::string_view bytes, std::shared_ptr<void> owner) {
    if (!open_ || sending_ || outlet_->under_way || !hand_over(bytes)) return false;
    if (outlet_->kept.empty()) return true;
    allow_for(outlet_->kept.size());
    send_rest(std::move(owner));
    return true;
}

void ServerChannel::send_rest(std::shared_ptr<void> owner) {
    outlet_->under_way = true;
    auto rest = std::make_unique<std::string>(std::exchange(outlet_->kept, {}));
    const auto buffer = asio::buffer(*rest);
    auto on_sent = [this, rest = std::move(rest), owner = std::move(owner)](error_code error, std::size_t) mutable {
        outlet_->under_way = false;
        if (error) hang_up();
        if (open_ && !outlet_->kept.empty()) return send_rest(std::move(owner));
        deadline_ = Instant::max();
        rest_sent_.notify();
    };
    asio::async_write(socket_, buffer, std::move(on_sent));
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
    while (outlet_->under_way) {
        auto sent = rest_sent_.wait();
        co_await std::move(sent);
    }
    error_code ignored;
    if (watching_) {
        socket_.cancel(ignored);
        co_await until_watched();
    }
    outlet_->pace = true;
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
