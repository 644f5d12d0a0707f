#include "net/talk.hpp"

#include "base/async.hpp"
#include "net/dial.hpp"
#include "net/lookup.hpp"
#include "net/target.hpp"

#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>
#include <utility>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using udp = asio::ip::udp;
using Code = boost::system::error_code;
using TlsStream = asio::ssl::stream<tcp::socket&>;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
constexpr const char* dns_port = "53";

Error unreachable(std::string what) { return {ErrorClass::unreachable, std::move(what)}; }

/// Where what is expected ends in what was heard, if it is there. Before TLS the rest of its line comes too.
std::optional<std::size_t> end_of_expected(const TalkStep& step, const std::string& heard) {
    if (step.expect.empty()) return 0;
    const auto at = heard.find(step.expect);
    if (at == std::string::npos) return std::nullopt;
    const auto end = at + step.expect.size();
    if (!step.start_tls || step.expect.ends_with('\n')) return end;
    const auto line = heard.find('\n', end);
    return line == std::string::npos ? std::nullopt : std::optional(line + 1);
}

/// Says and hears what one step wants; `heard` is what came and was not asked for yet.
template <class Stream>
awaitable<Result<void>> take_step(Stream& stream, const TalkStep& step, std::string& heard) {
    std::array<char, 4096> part{};
    for (;;) {
        const auto end = end_of_expected(step, heard);
        if (end) {
            heard.erase(0, *end);
            break;
        }
        if (heard.size() > Talker::answer_bytes_max)
            co_return unreachable("what it says does not hold what is expected");
        const auto bytes = asio::buffer(part);
        const auto [broken, count] = co_await stream.async_read_some(bytes, no_throw);
        leave_if_cancelled(broken);
        const bool ended = broken == asio::error::eof || broken == asio::ssl::error::stream_truncated;
        if (ended) co_return unreachable("it closed before it said what is expected");
        if (broken) co_return unreachable("the connection broke: " + broken.message());
        heard.append(part.data(), count);
    }
    if (step.send.empty()) co_return Result<void>{};
    const auto bytes = asio::buffer(step.send);
    const auto [unsent, sent] = co_await asio::async_write(stream, bytes, no_throw);
    leave_if_cancelled(unsent);
    if (unsent) co_return unreachable("the connection broke: " + unsent.message());
    co_return Result<void>{};
}

class AsioTalker final : public Talker {
public:
    AsioTalker(asio::any_io_executor loop, Clock& clock) : loop_(loop), clock_(clock), resolver_(std::move(loop)) {}

    awaitable<Result<Talked>> talk(Talk what) override {
        std::string host, port;
        CO_CHECK(split_address(what.address, host, port));
        if (what.server_name.empty()) what.server_name = host;
        tcp::socket socket(loop_);
        CO_CHECK(co_await connect(socket, std::move(host), std::move(port)));
        TlsStream stream(socket, tls_.context(what.verify));
        Talked out;
        bool secret = false;
        if (what.tls) {
            CO_CHECK(co_await secure(stream, what, out));
            secret = true;
        }
        std::string heard;
        for (const auto& step : what.steps) {
            if (secret)
                CO_CHECK(co_await take_step(stream, step, heard));
            else
                CO_CHECK(co_await take_step(socket, step, heard));
            if (!step.start_tls || secret) continue;
            CO_CHECK(co_await secure(stream, what, out));
            secret = true;
            heard.clear();  // nobody knows who said it
        }
        co_return out;
    }

