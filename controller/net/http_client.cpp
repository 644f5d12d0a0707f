#include "net/http_client.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "net/http_request.hpp"
#include "net/lookup.hpp"

#include <cpprest/http_client.h>
#include <openssl/ssl.h>
#include <pplx/threadpool.h>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace ocim::net {

namespace {

namespace asio = boost::asio;
namespace http = web::http;
using std::chrono_literals::operator""s;

/// What the library's threads and the coroutine share. Any thread.
struct Call {
    pplx::cancellation_token_source stop;
    /// The request's head has been handed to the kernel: from here on the peer may act on it.
    std::atomic<bool> sent = false;
};

/// Where the coroutine waits. Lives and dies on the loop thread; other threads only carry a weak pointer.
template <class T>
struct Waiting {
    Signal done;
    std::optional<Result<T>> result;
};

/// The way back to the loop, shut when the client goes: what comes later is dropped.
class Door {
public:
    explicit Door(asio::any_io_executor loop) : loop_(std::move(loop)) {}

    template <class T>
    void deliver(std::weak_ptr<Waiting<T>> to, Result<T> result) {
        const std::lock_guard lock(mutex_);
        if (!open_) return;
        asio::post(loop_, [to = std::move(to), result = std::move(result)]() mutable {
            const auto waiting = to.lock();
            if (!waiting) return;
            waiting->result.emplace(std::move(result));
            waiting->done.notify();
        });
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

struct ReplyTooLarge : std::exception {
    const char* what() const noexcept override { return "reply too large"; }
};

/// A request that cannot be put on the wire as it was meant is not sent at all.
Result<void> check(const HttpRequest& request) {
    auto out = wire::check_request(request.method, request.target);
    if (out) out = wire::check_header("Content-Type", request.content_type);
    for (const auto& [name, value] : request.headers)
        if (out) out = wire::check_header(name, value);
    for (const auto& [name, value] : request.secret_headers)
        if (out) out = wire::check_header(name, value.reveal());
    return out;
}

http::http_request to_library(const HttpRequest& request, const std::string& prefix, std::shared_ptr<Call> call) {
    http::http_request out(request.method);
    out.set_request_uri(web::uri(prefix + request.target));
    // Its arguments are evaluated on the library's threads, between two reads: the one place to bound a reply.
    out.set_progress_handler([call](http::message_direction::direction way, utility::size64_t bytes) {
        if (way == http::message_direction::upload) call->sent = true;
        if (way == http::message_direction::download && bytes > limits::reply_bytes_max) throw ReplyTooLarge();
    });
    if (!request.body.empty()) out.set_body(request.body, request.content_type);
    auto& headers = out.headers();
    for (const auto& [name, value] : request.headers) headers[name] = value;
    for (const auto& [name, value] : request.secret_headers) headers[name] = value.reveal();
    if (!headers.has("User-Agent")) headers.add("User-Agent", "ocim");
    return out;
}

HttpReply from_library(const http::http_response& response, const std::vector<unsigned char>& body) {
    HttpReply reply;
    reply.status = response.status_code();
    for (const auto& [name, value] : response.headers()) {
        std::string lower = name;
        std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
        reply.headers.emplace(std::move(lower), value);
    }
    reply.body.assign(body.begin(), body.end());
    return reply;
}

/// The library gives the number of an OpenSSL or a system error without saying which.
std::string reason_of(const http::http_exception& error) {
    const std::string what = error.what();
    if (what.find("SSL") != std::string::npos) {
        const boost::system::error_code code(error.error_code().value(), asio::error::get_ssl_category());
        return "TLS is refused: " + code.message();
    }
    if (what.find("Error resolving") != std::string::npos) return "its name is unknown";
    if (what.find("Failed to connect") != std::string::npos)
        return "nothing accepts connections there: is it running, is the address right, does a firewall refuse it?";
    return one_line(what, 300);
}

Error failure(const Call& call, std::string reason) {
    if (!call.sent) return {ErrorClass::unreachable, std::move(reason)};
    Error error{ErrorClass::transient, std::move(reason)};
    error.outcome_unknown = true;
    return error;
}

Result<HttpReply> result_of(const pplx::task<HttpReply>& task, const Call& call) {
    try {
        return task.get();
    } catch (const ReplyTooLarge&) {
        Error error{ErrorClass::unreachable,
                    "the reply is larger than " + std::to_string(limits::reply_bytes_max >> 20U) + " MiB"};
        error.outcome_unknown = true;
        return error;
    } catch (const http::http_exception& error) {
        return failure(call, reason_of(error));
    } catch (const std::exception& error) { return failure(call, error.what()); }
}

http::client::http_client_config config_of(const HttpSettings& settings) {
    http::client::http_client_config config;
    // Following a redirect inside the library is a data race, and would carry our credentials to another host.
    config.set_max_redirects(0);
    // Our own deadlines come first; this one only ends what was abandoned.
    config.set_timeout(settings.timeout + 5s);
    config.set_ssl_context_callback([pem = settings.ca_certificate](asio::ssl::context& context) {
        SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
        if (pem.empty()) return;
        // The library has put the system's authorities in already; a pinned one replaces them.
        SSL_CTX_set_cert_store(context.native_handle(), X509_STORE_new());
        context.add_certificate_authority(asio::buffer(pem));
    });
    return config;
}

/// Stops the call if the coroutine that awaits it is cancelled.
class StopOnLeave {
public:
    explicit StopOnLeave(std::shared_ptr<Call> call) : call_(std::move(call)) {}
    StopOnLeave(const StopOnLeave&) = delete;
    StopOnLeave& operator=(const StopOnLeave&) = delete;
    ~StopOnLeave() { call_->stop.cancel(); }

private:
    std::shared_ptr<Call> call_;  // shared with the library's threads
};

struct Address {
    std::string origin;  ///< scheme://host[:port]
    std::string host;    ///< host[:port], for people and metrics
    std::string name;    ///< the host alone
    std::string prefix;  ///< "" or "/path" without a slash at its end
};

class CpprestClient final : public HttpClient {
public:
    CpprestClient(asio::any_io_executor loop, Clock& clock, Metrics& metrics, HttpSettings settings, Address address)
        : clock_(clock),
          metrics_(metrics),
          timeout_(settings.timeout),
          address_(std::move(address)),
          config_(config_of(settings)),
          loop_(loop),
          door_(std::make_shared<Door>(std::move(loop))) {
        renew();
        requests("<error>", "GET");
    }
    ~CpprestClient() override { door_->shut(); }
    CpprestClient(const CpprestClient&) = delete;
    CpprestClient& operator=(const CpprestClient&) = delete;

    awaitable<Result<HttpReply>> send(HttpRequest request) override {
        const auto begin = clock_.now();
        const std::string method = metric_method(request.method);
        auto work = exchange(std::move(request), begin);
        auto reply = co_await std::move(work);
        const std::chrono::duration<double> took = clock_.now() - begin;
        requests(reply ? std::to_string(reply->status) : "<error>", method).Increment();
        seconds(method).Observe(took.count());
        if (reply) co_return reply;
        co_return std::move(reply).error().within(address_.host);
    }

private:
    awaitable<Result<HttpReply>> exchange(HttpRequest request, Instant begin) {
        CO_CHECK(check(request));
        const auto call = std::make_shared<Call>();
        const auto waiting = std::make_shared<Waiting<HttpReply>>();
        const StopOnLeave stop(call);
        const OutsideWork outside(loop_);
        const Instant reply_due = begin + timeout_;
        const Instant connection_due = std::min<Instant>(reply_due, begin + limits::connect_max);
        CO_CHECK(co_await find_name(connection_due));
        CO_CHECK(start(request, call, waiting));

        co_await result_or(connection_due, waiting);
        const Instant due = call->sent ? reply_due : connection_due;
        co_await result_or(due, waiting);
        if (waiting->result) co_return settled(std::move(*waiting->result));

        // Too late. Stop it, and see it end before saying whether it was sent: a request that leaves between
        // our last look and our going would otherwise be taken for one that never did.
        call->stop.cancel();
        const Instant patience = clock_.now() + 1s;
        co_await result_or(patience, waiting);
        const bool never_sent = waiting->result && !call->sent;
        const auto waited = std::chrono::duration_cast<Duration>((call->sent ? reply_due : connection_due) - begin);
        const std::string milliseconds = std::to_string(waited.count()) + " ms";
        if (never_sent || !call->sent) {
            Error error{ErrorClass::unreachable, "no connection within " + milliseconds};
            error.outcome_unknown = !never_sent;
            co_return error;
        }
        co_return failure(*call, "no reply within " + milliseconds);
    }

    /// The library looks up all names on one thread: one that nobody answers for would hold up the connections to
    /// all others. So it is asked only for a name that was found a moment ago.
    awaitable<Result<void>> find_name(Instant deadline) {
        const auto begin = clock_.now();
        if (is_address(address_.name) || begin < name_known_until_) co_return Result<void>();
        const auto waiting = std::make_shared<Waiting<void>>();
        look_up(address_.name, "", [door = door_, weak = std::weak_ptr(waiting)](Result<const addrinfo*> found) {
            door->deliver(weak, found ? Result<void>() : Result<void>(found.error()));
        });
        co_await result_or(deadline, waiting);
        if (!waiting->result) co_return Error(Error{ErrorClass::unreachable, "its name was not found in time"});
        if (*waiting->result) name_known_until_ = clock_.now() + 30s;
        co_return *waiting->result;
    }

    template <class T>
    awaitable<void> result_or(Instant deadline, std::shared_ptr<Waiting<T>> waiting) {
        while (!waiting->result) {
            const bool notified = co_await waiting->done.wait_until(clock_, deadline);
            if (!notified) co_return;
        }
    }

    Result<void> start(const HttpRequest& request, std::shared_ptr<Call> call,
                       std::weak_ptr<Waiting<HttpReply>> waiting) {
        try {
            auto message = to_library(request, address_.prefix, call);
            // On a pooled connection that turns out to be closed the library sends a request again by itself,
            // whatever its method. A client of its own has no pool to take a connection from.
            const bool fresh = request.once || request.method == "POST";
            auto client = fresh ? std::make_shared<http::client::http_client>(address_.origin, config_) : client_;
            client->request(message, call->stop.get_token())
                .then([](const http::http_response& response) {
                    auto body = response.extract_vector();
                    return body.then(
                        [response](const std::vector<unsigned char>& bytes) { return from_library(response, bytes); });
                })
                .then([call, waiting, door = door_](const pplx::task<HttpReply>& task) {
                    door->deliver(waiting, result_of(task, *call));
                });
            return {};
        } catch (const std::exception& error) {
            return Error{ErrorClass::invalid, std::string("the request cannot be made: ") + error.what()};
        }
    }

    Result<HttpReply> settled(Result<HttpReply> reply) {
        if (!reply || reply->status >= 200) return reply;
        // The library takes an interim reply for the reply; what follows it must not be read as the next one's.
        renew();
        Error error{ErrorClass::transient, "answered " + std::to_string(reply->status) + " unasked"};
        error.outcome_unknown = true;
        return error;
    }

    void renew() { client_ = std::make_shared<http::client::http_client>(address_.origin, config_); }

    static std::string metric_method(const std::string& method) {
        constexpr std::array known{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
        return std::ranges::find(known, method) != known.end() ? method : "other";
    }
    prometheus::Counter& requests(const std::string& code, const std::string& method) {
        return metrics_.counter("rest_client_requests_total",
                                "Number of HTTP requests, partitioned by status code, method, and host.",
                                {{"code", code}, {"method", method}, {"host", address_.host}});
    }
    prometheus::Histogram& seconds(const std::string& verb) {
        return metrics_.histogram("rest_client_request_duration_seconds",
                                  "Request latency in seconds, broken down by verb and host.",
                                  {{"verb", verb}, {"host", address_.host}});
    }

    Clock& clock_;
    Metrics& metrics_;
    Duration timeout_;
    Address address_;
    http::client::http_client_config config_;
    asio::any_io_executor loop_;
    std::shared_ptr<http::client::http_client> client_;  // shared with nobody: a `once` call has one of its own
    Instant name_known_until_{};
    std::shared_ptr<Door> door_;  // shared with the library's threads
};

Result<Address> parse_address(const std::string& text) {
    const auto invalid = [](std::string what) { return Error{ErrorClass::invalid, "url: " + std::move(what)}; };
    try {
        const web::uri url(text);
        if (url.scheme() != "http" && url.scheme() != "https") return invalid("must start with http:// or https://");
        if (!url.user_info().empty()) return invalid("must not hold a user name; put credentials in the Secret");
        if (url.host().empty() || url.host().front() == ':') return invalid("names no host");
        if (url.host().front() == '[') return invalid("an IPv6 address is not supported here; use a host name");
        if (!url.query().empty() || !url.fragment().empty()) return invalid("must not hold a query or a fragment");
        if (url.port() > 65535) return invalid("the port is out of range");
        Address address;
        address.host = url.host() + (url.is_port_default() ? "" : ":" + std::to_string(url.port()));
        address.name = url.host();
        address.origin = url.scheme() + "://" + address.host;
        address.prefix = url.path();
        while (address.prefix.ends_with('/')) address.prefix.pop_back();
        return address;
    } catch (const std::exception&) { return invalid("is not a URL"); }
}

}  // namespace

Result<std::unique_ptr<HttpClient>> make_http_client(asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                                     HttpSettings settings) {
    // The library's default is 40 threads. They only shuffle bytes: two are plenty.
    static std::once_flag threads_chosen;
    std::call_once(threads_chosen, [] { crossplat::threadpool::initialize_with_threads(2); });

    auto address = parse_address(settings.base_url);
    if (!address) return std::move(address).error();
    try {
        return std::unique_ptr<HttpClient>(
            std::make_unique<CpprestClient>(std::move(loop), clock, metrics, std::move(settings), *std::move(address)));
    } catch (const std::exception& error) {  // of what it takes for a URL itself it does not make a client always
        return Error{ErrorClass::invalid, std::string("url: ") + error.what()};
    }
}

}  // namespace ocim::net
