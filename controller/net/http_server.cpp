#include "net/http_server.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "net/http_wire.hpp"
#include "net/server_tls.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <set>

namespace ocim::net {

std::string_view ServerRequest::header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string_view() : found->second;
}

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono_literals::operator""ms;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr auto never = Instant::max();
constexpr std::size_t read_bytes = 16 * 1024;  // one TLS record
/// Deadlines are looked at this often: no timer is set for a request.
constexpr auto tick_interval = 500ms;

class Connection;

/// What connections share with their server.
struct Shared {
    asio::any_io_executor loop;
    Clock& clock;
    ServerSettings settings;
    Handler handler;
    std::optional<asio::ssl::context> tls{};
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

/// One client: requests one after another, each handed to the handler. Everything happens on the loop thread.
class Connection final : public Responder, public std::enable_shared_from_this<Connection> {
public:
    Connection(Shared& shared, tcp::socket socket) : shared_(shared), socket_(std::move(socket)) {
        if (shared_.tls) tls_.emplace(socket_, *shared_.tls);
    }

    awaitable<void> run();
    asio::cancellation_slot slot() { return cancel_.slot(); }
    /// Its coroutine unwinds, from wherever it is.
    void cancel() {
        cancelled_ = true;
        cancel_.emit(asio::cancellation_type::terminal);
    }
    void hang_up() {
        open_ = false;
        error_code ignored;
        socket_.close(ignored);
    }
    void stop_if_idle() {
        if (phase_ == Phase::idle) hang_up();
    }
    void forget_body() { shared_.body_bytes -= std::exchange(body_bytes_, 0); }
    void tick(Instant now) {
        if (now >= deadline_) return hang_up();
        if (phase_ == Phase::handling) watch();
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
    void count_body(std::size_t bytes) {
        body_bytes_ += bytes;
        shared_.body_bytes += bytes;
    }

    Shared& shared_;
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

/// Listens, keeps the connections, ends them.
class Server final : public HttpServer {
public:
    Server(asio::any_io_executor loop, Clock& clock, ServerSettings settings, Handler handler)
        : shared_{.loop = loop, .clock = clock, .settings = std::move(settings), .handler = std::move(handler)},
          acceptor_(loop),
          tasks_(loop) {}
    ~Server() override { shared_.clock.cancel(tick_); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Result<void> open() {
        const auto& settings = shared_.settings;
        if (settings.tls) {
            auto context = make_server_context(*settings.tls);
            if (!context) return std::move(context).error();
            shared_.tls.emplace((*context).release());
        }
        const std::string place = settings.address + ":" + std::to_string(settings.port);
        error_code error;
        const auto address = asio::ip::make_address(settings.address, error);
        if (error) return Error{ErrorClass::invalid, place + ": not an IP address"};
        const tcp::endpoint endpoint(address, settings.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error == asio::error::address_in_use)
            return Error{ErrorClass::conflict, place + " is taken by another program"};
        if (error) return Error{ErrorClass::invalid, place + ": " + error.message()};
        port_ = acceptor_.local_endpoint().port();
        tasks_.spawn("http accept", accept());
        tick();
        return {};
    }

    std::uint16_t port() const override { return port_; }

    awaitable<void> stop(Instant deadline) override {
        shared_.stopping = true;
        error_code ignored;
        acceptor_.close(ignored);
        co_await tasks_.stop();
        const auto all = connections_;
        for (const auto& connection : all) connection->stop_if_idle();
        bool in_time = true;
        while (in_time && !connections_.empty()) {
            auto ended = emptied_.wait_until(shared_.clock, deadline);
            in_time = co_await std::move(ended);
        }
        const auto late = connections_;
        for (const auto& connection : late) connection->cancel();
        while (!connections_.empty()) {
            auto ended = emptied_.wait();
            co_await std::move(ended);
        }
    }

private:
    awaitable<void> accept() {
        while (acceptor_.is_open()) {
            auto [error, socket] = co_await acceptor_.async_accept(as_result);
            if (error == asio::error::operation_aborted) co_return;
            if (error) {
                // Out of file descriptors: what ends meanwhile makes room.
                log::warning("cannot accept a connection", {{"error", error.message()}});
                co_await shared_.clock.sleep(Duration(100));
                continue;
            }
            admit(std::move(socket));
        }
    }

    void admit(tcp::socket socket) {
        if (connections_.size() >= shared_.settings.connections_max) {
            ++refused_;
            return;  // closes it; tick() says how many
        }
        const auto connection = std::make_shared<Connection>(shared_, std::move(socket));
        connections_.insert(connection);
        auto on_end = [this, connection](const std::exception_ptr& error) { ended(connection, error); };
        asio::co_spawn(shared_.loop, connection->run(),
                       asio::bind_cancellation_slot(connection->slot(), std::move(on_end)));
    }

    void ended(const std::shared_ptr<Connection>& connection, const std::exception_ptr& error) {
        connection->hang_up();
        connection->forget_body();
        connections_.erase(connection);
        if (connections_.empty()) emptied_.notify();
        try {
            if (error) std::rethrow_exception(error);
        } catch (const boost::system::system_error& e) {
            if (e.code() != asio::error::operation_aborted)
                log::error("a connection ended by an exception", {{"error", e.what()}});
        } catch (const std::exception& e) { log::error("a connection ended by an exception", {{"error", e.what()}}); }
    }

    void tick() {
        const auto now = shared_.clock.now();
        const auto all = connections_;  // one that is cut may end at once
        for (const auto& connection : all) connection->tick(now);
        if (refused_ > 0)
            log::warning("connections refused: as many as allowed are open",
                         {{"refused", std::to_string(std::exchange(refused_, 0))},
                          {"limit", std::to_string(shared_.settings.connections_max)}});
        tick_ = shared_.clock.call_at(now + tick_interval, [this] { tick(); });
    }

    Shared shared_;
    tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    TaskGroup tasks_;
    std::set<std::shared_ptr<Connection>> connections_;  // shared with a read that ends after its connection
    Signal emptied_;
    std::size_t refused_ = 0;
    Clock::TimerId tick_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> serve(asio::any_io_executor loop, Clock& clock, ServerSettings settings,
                                          Handler handler) {
    auto server = std::make_unique<Server>(std::move(loop), clock, std::move(settings), std::move(handler));
    if (auto opened = server->open(); !opened) return std::move(opened).error();
    return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace ocim::net
