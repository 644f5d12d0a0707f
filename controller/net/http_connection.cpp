#include "net/http_connection.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "net/server_channel.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto never = Instant::max();

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
    Connection(ServerShared& shared, tcp::socket socket)
        : shared_(shared), channel_(shared.clock, shared.tls.get(), shared.settings.write_stall, std::move(socket)) {}

    awaitable<void> run() override;
    asio::cancellation_slot slot() override { return cancel_.slot(); }
    void cancel() override {
        cancelled_ = true;
        cancel_.emit(asio::cancellation_type::terminal);
    }
    void hang_up() override { channel_.hang_up(); }
    void stop_if_idle() override {
        if (phase_ == Phase::idle) hang_up();
    }
    void tick(Instant now) override {
        // who has begun to ask is told that it took him too long
        if (phase_ == Phase::reading && channel_.stop_filling(now)) return;
        if (channel_.tick(now) && phase_ == Phase::handling) watch();
    }
    void ended() override {
        hang_up();
        forget_body();
    }

    awaitable<void> reply(ServerReply reply) override;
    awaitable<void> start_stream(unsigned status, std::multimap<std::string, std::string> headers) override;
    awaitable<bool> write(std::string data) override;
    awaitable<void> finish() override;
    bool write_now(std::string_view data) override;

private:
    enum class Phase { opening, idle, reading, handling, streaming, replied, closing };
    enum class Next { request, refused, gone };
    using Parser = http::request_parser<http::string_body>;

    awaitable<Next> read_request();
    Next parse(Parser& parser, bool& more_needed);
    awaitable<bool> answer_expectation(const Parser& parser);
    bool take(Parser& parser);
    awaitable<bool> handle();
    awaitable<bool> refuse();

    void watch();
    void watched(bool gone);
    void forget_body() { shared_.body_bytes -= std::exchange(body_bytes_, 0); }
    void count_body(std::size_t bytes) {
        body_bytes_ += bytes;
        shared_.body_bytes += bytes;
    }

    ServerShared& shared_;
    ServerChannel channel_;
    asio::cancellation_signal cancel_;
    std::optional<PeerCertificate> peer_;
    bool peer_refused_ = false;

    Phase phase_ = Phase::opening;
    bool cancelled_ = false;

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
    const bool agreed = co_await channel_.greet();
    if (!agreed) co_return;
    peer_ = channel_.peer();
    peer_refused_ = !peer_ && channel_.shows_certificate();
    bool again = true;
    while (again && channel_.open()) {
        const auto next = co_await read_request();
        switch (next) {
            case Next::request: again = co_await handle(); break;
            case Next::refused: again = co_await refuse(); break;
            case Next::gone: co_return;
        }
        forget_body();
        // whoever sends many requests without waiting for answers must not keep the loop from others
        if (again && channel_.input().size() > 0) co_await asio::post(asio::use_awaitable);
    }
    phase_ = Phase::closing;
    co_await channel_.part();
}

