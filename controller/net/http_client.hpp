#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <string>

namespace ocim::net {

struct HttpRequest {
    std::string method = "GET";
    /// Path and query, percent-encoded already; appended to the client's base URL.
    std::string target{};
    std::map<std::string, std::string> headers{};
    /// Headers that must not be shown (Authorization, X-API-Key).
    std::map<std::string, Secret> secret_headers{};
    std::string body{};
    std::string content_type = "application/json";
    /// Must not happen twice: goes on a fresh connection, because a pooled one may replay it unseen.
    /// A POST always does.
    bool once = false;
};

struct HttpReply {
    unsigned status = 0;
    std::map<std::string, std::string> headers{};  ///< names in lower case
    std::string body{};
};

/// Calls one outside HTTP service. Redirects are not followed. Lives on the loop thread; the work happens on
/// threads of the library below. Every call is counted in rest_client_requests_total{code,method,host} and timed.
class HttpClient {
public:
    virtual ~HttpClient() = default;
    /// Any status is a reply. Errors: unreachable (refused, no route, name unknown, TLS refused, or, with
    /// outcome_unknown, a reply over limits::reply_bytes_max, which no service of ours gives), transient with
    /// outcome_unknown (cut off or too late after sending), invalid (the request cannot be put on the wire as it is).
    virtual awaitable<Result<HttpReply>> send(HttpRequest request) = 0;
};

struct HttpSettings {
    std::string base_url;          ///< "https://dns.example.com:8443/prefix"
    std::string ca_certificate{};  ///< PEM; empty: the system's
    Duration timeout{30'000};
};

/// `clock` and `metrics` must outlive it. Destroying it drops the replies that are still to come.
/// Error: invalid for a URL that is not http or https, holds a user name, or whose host is an IPv6 address.
Result<std::unique_ptr<HttpClient>> make_http_client(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                                     HttpSettings settings);

/// The only place where an HTTP status becomes an ErrorClass; a service's own table comes first where it has one.
ErrorClass class_of(unsigned status);
/// Retry-After in either form, seen at `now`; at most limits::retry_after_max.
std::optional<Duration> retry_after(const HttpReply& reply, WallTime now);
/// Nothing for 2xx; else the class of the status and the first 300 bytes of the body, made printable. What a
/// server says goes into conditions and logs: a call whose reply may repeat a secret needs a message of its own.
Result<void> expect_success(const HttpReply& reply, WallTime now);
/// One path segment or query value, percent-encoded completely.
std::string percent_encode(std::string_view text);

}  // namespace ocim::net
