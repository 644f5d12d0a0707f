#include "net/fetch.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
#include "net/lookup.hpp"

#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

Error invalid(std::string what) { return {ErrorClass::invalid, "the URL " + std::move(what)}; }
Error unreachable(std::string what) { return {ErrorClass::unreachable, std::move(what)}; }

/// A fetch that is cut short has no answer of its own.
void leave_if_cancelled(const Code& code) {
    if (code == asio::error::operation_aborted) throw boost::system::system_error(code);
}

struct Target {
    bool tls = false;
    std::string authority;   ///< as in the Host header
    std::string name;        ///< whose certificate is wanted
    std::string host, port;  ///< where to connect
    std::string path_and_query;
};

/// Takes "host:port" or "[address]:port" apart; the port stays as it is where there is none.
Result<void> split_authority(std::string_view text, std::string& host, std::string& port) {
    auto end = text.find(':');
    if (text.starts_with('[')) {
        const auto bracket = text.find(']');
        if (bracket == std::string_view::npos) return invalid("has a bracket without its other half");
        host = text.substr(1, bracket - 1);
        end = bracket + 1 == text.size() ? std::string_view::npos : bracket + 1;
        if (end != std::string_view::npos && text[end] != ':') return invalid("has something after a bracket");
    } else {
        host = text.substr(0, end);
    }
    if (host.empty()) return invalid("names no host");
    if (end == std::string_view::npos) return {};
    const auto digits = text.substr(end + 1);
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || stop != digits.data() + digits.size() || number == 0 || number > 65535)
        return invalid("has a port that is none");
    port = digits;
    return {};
}