    awaitable<Result<std::string>> ask(Datagram what) override {
        std::string host, port(dns_port);
        CO_CHECK(split_address(what.address, host, port));
        if (what.over_tcp) co_return co_await ask_stream(std::move(host), std::move(port), std::move(what.message));
        CO_TRY(const auto endpoints, co_await resolver_.resolve(std::move(host), std::move(port)));
        const udp::endpoint there(endpoints.front().address(), endpoints.front().port());
        udp::socket socket(loop_);
        Code failed;
        socket.open(there.protocol(), failed);
        if (!failed) socket.connect(there, failed);  // so that a refusal is heard
        if (failed) co_return unreachable("no connection: " + failed.message());
        for (;;) {
            const auto bytes = asio::buffer(what.message);
            const auto [unsent, sent] = co_await socket.async_send(bytes, no_throw);
            leave_if_cancelled(unsent);
            if (unsent) co_return unreachable("no connection: " + unsent.message());
            auto hearing = hear(socket, what.message.substr(0, 2));
            auto heard = co_await with_deadline(clock_, what.resend_after, "the answer", std::move(hearing));
            if (heard || !heard.error().outcome_unknown) co_return heard;
        }
    }

private:
    awaitable<Result<void>> connect(tcp::socket& socket, std::string host, std::string port) {
        CO_TRY(const auto endpoints, co_await resolver_.resolve(std::move(host), std::move(port)));
        const auto [refused, endpoint] = co_await asio::async_connect(socket, endpoints, no_throw);
        leave_if_cancelled(refused);
        if (refused) co_return unreachable("no connection: " + refused.message());
        co_return Result<void>{};
    }

    static awaitable<Result<void>> secure(TlsStream& stream, const Talk& what, Talked& out) {
        if (!is_address(what.server_name)) SSL_set_tlsext_host_name(stream.native_handle(), what.server_name.c_str());
        if (what.verify) stream.set_verify_callback(asio::ssl::host_name_verification(what.server_name));
        const auto [untrusted] = co_await stream.async_handshake(asio::ssl::stream_base::client, no_throw);
        leave_if_cancelled(untrusted);
        if (untrusted) co_return unreachable(tls_refusal(stream.native_handle(), untrusted));
        out.certificate_expires = first_expiry(stream.native_handle());
        co_return Result<void>{};
    }

    /// The first message that begins so. What an earlier socket of this port was sent is not our answer.
    static awaitable<Result<std::string>> hear(udp::socket& socket, std::string begins) {
        std::array<char, 4096> message{};  // nobody sends more to one who did not ask for more than 512
        for (;;) {
            const auto bytes = asio::buffer(message);
            const auto [broken, count] = co_await socket.async_receive(bytes, no_throw);
            leave_if_cancelled(broken);
            if (broken) co_return unreachable("no connection: " + broken.message());
            std::string heard(message.data(), count);
            if (heard.starts_with(begins)) co_return heard;
        }
    }

    /// With two bytes of length before each message (RFC 1035, 4.2.2).
    awaitable<Result<std::string>> ask_stream(std::string host, std::string port, std::string message) {
        tcp::socket socket(loop_);
        CO_CHECK(co_await connect(socket, std::move(host), std::move(port)));
        const auto length = message.size();
        message.insert(0, {static_cast<char>(length >> 8), static_cast<char>(length & 0xff)});
        const auto question = asio::buffer(message);
        const auto [unsent, sent] = co_await asio::async_write(socket, question, no_throw);
        leave_if_cancelled(unsent);
        if (unsent) co_return unreachable("the connection broke: " + unsent.message());
        std::array<unsigned char, 2> head{};
        const auto head_bytes = asio::buffer(head);
        const auto [unread, first] = co_await asio::async_read(socket, head_bytes, no_throw);
        leave_if_cancelled(unread);
        if (unread) co_return unreachable("it closed before it answered: " + unread.message());
        std::string answer(static_cast<std::size_t>(head[0] << 8 | head[1]), '\0');
        const auto answer_bytes = asio::buffer(answer);
        const auto [cut, rest] = co_await asio::async_read(socket, answer_bytes, no_throw);
        leave_if_cancelled(cut);
        if (cut) co_return unreachable("the answer was cut off: " + cut.message());
        co_return answer;
    }

    asio::any_io_executor loop_;
    Clock& clock_;
    Resolver resolver_;
    VisitorTls tls_;
};

}  // namespace

std::unique_ptr<Talker> make_talker(asio::any_io_executor loop, Clock& clock) {
    return std::make_unique<AsioTalker>(std::move(loop), clock);
}

Result<void> check_address(const std::string& address, std::string port) {
    std::string host;
    return split_address(address, host, port);
}

}  // namespace ocim::net
