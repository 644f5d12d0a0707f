#include "net/http_connection.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr auto never = Instant::max();
constexpr std::size_t read_bytes = 16 * 1024;  // one TLS record

struct Refusal {
    unsigned status;
    std::string reason;
};

Refusal refusal_of(error_code error) {
    if (error == http::error::body_limit)
        return {413, "Request entity too large: limit is " + std::to_string(limits::body_bytes_max)};
    if (error == http::error::header_limit)
        return {431, "Request headers too large: limit is " + std::to_string(limits::header_bytes_max)};
    return {400, "Malformed request: " + error.message()};
}

/// Everything happens on the loop thread.
class Connection final : public ServerConnection, public Responder, public std::enable_shared_from_this<Connection> {
public:
    Connection(ServerShared& shared, tcp::socket socket) : shared_(shared), socket_(std::move(socket)) {
        if (shared_.tls) tls_.emplace(socket_, SSL_new(shared_.tls.get()));
    }

    awaitable<void> run() override;
    asio::cancellation_slot slot() override { return cancel_.slot(); }
    void cancel() override {
        cancelled_ = true;
        cancel_.emit(asio::cancellation_type::terminal);
    }
    void hang_up() override {
        open_ = false;
        error_code ignored;
        socket_.close(ignored);
    }
    void stop_if_idle() override {
        if (phase_ == Phase::idle) hang_up();
    }
    void tick(Instant now) override {
        if (now >= deadline_) return hang_up();
        if (phase_ == Phase::handling) watch();
    }
    void ended() override {
        hang_up();
        forget_body();
    }

    awaitable<void> reply(ServerReply reply) override;
    awaitable<void> start_stream(unsigned status, std::multimap<std::string, std::string> headers) override;
    awaitable<bool> write(std::string data) override;
    awaitable<void> finish() override;

private:
    enum class Phase { opening, idle, reading, handling, streaming, replied, closing };
    enum class Next { request, refused, gone };
    using Parser = http::request_parser<http::string_body>;

    awaitable<bool> handshake();
    awaitable<Next> read_request();
    Next parse(Parser& parser, bool& more_needed);
    awaitable<bool> answer_expectation(const Parser& parser);
    bool take(Parser& parser);
    awaitable<bool> handle();
    awaitable<bool> refuse();
    awaitable<void> part();

    awaitable<bool> fill();
    awaitable<bool> send(std::string bytes);
    awaitable<void> until_watched();
    void watch();
    void watched(error_code error, std::size_t size);
    void forget_body() { shared_.body_bytes -= std::exchange(body_bytes_, 0); }
    void count_body(std::size_t bytes) {
        body_bytes_ += bytes;
        shared_.body_bytes += bytes;
    }

    ServerShared& shared_;
    tcp::socket socket_;
    std::optional<asio::ssl::stream<tcp::socket&>> tls_;
    asio::cancellation_signal cancel_;
    boost::beast::flat_buffer input_;  ///< received and not parsed
    std::optional<PeerCertificate> peer_;
    std::string remote_address_;

    Phase phase_ = Phase::opening;
    Instant deadline_ = never;  ///< for what it does now; then the connection is cut
    bool open_ = true;
    bool cancelled_ = false;
    bool watching_ = false;  ///< a read is on its way while the handler works, to see the client go
    Signal watch_ended_;

    // the request at hand
    ServerRequest request_;
    Refusal refusal_{};
    std::size_t body_bytes_ = 0;
    bool keep_alive_ = true;
    bool old_client_ = false;
    bool head_only_ = false;
    wire::Framing framing_ = wire::Framing::length;
};

awaitable<void> Connection::run() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    remote_address_ = socket_.remote_endpoint(ignored).address().to_string(ignored);
    if (tls_) {
        const bool agreed = co_await handshake();
        if (!agreed) co_return;
    }
    bool again = true;
    while (again && open_) {
        const auto next = co_await read_request();
        switch (next) {
            case Next::request: again = co_await handle(); break;
            case Next::refused: again = co_await refuse(); break;
            case Next::gone: co_return;
        }
        forget_body();
    }
    co_await part();
}

awaitable<bool> Connection::handshake() {
    deadline_ = shared_.clock.now() + limits::handshake_max;
    const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, as_result);
    if (error) {
        // Ports are scanned and clients distrust us all day long: nobody wants to read of each.
        log::debug("a TLS handshake failed", {{"remote", remote_address_}, {"error", error.message()}});
        co_return false;
    }
    peer_ = peer_of(tls_->native_handle());
    co_return true;
}

