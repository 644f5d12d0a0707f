#include "net/http_stream.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
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

#include <array>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

Error unreachable(std::string what) { return {ErrorClass::unreachable, std::move(what)}; }

/// What we trust and who we are, in OpenSSL's terms.
Result<void> prepare(asio::ssl::context& context, const StreamRequest& request) {
    const auto wrong = [](const char* what, const Code& code) {
        return Error{ErrorClass::invalid, std::string(what) + " cannot be used: " + code.message()};
    };
    Code code;
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    context.set_verify_mode(asio::ssl::verify_peer);
    context.add_certificate_authority(asio::buffer(request.ca_certificate), code);
    if (code) return wrong("the certificate authority", code);
    if (request.certificate.empty()) return {};
    context.use_certificate_chain(asio::buffer(request.certificate), code);
    if (code) return wrong("the client certificate", code);
    context.use_private_key(asio::buffer(request.private_key.reveal()), asio::ssl::context::pem, code);
    if (code) return wrong("the client's private key", code);
    return {};
}

class Reader {
public:
    Reader(asio::any_io_executor loop, asio::ssl::context& context, Target target)
        : stream_(tcp::socket(std::move(loop)), context), target_(std::move(target)) {}

    /// Everything up to the head of the answer.
    awaitable<Result<unsigned>> open(StreamRequest request) {
        tcp::resolver resolver(stream_.get_executor());
        const auto [unknown, endpoints] = co_await resolver.async_resolve(target_.host, target_.port, no_throw);
        if (unknown) co_return unreachable(target_.host + ": " + unknown.message());
        auto& socket = stream_.next_layer();
        const auto [refused, endpoint] = co_await asio::async_connect(socket, endpoints, no_throw);
        if (refused) co_return unreachable("no connection to " + target_.authority + ": " + refused.message());
        Code ignored;
        socket.set_option(asio::socket_base::keep_alive(true), ignored);
        if (!is_address(target_.name)) SSL_set_tlsext_host_name(stream_.native_handle(), target_.name.c_str());
        stream_.set_verify_callback(asio::ssl::host_name_verification(target_.name));
        const auto [untrusted] = co_await stream_.async_handshake(asio::ssl::stream_base::client, no_throw);
        if (untrusted) co_return unreachable("TLS is refused: " + untrusted.message());
        http::request<http::empty_body> asked(http::verb::get, target_.path_and_query, 11);
        asked.set(http::field::host, target_.authority);
        asked.set(http::field::user_agent, "ocim");
        asked.set(http::field::accept, "*/*");
        asked.set(http::field::connection, "close");
        if (!request.bearer_token.reveal().empty())
            asked.set(http::field::authorization, "Bearer " + request.bearer_token.reveal());
        const auto [unsent, sent] = co_await http::async_write(stream_, asked, no_throw);
        if (unsent) co_return unreachable("the connection broke: " + unsent.message());
        parser_.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max));
        parser_.body_limit(boost::none);
        const auto [unread, read] = co_await http::async_read_header(stream_, buffer_, parser_, no_throw);
        if (unread) co_return unreachable("no answer in HTTP: " + unread.message());
        co_return parser_.get().result_int();
    }

    awaitable<Result<void>> read(unsigned status, std::function<void(unsigned, std::string_view)> take) {
        std::array<char, 16 * 1024> part{};
        while (!parser_.is_done()) {
            auto& body = parser_.get().body();
            body.data = part.data();
            body.size = part.size();
            const auto [broke, read] = co_await http::async_read_some(stream_, buffer_, parser_, no_throw);
            if (broke && broke != http::error::need_buffer)
                co_return unreachable("the answer was cut off: " + broke.message());
            if (body.size < part.size()) take(status, std::string_view(part.data(), part.size() - body.size));
        }
        co_return Result<void>{};
    }

private:
    asio::ssl::stream<tcp::socket> stream_;
    Target target_;
    boost::beast::flat_buffer buffer_;
    http::response_parser<http::buffer_body> parser_;
};

}  // namespace

awaitable<Result<unsigned>> read_stream(asio::any_io_executor loop, Clock& clock, StreamRequest request,
                                        std::function<void(unsigned status, std::string_view part)> take) {
    CO_TRY(auto target, parse_target(request.url, ""));
    if (!target.tls) co_return Error{ErrorClass::invalid, "the URL must start with https://"};
    asio::ssl::context context(asio::ssl::context::tls_client);
    CO_CHECK(prepare(context, request));
    const auto limit = request.head_timeout;
    Reader reader(std::move(loop), context, std::move(target));
    auto opening = reader.open(std::move(request));
    CO_TRY(const auto status, co_await with_deadline(clock, limit, "the answer", std::move(opening)));
    CO_CHECK(co_await reader.read(status, std::move(take)));
    co_return status;
}

}  // namespace ocim::net