awaitable<Connection::Next> Connection::read_request() {
    phase_ = Phase::idle;
    channel_.set_deadline(shared_.clock.now() + limits::idle_connection_max);
    if (shared_.stopping) co_return Next::gone;
    Parser parser;
    parser.header_limit(limits::header_bytes_max);
    parser.body_limit(limits::body_bytes_max);
    bool head_seen = false;
    for (;;) {
        bool more_needed = true;
        if (channel_.input().size() > 0 || parser.is_header_done()) {
            if (phase_ == Phase::idle) {
                phase_ = Phase::reading;
                channel_.set_deadline(shared_.clock.now() + shared_.settings.request_timeout);
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
            more_needed = channel_.input().size() == 0;
        }
        if (more_needed) {
            const bool filled = co_await channel_.fill();
            if (!filled && channel_.late()) refusal_ = {408, "The request took too long to arrive"};
            if (!filled) co_return channel_.late() ? Next::refused : Next::gone;
        }
    }
    channel_.set_deadline(never);
    const bool taken = take(parser);
    if (!taken) co_return Next::refused;
    co_return Next::request;
}

Connection::Next Connection::parse(Parser& parser, bool& more_needed) {
    const bool in_body = parser.is_header_done();
    error_code error;
    const auto used = parser.put(channel_.input().data(), error);
    channel_.input().consume(used);
    if (in_body) count_body(used);
    more_needed = error == http::error::need_more || channel_.input().size() == 0;
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
    if (message.version() < 11 || channel_.input().size() > 0) co_return true;
    const auto deadline = channel_.deadline();  // of reading this request: our answer does not make it younger
    std::string go_on(wire::go_on);
    co_await channel_.send(std::move(go_on));
    channel_.set_deadline(deadline);
    co_return true;
}

/// RFC 9112, 6.1: a body whose end we would find elsewhere than its sender hides another request.
bool ends_where_we_think(const http::request<http::string_body>& message) {
    const auto codings = message.equal_range(http::field::transfer_encoding);
    if (codings.first == codings.second) return true;
    const auto value = codings.first->value();
    return std::next(codings.first) == codings.second && message.version() >= 11 &&
           message.find(http::field::content_length) == message.end() &&
           wire::lower_case(std::string_view(value.data(), value.size())) == "chunked";
}

/// False when the request is well-formed HTTP that we do not serve.
bool Connection::take(Parser& parser) {
    if (!ends_where_we_think(parser.get())) {
        refusal_ = {400, "Malformed request: of transfer codings only chunked is understood, without a length"};
        return false;
    }
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
    request_.peer_refused = peer_refused_;
    request_.remote_address = channel_.remote_address();
    if (!wire::split_target(std::string_view(target.data(), target.size()), request_.path, request_.query)) {
        refusal_ = {400, "Malformed request: the target is not a path"};
        return false;
    }
    const auto hosts = request_.headers.count("host");
    if (hosts > 1 || (hosts == 0 && !old_client_)) {  // RFC 9112, 3.2
        refusal_ = {400, "Malformed request: it needs one Host header"};
        return false;
    }
    if (request_.headers.count("content-length") > 1) {  // RFC 9112, 6.3: who else reads it may take another one
        refusal_ = {400, "Malformed request: Content-Length is said more than once"};
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
    if (!failure.empty())
        log::error("a request's handler threw", {{"error", failure}, {"remote", channel_.remote_address()}});
    if (phase_ == Phase::streaming) {
        hang_up();
        co_return false;
    }
    if (phase_ == Phase::handling) {
        if (failure.empty()) log::error("a request's handler gave no reply", {{"remote", channel_.remote_address()}});
        refusal_ = {500, "Internal error"};
        co_return co_await refuse();
    }
    co_return keep_alive_&& channel_.open();
}

awaitable<bool> Connection::refuse() {
    phase_ = Phase::handling;
    keep_alive_ = false;  // where the next request would begin is not known
    ServerReply said = shared_.refusal(refusal_.status, refusal_.reason);
    co_await reply(std::move(said));
    co_return false;
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
    bool sent = co_await channel_.send(std::move(text));
    if (sent && !reply.body.empty()) sent = co_await channel_.send(std::move(reply.body));
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
    co_await channel_.send(std::move(text));
}

awaitable<bool> Connection::write(std::string data) {
    assert(phase_ == Phase::streaming && "no stream was started");
    if (data.empty() || head_only_) co_return channel_.open();
    std::string bytes = framing_ == wire::Framing::chunked ? wire::chunk(data) : std::move(data);
    co_return co_await channel_.send(std::move(bytes));
}

bool Connection::write_now(std::string_view data) {
    assert(phase_ == Phase::streaming && "no stream was started");
    if (data.empty() || head_only_) return false;
    if (framing_ != wire::Framing::chunked) return channel_.send_now(data, shared_from_this());
    return channel_.send_now(wire::chunk(data), shared_from_this());
}

awaitable<void> Connection::finish() {
    assert(phase_ == Phase::streaming && "no stream was started");
    phase_ = Phase::replied;
    if (head_only_ || framing_ != wire::Framing::chunked) co_return;
    std::string end(wire::last_chunk);
    co_await channel_.send(std::move(end));
}

// --- the client's going

void Connection::watch() {
    // Shared: the read may end after the connection's coroutine has.
    channel_.watch([self = shared_from_this()](bool gone) { self->watched(gone); });
}

void Connection::watched(bool gone) {
    if (phase_ != Phase::handling && phase_ != Phase::streaming) return;
    if (gone) return cancel();
    watch();  // it sent the next request early; it may still go
}

}  // namespace

std::shared_ptr<ServerConnection> make_connection(ServerShared& shared, tcp::socket socket) {
    return std::make_shared<Connection>(shared, std::move(socket));
}

}  // namespace ocim::net
