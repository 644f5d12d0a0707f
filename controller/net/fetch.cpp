#include "net/fetch.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
#include "net/dial.hpp"
#include "net/lookup.hpp"
#include "net/target.hpp"

#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

Error unreachable(std::string what) { return {ErrorClass::unreachable, std::move(what)}; }

using Head = http::request<http::empty_body>;

class BeastFetcher final : public Fetcher {
public:
    BeastFetcher(asio::any_io_executor loop, Clock& clock) : loop_(loop), clock_(clock), resolver_(std::move(loop)) {}

    awaitable<Result<Fetched>> fetch(Fetch what) override {
        CO_TRY(auto target, parse_target(what.url, what.connect_to));
        const auto begin = clock_.now();
        const auto timeout = what.timeout;
        auto work = exchange(std::move(what), std::move(target));
        auto answer = co_await with_deadline(clock_, timeout, "the answer", std::move(work));
        if (!answer) co_return unreachable(std::move(answer).error().message);
        answer->took = std::chrono::duration_cast<Duration>(clock_.now() - begin);
        co_return *std::move(answer);
    }

private:
    awaitable<Result<Fetched>> exchange(Fetch what, Target target) {
        CO_TRY(const auto endpoints, co_await resolver_.resolve(target.host, target.port));
        Head request(http::verb::get, target.path_and_query, 11);
        request.set(http::field::host, target.authority);
        request.set(http::field::user_agent, "ocim-prober");
        request.set(http::field::accept, "*/*");
        request.set(http::field::connection, "close");
        for (const auto& [name, value] : what.headers) request.set(name, value.reveal());

        tcp::socket socket(loop_);
        const auto [refused, endpoint] = co_await asio::async_connect(socket, endpoints, no_throw);
        leave_if_cancelled(refused);
        if (refused) co_return unreachable("no connection: " + refused.message());
        if (!target.tls) co_return co_await ask(socket, std::move(request), what.body_max);

        asio::ssl::stream<tcp::socket> stream(std::move(socket), tls_.context(what.verify));
        if (!is_address(target.name)) SSL_set_tlsext_host_name(stream.native_handle(), target.name.c_str());
        if (what.verify) stream.set_verify_callback(asio::ssl::host_name_verification(target.name));
        const auto [untrusted] = co_await stream.async_handshake(asio::ssl::stream_base::client, no_throw);
        leave_if_cancelled(untrusted);
        if (untrusted) co_return unreachable(tls_refusal(stream.native_handle(), untrusted));
        CO_TRY(auto answer, co_await ask(stream, std::move(request), what.body_max));
        answer.certificate_expires = first_expiry(stream.native_handle());
        co_return answer;
    }

    /// Whatever follows the head and so much of the body is left unread.
    template <class Stream>
    static awaitable<Result<Fetched>> ask(Stream& stream, Head request, std::size_t body_max) {
        const auto [unsent, sent] = co_await http::async_write(stream, request, no_throw);
        leave_if_cancelled(unsent);
        if (unsent) co_return unreachable("the connection broke: " + unsent.message());
        boost::beast::flat_buffer buffer;
        http::response_parser<http::empty_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max));
        const auto [unread, read] = co_await http::async_read_header(stream, buffer, parser, no_throw);
        leave_if_cancelled(unread);
        if (unread) co_return unreachable("no answer in HTTP: " + unread.message());
        Fetched out;
        out.status = parser.get().result_int();
        if (body_max == 0) co_return out;
        http::response_parser<http::string_body> whole(std::move(parser));
        whole.body_limit(boost::none);
        while (!whole.is_done() && whole.get().body().size() < body_max) {
            const auto [broken, more] = co_await http::async_read_some(stream, buffer, whole, no_throw);
            leave_if_cancelled(broken);
            // without a length the end of the connection is the end of the body
            const bool ended = broken == http::error::end_of_stream || broken == asio::ssl::error::stream_truncated;
            if (ended && whole.need_eof()) break;
            if (broken) co_return unreachable("the body broke off: " + broken.message());
        }
        out.body = std::move(whole.get().body());
        out.body.resize(std::min(out.body.size(), body_max));
        co_return out;
    }

    asio::any_io_executor loop_;
    Clock& clock_;
    Resolver resolver_;
    VisitorTls tls_;
};

}  // namespace

std::unique_ptr<Fetcher> make_fetcher(asio::any_io_executor loop, Clock& clock) {
    return std::make_unique<BeastFetcher>(std::move(loop), clock);
}

Result<void> check_fetch(const std::string& url, const std::string& connect_to) {
    auto parsed = parse_target(url, connect_to);
    if (!parsed) return std::move(parsed).error();
    return {};
}

}  // namespace ocim::net
