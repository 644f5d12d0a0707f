#include "net/https_client.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
#include "net/dial.hpp"
#include "net/http_request.hpp"
#include "net/http_wire.hpp"
#include "net/lookup.hpp"
#include "net/target.hpp"

#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;
using Request = http::request<http::string_body>;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kept_max = 8;                  // of one server; more go on at once, and are not kept
constexpr auto kept_for = std::chrono::seconds(60);  // well below what servers keep: 90 s and more
constexpr int dead_after_ms = 30'000;                // a peer that acknowledges nothing for so long is gone

Error unreachable(std::string what, bool outcome_unknown = false) {
    Error out{ErrorClass::unreachable, std::move(what)};
    out.outcome_unknown = outcome_unknown;
    return out;
}

/// What we trust and who we are, in OpenSSL's terms.
Result<void> prepare(asio::ssl::context& context, const TlsIdentity& identity) {
    const auto wrong = [](const char* what, const Code& code) {
        return Error{ErrorClass::invalid, std::string(what) + " cannot be used: " + code.message()};
    };
    Code code;
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    context.set_verify_mode(asio::ssl::verify_peer);
    context.add_certificate_authority(asio::buffer(identity.ca_certificate), code);
    if (code) return wrong("the certificate authority", code);
    if (identity.certificate.empty()) return {};
    context.use_certificate_chain(asio::buffer(identity.certificate), code);
    if (code) return wrong("the client certificate", code);
    context.use_private_key(asio::buffer(identity.private_key.reveal()), asio::ssl::context::pem, code);
    if (code) return wrong("the client's private key", code);
    return {};
}

struct Connection {
    Connection(asio::any_io_executor loop, asio::ssl::context& context)
        : stream(tcp::socket(std::move(loop)), context) {}
    asio::ssl::stream<tcp::socket> stream;
    boost::beast::flat_buffer buffer;
    Instant kept_since{};
};

template <class Head>
std::map<std::string, std::string> headers_of(const Head& head) {
    std::map<std::string, std::string> out;
    for (const auto& field : head) out[wire::lower_case(std::string_view(field.name_string()))] = field.value();
    return out;
}

class Stream final : public HttpsStream {
public:
    explicit Stream(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {
        parser_.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max));
        parser_.body_limit(boost::none);
    }
    awaitable<Result<void>> read_head() {
        const auto [unread, read] =
            co_await http::async_read_header(connection_->stream, connection_->buffer, parser_, no_throw);
        leave_if_cancelled(unread);
        if (unread) co_return unreachable("no answer in HTTP: " + unread.message(), true);
        headers_ = headers_of(parser_.get());
        co_return Result<void>{};
    }
    unsigned status() const override { return parser_.get().result_int(); }
    const std::map<std::string, std::string>& headers() const override { return headers_; }

    awaitable<Result<std::string>> next() override {
        std::array<char, 16 * 1024> part{};
        while (!parser_.is_done()) {
            auto& body = parser_.get().body();
            body.data = part.data();
            body.size = part.size();
            const auto [broke, read] =
                co_await http::async_read_some(connection_->stream, connection_->buffer, parser_, no_throw);
            leave_if_cancelled(broke);
            if (broke && broke != http::error::need_buffer)
                co_return unreachable("the answer was cut off: " + broke.message());
            if (body.size < part.size()) co_return std::string(part.data(), part.size() - body.size);
        }
        co_return std::string();
    }

private:
    std::unique_ptr<Connection> connection_;
    http::response_parser<http::buffer_body> parser_;
    std::map<std::string, std::string> headers_;
};

class BeastHttpsClient final : public HttpsClient {
public:
    BeastHttpsClient(asio::any_io_executor loop, Clock& clock, Metrics& metrics, Target target, std::string server_name)
        : loop_(std::move(loop)),
          clock_(clock),
          metrics_(metrics),
          target_(std::move(target)),
          server_name_(server_name.empty() ? target_.name : std::move(server_name)),
          resolver_(loop_) {}

    Result<void> use(const TlsIdentity& identity) { return prepare(context_, identity); }

    awaitable<Result<HttpReply>> send(HttpsRequest request) override {
        CO_CHECK(check(request));
        const auto limit = request.timeout;
        const auto method = request.method;
        auto work = exchange(std::move(request));
        auto reply = co_await with_deadline(clock_, limit, "the answer of " + target_.authority, std::move(work));
        count(method, reply ? std::to_string(reply->status) : "<error>");
        co_return reply;
    }

    awaitable<Result<std::unique_ptr<HttpsStream>>> open(HttpsRequest request) override {
        CO_CHECK(check(request));
        const auto limit = request.timeout;
        const auto method = request.method;
        auto work = begin(std::move(request));
        auto opened = co_await with_deadline(clock_, limit, "the answer of " + target_.authority, std::move(work));
        count(method, opened ? std::to_string((*opened)->status()) : "<error>");
        co_return opened;
    }

private:
    void count(const std::string& method, const std::string& code) {
        metrics_
            .counter("rest_client_requests_total", "Requests to services outside, by host, method and status.",
                     {{"host", target_.authority}, {"method", method}, {"code", code}})
            .Increment();
    }

    static Result<void> check(const HttpsRequest& request) {
        auto out = wire::check_request(request.method, request.target);
        if (out) out = wire::check_header("Content-Type", request.content_type);
        if (out) out = wire::check_header("Authorization", request.bearer_token.reveal());
        for (const auto& [name, value] : request.headers)
            if (out) out = wire::check_header(name, value);
        return out;
    }
    Request wire_request(HttpsRequest request, bool keep) const {
        Request out(http::verb::get,
                    target_.path_and_query == "/" ? request.target : target_.path_and_query + request.target, 11);
        out.method_string(request.method);
        out.set(http::field::host, target_.authority);
        out.set(http::field::user_agent, "ocim");
        out.set(http::field::accept, "*/*");
        for (const auto& [name, value] : request.headers) out.set(name, value);
        if (!request.bearer_token.empty())
            out.set(http::field::authorization, "Bearer " + request.bearer_token.reveal());
        if (!request.body.empty()) out.set(http::field::content_type, request.content_type);
        out.keep_alive(keep);
        out.body() = std::move(request.body);
        out.prepare_payload();
        return out;
    }

