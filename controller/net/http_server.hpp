#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace ocim::net {

/// The certificate a client showed, checked against our CA.
struct PeerCertificate {
    std::string common_name;
    std::vector<std::string> organizations;
};

struct ServerRequest {
    std::string method;
    std::string path;                                 ///< before '?', still percent-encoded, starts with '/'
    std::string query;                                ///< after '?'
    std::multimap<std::string, std::string> headers;  ///< names in lower case
    std::string body;
    std::optional<PeerCertificate> peer;
    std::string remote_address;

    /// The header's first value, or "".
    std::string_view header(const std::string& lower_case_name) const;
};

struct ServerReply {
    unsigned status = 200;
    std::multimap<std::string, std::string> headers;
    std::string body;
};

/// What a handler says through: one plain reply, or a stream of chunks.
class Responder {
public:
    virtual ~Responder() = default;
    virtual awaitable<void> reply(ServerReply reply) = 0;
    /// Sends the status line and headers at once; then each write is one chunk, flushed.
    virtual awaitable<void> start_stream(unsigned status, std::multimap<std::string, std::string> headers) = 0;
    /// False when the client has gone or reads too slowly (it is then cut off).
    virtual awaitable<bool> write(std::string chunk) = 0;
    virtual awaitable<void> finish() = 0;
};

/// One request. Cancelled when the client goes or the server stops. Must reply exactly once.
using Handler = std::function<awaitable<void>(ServerRequest request, Responder& responder)>;

struct TlsSettings {
    std::string certificate;  ///< PEM chain
    Secret private_key;       ///< PEM
    std::string client_ca;    ///< PEM: client certificates are asked for (not required) and checked against it
};

struct ServerSettings {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    std::optional<TlsSettings> tls;
    std::size_t connections_max = 4096;
    Duration request_timeout{60'000};  ///< to read one request; streams may live longer
};

/// HTTP/1.1 with keep-alive. Bounds: limits::header_bytes_max, body_bytes_max (413), connections.
class HttpServer {
public:
    virtual ~HttpServer() = default;
    virtual std::uint16_t port() const = 0;
    /// Takes no new connection or request, lets requests in flight end until `deadline`, then cuts.
    virtual awaitable<void> stop(Instant deadline) = 0;
};

/// Listens and serves. Error: conflict when the address is taken, naming it.
Result<std::unique_ptr<HttpServer>> serve(boost::asio::any_io_executor loop, Clock& clock, ServerSettings settings,
                                          Handler handler);

}  // namespace ocim::net