Result<Target> parse(const std::string& url, const std::string& connect_to) {
    Target out;
    std::string_view rest(url);
    if (rest.starts_with("https://"))
        out.tls = true;
    else if (!rest.starts_with("http://"))
        return invalid("must start with http:// or https://");
    rest.remove_prefix(out.tls ? 8 : 7);
    if (std::ranges::any_of(rest, [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\\'; }))
        return invalid("holds a character that is not percent-encoded");
    rest = rest.substr(0, rest.find('#'));
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    out.authority = rest.substr(0, end);
    if (out.authority.find('@') != std::string::npos) return invalid("must not hold a user name");
    out.path_and_query = rest.substr(end);
    if (!out.path_and_query.starts_with('/')) out.path_and_query.insert(0, "/");
    out.port = out.tls ? "443" : "80";
    if (auto done = split_authority(out.authority, out.name, out.port); !done) return std::move(done).error();
    out.host = out.name;
    if (connect_to.empty()) return out;
    if (auto done = split_authority(connect_to, out.host, out.port); !done) return std::move(done).error();
    return out;
}

/// The way back to the loop from a thread of the resolver, shut when the fetcher goes.
class Door {
public:
    explicit Door(asio::any_io_executor loop) : loop_(std::move(loop)) {}
    void deliver(std::function<void()> what) {
        const std::lock_guard lock(mutex_);
        if (open_) asio::post(loop_, std::move(what));
    }
    void shut() {
        const std::lock_guard lock(mutex_);
        open_ = false;
    }

private:
    std::mutex mutex_;
    bool open_ = true;
    asio::any_io_executor loop_;
};

using Endpoints = std::vector<tcp::endpoint>;

struct Waiting {
    Signal done;
    std::optional<Result<Endpoints>> found;
};

Result<Endpoints> endpoints_of(const Result<const addrinfo*>& list) {
    if (!list) return list.error();
    Endpoints out;
    for (const auto* item = *list; item; item = item->ai_next) {
        tcp::endpoint endpoint;
        if (item->ai_socktype != SOCK_STREAM && item->ai_socktype != 0) continue;
        if (item->ai_addrlen > endpoint.capacity()) continue;
        endpoint.resize(item->ai_addrlen);
        std::copy_n(reinterpret_cast<const char*>(item->ai_addr), item->ai_addrlen,
                    reinterpret_cast<char*>(endpoint.data()));
        out.push_back(endpoint);
    }
    if (out.empty()) return unreachable("the name has no address");
    return out;
}

using Head = http::request<http::empty_body>;

class BeastFetcher final : public Fetcher {
public:
    BeastFetcher(asio::any_io_executor loop, Clock& clock)
        : loop_(loop), clock_(clock), door_(std::make_shared<Door>(std::move(loop))) {
        for (auto* context : {&trusting_, &strict_})
            SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
        trusting_.set_verify_mode(asio::ssl::verify_none);
        Code ignored;  // without authorities every certificate is refused, which is what should then happen
        strict_.set_default_verify_paths(ignored);
        strict_.set_verify_mode(asio::ssl::verify_peer);
    }
    ~BeastFetcher() override { door_->shut(); }
    BeastFetcher(const BeastFetcher&) = delete;
    BeastFetcher& operator=(const BeastFetcher&) = delete;

    awaitable<Result<Fetched>> fetch(Fetch what) override {
        CO_TRY(auto target, parse(what.url, what.connect_to));
        const auto begin = clock_.now();
        const auto timeout = what.timeout;
        auto work = exchange(std::move(what), std::move(target));
        auto status = co_await with_deadline(clock_, timeout, "the answer", std::move(work));
        if (!status) co_return unreachable(std::move(status).error().message);
        co_return Fetched{*status, std::chrono::duration_cast<Duration>(clock_.now() - begin)};
    }

private:
    awaitable<Result<unsigned>> exchange(Fetch what, Target target) {
        CO_TRY(const auto endpoints, co_await resolve(target.host, target.port));
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
        if (!target.tls) co_return co_await ask(socket, std::move(request));

        asio::ssl::stream<tcp::socket> stream(std::move(socket), what.verify ? strict_ : trusting_);
        if (!is_address(target.name)) SSL_set_tlsext_host_name(stream.native_handle(), target.name.c_str());
        if (what.verify) stream.set_verify_callback(asio::ssl::host_name_verification(target.name));
        const auto [untrusted] = co_await stream.async_handshake(asio::ssl::stream_base::client, no_throw);
        leave_if_cancelled(untrusted);
        if (untrusted) co_return unreachable("TLS is refused: " + untrusted.message());
        co_return co_await ask(stream, std::move(request));
    }

    /// The answer's status; whatever follows its head is left unread.
    template <class Stream>
    static awaitable<Result<unsigned>> ask(Stream& stream, Head request) {
        const auto [unsent, sent] = co_await http::async_write(stream, request, no_throw);
        leave_if_cancelled(unsent);
        if (unsent) co_return unreachable("the connection broke: " + unsent.message());
        boost::beast::flat_buffer buffer;
        http::response_parser<http::empty_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max));
        const auto [unread, read] = co_await http::async_read_header(stream, buffer, parser, no_throw);
        leave_if_cancelled(unread);
        if (unread) co_return unreachable("no answer in HTTP: " + unread.message());
        co_return parser.get().result_int();
    }

    awaitable<Result<Endpoints>> resolve(std::string host, std::string port) {
        const auto waiting = std::make_shared<Waiting>();  // the resolver's thread knows it weakly
        look_up(host, port, [door = door_, weak = std::weak_ptr(waiting)](const Result<const addrinfo*>& list) {
            auto found = endpoints_of(list);
            door->deliver([weak, found = std::move(found)] {
                const auto asker = weak.lock();
                if (!asker) return;
                asker->found = found;
                asker->done.notify();
            });
        });
        while (!waiting->found) co_await waiting->done.wait();
        co_return std::move(*waiting->found);
    }

    asio::any_io_executor loop_;
    Clock& clock_;
    std::shared_ptr<Door> door_;  // shared with the resolver's threads
    asio::ssl::context strict_{asio::ssl::context::tls_client}, trusting_{asio::ssl::context::tls_client};
};

}  // namespace

std::unique_ptr<Fetcher> make_fetcher(asio::any_io_executor loop, Clock& clock) {
    return std::make_unique<BeastFetcher>(std::move(loop), clock);
}

Result<void> check_fetch(const std::string& url, const std::string& connect_to) {
    auto parsed = parse(url, connect_to);
    if (!parsed) return std::move(parsed).error();
    return {};
}

}  // namespace ocim::net