    awaitable<Result<std::unique_ptr<Connection>>> connect() {
        CO_TRY(const auto endpoints, co_await resolver_.resolve(target_.host, target_.port));
        auto out = std::make_unique<Connection>(loop_, context_);
        auto& socket = out->stream.next_layer();
        const auto [refused, endpoint] = co_await asio::async_connect(socket, endpoints, no_throw);
        leave_if_cancelled(refused);
        if (refused) co_return unreachable("no connection to " + target_.authority + ": " + refused.message());
        Code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        socket.set_option(asio::socket_base::keep_alive(true), ignored);
        socket.set_option(asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>(dead_after_ms), ignored);
        socket.set_option(asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>(dead_after_ms / 2'000),
                          ignored);
        socket.set_option(asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>(dead_after_ms / 6'000),
                          ignored);
        auto* handle = out->stream.native_handle();
        if (!is_address(server_name_)) SSL_set_tlsext_host_name(handle, server_name_.c_str());
        out->stream.set_verify_callback(asio::ssl::host_name_verification(server_name_));
        const auto [untrusted] = co_await out->stream.async_handshake(asio::ssl::stream_base::client, no_throw);
        leave_if_cancelled(untrusted);
        if (untrusted) co_return unreachable(target_.authority + ": " + tls_refusal(handle, untrusted));
        co_return out;
    }

    /// Whether its peer has said nothing since its last answer: what it would say then is goodbye.
    static bool quiet(Connection& connection) {
        char byte = 0;
        const auto heard = ::recv(connection.stream.next_layer().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return heard < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
    /// The kept one that was used last, if any is young enough and seems alive.
    std::unique_ptr<Connection> kept() {
        std::erase_if(kept_,
                      [this](const auto& one) { return clock_.now() - one->kept_since > kept_for || !quiet(*one); });
        if (kept_.empty()) return nullptr;
        auto out = std::move(kept_.back());
        kept_.pop_back();
        return out;
    }
    void keep(std::unique_ptr<Connection> connection) {
        if (kept_.size() >= kept_max) return;
        connection->kept_since = clock_.now();
        kept_.push_back(std::move(connection));
    }

    awaitable<Result<HttpReply>> exchange(HttpsRequest request) {
        const bool repeatable = request.method == "GET";
        const auto wired = wire_request(std::move(request), true);
        if (auto connection = kept()) {
            auto reply = co_await converse(std::move(connection), wired);
            // it may have died while nobody used it; what must not happen twice is for the caller to look after
            if (reply || !repeatable) co_return reply;
        }
        CO_TRY(auto connection, co_await connect());
        co_return co_await converse(std::move(connection), wired);
    }

    awaitable<Result<HttpReply>> converse(std::unique_ptr<Connection> connection, Request request) {
        const auto [unsent, sent] = co_await http::async_write(connection->stream, request, no_throw);
        leave_if_cancelled(unsent);
        if (unsent) co_return unreachable("the connection broke: " + unsent.message(), true);
        http::response_parser<http::string_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max));
        parser.body_limit(limits::reply_bytes_max);
        const auto [unread, read] = co_await http::async_read(connection->stream, connection->buffer, parser, no_throw);
        leave_if_cancelled(unread);
        if (unread) co_return unreachable("no whole answer in HTTP: " + unread.message(), true);
        HttpReply out;
        out.status = parser.get().result_int();
        out.headers = headers_of(parser.get());
        out.body = std::move(parser.get().body());
        if (parser.keep_alive()) keep(std::move(connection));
        co_return out;
    }

    awaitable<Result<std::unique_ptr<HttpsStream>>> begin(HttpsRequest request) {
        const auto wired = wire_request(std::move(request), false);
        CO_TRY(auto connection, co_await connect());
        const auto [unsent, sent] = co_await http::async_write(connection->stream, wired, no_throw);
        leave_if_cancelled(unsent);
        if (unsent) co_return unreachable("the connection broke: " + unsent.message(), true);
        auto out = std::make_unique<Stream>(std::move(connection));
        CO_CHECK(co_await out->read_head());
        co_return std::unique_ptr<HttpsStream>(std::move(out));
    }

    asio::any_io_executor loop_;
    Clock& clock_;
    Metrics& metrics_;
    Target target_;
    std::string server_name_;
    Resolver resolver_;
    asio::ssl::context context_{asio::ssl::context::tls_client};
    std::vector<std::unique_ptr<Connection>> kept_;
};

}  // namespace

Result<std::unique_ptr<HttpsClient>> make_https_client(asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                                       const std::string& base_url, const TlsIdentity& identity) {
    auto target = parse_target(base_url, "");
    if (!target) return std::move(target).error();
    if (!target->tls) return Error{ErrorClass::invalid, "the URL must start with https://"};
    while (target->path_and_query.size() > 1 && target->path_and_query.ends_with('/'))
        target->path_and_query.pop_back();
    auto out =
        std::make_unique<BeastHttpsClient>(std::move(loop), clock, metrics, *std::move(target), identity.server_name);
    if (auto used = out->use(identity); !used) return std::move(used).error();
    return std::unique_ptr<HttpsClient>(std::move(out));
}

}  // namespace ocim::net