awaitable<Connection::Next> Connection::read_request() {
    phase_ = Phase::idle;
    deadline_ = shared_.clock.now() + limits::idle_connection_max;
    if (shared_.stopping) co_return Next::gone;
    Parser parser;
    parser.header_limit(limits::header_bytes_max);
    parser.body_limit(limits::body_bytes_max);
    bool head_seen = false;
    for (;;) {
        bool more_needed = true;
        if (input_.size() > 0 || parser.is_header_done()) {
            if (phase_ == Phase::idle) {
                phase_ = Phase::reading;
                deadline_ = shared_.clock.now() + shared_.settings.request_timeout;
            }
            const auto parsed = parse(parser, more_needed);
            if (parsed == Next::refused) co_return Next::refused;
        }
        if (parser.is_done()) break;
        if (parser.is_header_done() && !head_seen) {
            head_seen = true;
            parser.eager(true);
            const bool expected = co_await answer_expectation(parser);
            if (!expected) co_return Next::refused;
            more_needed = input_.size() == 0;
        }
        if (more_needed) {
            const bool filled = co_await fill();
            if (!filled) co_return Next::gone;
        }
    }
    deadline_ = never;
    const bool taken = take(parser);
    if (!taken) co_return Next::refused;
    co_return Next::request;
}

Connection::Next Connection::parse(Parser& parser, bool& more_needed) {
    const bool in_body = parser.is_header_done();
    error_code error;
    const auto used = parser.put(input_.data(), error);
    input_.consume(used);
    if (in_body) count_body(used);
    more_needed = error == http::error::need_more || input_.size() == 0;
    if (!error || error == http::error::need_more) {
        if (shared_.body_bytes <= limits::all_bodies_bytes_max) return Next::request;
        refusal_ = {503, "Too many large requests at once"};
        return Next::refused;
    }
    refusal_ = refusal_of(error);
    return Next::refused;
}

/// RFC 9110, 10.1.1. False when the request expects what we do not know.
awaitable<bool> Connection::answer_expectation(const Parser& parser) {
    const auto& message = parser.get();
    const auto expectation = message.find(http::field::expect);
    if (expectation == message.end()) co_return true;
    const auto value = expectation->value();
    if (wire::lower_case(std::string_view(value.data(), value.size())) != "100-continue") {
        refusal_ = {417, "Only 100-continue may be expected"};
        co_return false;
    }
    if (message.version() < 11 || input_.size() > 0) co_return true;
    const auto deadline = deadline_;  // of reading this request: our answer does not make it younger
    std::string go_on(wire::go_on);
    co_await send(std::move(go_on));
    deadline_ = deadline;
    co_return true;
}

/// False when the request is well-formed HTTP that we do not serve.
bool Connection::take(Parser& parser) {
    keep_alive_ = parser.keep_alive();
    auto message = parser.release();
    old_client_ = message.version() < 11;
    head_only_ = message.method() == http::verb::head;
    request_ = ServerRequest();
    const auto method = message.method_string();
    const auto target = message.target();
    request_.method.assign(method.data(), method.size());
    for (const auto& field : message) {
        const auto name = field.name_string();
        const auto value = field.value();
        request_.headers.emplace(wire::lower_case(std::string_view(name.data(), name.size())),
                                 std::string(value.data(), value.size()));
    }
    request_.body = std::move(message.body());
    request_.peer = peer_;
    request_.remote_address = remote_address_;
    if (!wire::split_target(std::string_view(target.data(), target.size()), request_.path, request_.query)) {
        refusal_ = {400, "Malformed request: the target is not a path"};
        return false;
    }
    if (!old_client_ && request_.headers.count("host") != 1) {  // RFC 9112, 3.2
        refusal_ = {400, "Malformed request: it needs one Host header"};
        return false;
    }
    return true;
}

/// Whether the connection can take another request.
awaitable<bool> Connection::handle() {
    phase_ = Phase::handling;
    std::string failure;
    try {
        auto work = shared_.handler(std::move(request_), *this);
        co_await std::move(work);
    } catch (const std::exception& error) { failure = error.what(); }
    if (cancelled_) co_return false;
    if (!failure.empty()) log::error("a request's handler threw", {{"error", failure}, {"remote", remote_address_}});
    if (phase_ == Phase::streaming) {
        hang_up();
        co_return false;
    }
    if (phase_ == Phase::handling) {
        if (failure.empty()) log::error("a request's handler gave no reply", {{"remote", remote_address_}});
        refusal_ = {500, "Internal error"};
        co_return co_await refuse();
    }
    co_return keep_alive_&& open_;
}

awaitable<bool> Connection::refuse() {
    phase_ = Phase::handling;
    keep_alive_ = false;  // where the next request would begin is not known
    ServerReply said = shared_.refusal(refusal_.status, refusal_.reason);
    co_await reply(std::move(said));
    co_return false;
}

