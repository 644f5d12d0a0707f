#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/http_client.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <string>

namespace ocim::net {

/// Whom we trust, and who we are, in TLS.
struct TlsIdentity {
    std::string ca_certificate{};  ///< PEM: the only authorities that are trusted
    std::string certificate{};     ///< PEM: who we are; empty: nobody by certificate
    Secret private_key{};          ///< PEM, of the certificate
    std::string server_name{};     ///< whose certificate is wanted; empty: that of the URL's host
    bool operator==(const TlsIdentity&) const = default;
};

struct HttpsRequest {
    std::string method = "GET";
    std::string target{};  ///< path and query, percent-encoded already; appended to the client's base URL
    std::map<std::string, std::string> headers{};
    Secret bearer_token{};  ///< empty: none
    std::string body{};
    std::string content_type = "application/json";  ///< of a body that is not empty
    Duration timeout{30'000};                       ///< of a whole send(), or until the head of what open() opens
};

/// The body of an answer that is read as it comes, such as a log that grows. The loop's.
class HttpsStream {
public:
    virtual ~HttpsStream() = default;
    virtual unsigned status() const = 0;
    /// As HttpReply::headers.
    virtual const std::map<std::string, std::string>& headers() const = 0;
    /// Its next part; "" at its end. Bounds no time of its own; after a cancelled read nothing more can be read.
    /// Error: unreachable when it was cut off.
    virtual awaitable<Result<std::string>> next() = 0;
};

/// One server that is spoken to over TLS, with connections that are kept for the next request. For the services of
/// others see http_client.hpp: this one knows certificates of ours, and answers that do not end. Lives on the loop
/// thread; a cancelled call takes its connection with it. Every call is counted in rest_client_requests_total.
class HttpsClient {
public:
    virtual ~HttpsClient() = default;
    /// Any status is a reply. Errors: unreachable (no connection, TLS refused; with outcome_unknown once it was sent
    /// and no whole answer came). A GET is sent again when a kept connection proves dead.
    virtual awaitable<Result<HttpReply>> send(HttpsRequest request) = 0;
    /// On a connection of its own. Errors: as send().
    virtual awaitable<Result<std::unique_ptr<HttpsStream>>> open(HttpsRequest request) = 0;
};

/// `clock` and `metrics` must outlive it. Error: invalid for a URL that is not https, or a PEM that cannot be used.
Result<std::unique_ptr<HttpsClient>> make_https_client(boost::asio::any_io_executor loop, Clock& clock,
                                                       Metrics& metrics, const std::string& base_url,
                                                       const TlsIdentity& identity);

}  // namespace ocim::net