/// Says goodbye so that the client can read our last words: data that arrives at a closed socket resets the
/// connection, and with it what the client has not read yet.
awaitable<void> Connection::part() {
    phase_ = Phase::closing;
    if (!open_) co_return;
    deadline_ = shared_.clock.now() + limits::linger_max;
    error_code ignored;
    if (watching_) {
        socket_.cancel(ignored);
        co_await until_watched();
    }
    if (tls_) {
        const auto [error] = co_await tls_->async_shutdown(as_result);
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

// --- Responder

awaitable<void> Connection::reply(ServerReply reply) {
    assert(phase_ == Phase::handling && "a handler replied twice");
    phase_ = Phase::replied;
    keep_alive_ = keep_alive_ && !shared_.stopping;
    wire::Head head{.status = reply.status,
                    .headers = std::move(reply.headers),
                    .length = reply.body.size(),
                    .keep_alive = keep_alive_,
                    .old_client = old_client_,
                    .date = shared_.date_now()};
    std::string text = wire::head(head);
    if (head_only_ || !wire::has_body(reply.status)) reply.body.clear();
    // Together in one write if that is cheap: a second one is a second TLS record and a second packet.
    if (reply.body.size() <= 64 * 1024) text += std::exchange(reply.body, {});
    bool sent = co_await send(std::move(text));
    if (sent && !reply.body.empty()) sent = co_await send(std::move(reply.body));
}

awaitable<void> Connection::start_stream(unsigned status, std::multimap<std::string, std::string> headers) {
    assert(phase_ == Phase::handling && "a handler replied twice");
    phase_ = Phase::streaming;
    framing_ = old_client_ ? wire::Framing::until_end : wire::Framing::chunked;
    keep_alive_ = keep_alive_ && !shared_.stopping && !old_client_;
    wire::Head head{.status = status,
                    .headers = std::move(headers),
                    .framing = framing_,
                    .keep_alive = keep_alive_,
                    .old_client = old_client_,
                    .date = shared_.date_now()};
    std::string text = wire::head(head);
    watch();
    co_await send(std::move(text));
}

awaitable<bool> Connection::write(std::string data) {
    assert(phase_ == Phase::streaming && "no stream was started");
    if (data.empty() || head_only_) co_return open_;
    std::string bytes = framing_ == wire::Framing::chunked ? wire::chunk(data) : std::move(data);
    co_return co_await send(std::move(bytes));
}

awaitable<void> Connection::finish() {
    assert(phase_ == Phase::streaming && "no stream was started");
    phase_ = Phase::replied;
    if (head_only_ || framing_ != wire::Framing::chunked) co_return;
    std::string end(wire::last_chunk);
    co_await send(std::move(end));
}

// --- bytes

/// More input; false when the client has gone.
awaitable<bool> Connection::fill() {
    const auto before = input_.size();
    co_await until_watched();
    if (!open_) co_return false;
    if (input_.size() > before) co_return true;
    const auto room = input_.prepare(read_bytes);
    error_code error;
    std::size_t size = 0;
    if (tls_) {
        std::tie(error, size) = co_await tls_->async_read_some(room, as_result);
    } else {
        std::tie(error, size) = co_await socket_.async_read_some(room, as_result);
    }
    input_.commit(size);
    if (error) open_ = false;
    co_return !error;
}

/// False when the client has gone, or took longer than the bytes are worth: it is then cut off by tick().
awaitable<bool> Connection::send(std::string bytes) {
    if (!open_) co_return false;
    const std::chrono::milliseconds fair(bytes.size() * 1000 / limits::write_rate_min);
    deadline_ = shared_.clock.now() + shared_.settings.write_stall + fair;
    const auto buffer = asio::buffer(bytes);
    error_code error;
    std::size_t size = 0;
    if (tls_) {
        std::tie(error, size) = co_await asio::async_write(*tls_, buffer, as_result);
    } else {
        std::tie(error, size) = co_await asio::async_write(socket_, buffer, as_result);
    }
    deadline_ = never;
    if (error) hang_up();
    co_return !error;
}

awaitable<void> Connection::until_watched() {
    while (watching_) {
        auto ended = watch_ended_.wait();
        co_await std::move(ended);
    }
}

void Connection::watch() {
    if (watching_ || !open_ || input_.size() >= limits::header_bytes_max) return;
    watching_ = true;
    // Shared: the read may end after the connection's coroutine has.
    auto on_read = [self = shared_from_this()](error_code error, std::size_t size) { self->watched(error, size); };
    const auto room = input_.prepare(read_bytes);
    if (tls_) return tls_->async_read_some(room, std::move(on_read));
    socket_.async_read_some(room, std::move(on_read));
}

void Connection::watched(error_code error, std::size_t size) {
    watching_ = false;
    input_.commit(size);
    watch_ended_.notify();
    const bool at_work = phase_ == Phase::handling || phase_ == Phase::streaming;
    if (!error) {
        if (at_work) watch();  // it sent the next request early; it may still go
        return;
    }
    if (phase_ == Phase::closing) return;
    open_ = false;
    if (at_work) cancel();
}

}  // namespace

std::shared_ptr<ServerConnection> make_connection(ServerShared& shared, tcp::socket socket) {
    return std::make_shared<Connection>(shared, std::move(socket));
}

}  // namespace ocim::net
