#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace ocim::net {

/// The certificate a client showed, checked against our CA.
struct PeerCertificate {
    std::string common_name;
    std::vector<std::string> organizations;
    WallTime not_after = WallTime::max();   ///< a connection may outlive it
    WallTime not_before = WallTime::min();  ///< tells which of a name's certificates it is
};

struct ServerRequest {
    std::string method;
    std::string path;                                 ///< before '?', still percent-encoded, starts with '/'
    std::string query;                                ///< after '?'
    std::multimap<std::string, std::string> headers;  ///< names in lower case
    std::string body;
    std::optional<PeerCertificate> peer;
    bool peer_refused = false;  ///< a certificate was shown that is no good: expired, or not of our CA
    std::string remote_address;

    /// The header's first value, or "".
    std::string_view header(const std::string& lower_case_name) const;
};

struct ServerReply {
    unsigned status = 200;
    std::multimap<std::string, std::string> headers{};
    std::string body{};
};

/// What a handler says through: one plain reply, or a stream of chunks.
class Responder {
public:
    virtual ~Responder() = default;
    virtual awaitable<void> reply(ServerReply reply) = 0;
    /// Sends the status line and headers at once; then each write is one chunk, flushed. A stream whose handler
    /// leaves without finish() is broken off, so that its reader cannot take it for complete.
    virtual awaitable<void> start_stream(unsigned status, std::multimap<std::string, std::string> headers) = 0;
    /// False when the client has gone or reads too slowly (it is then cut off).
    virtual awaitable<bool> write(std::string chunk) = 0;
    virtual awaitable<void> finish() = 0;
    /// One chunk of a stream without waiting. False when it cannot be now, and nothing was sent: write() it then.
    virtual bool write_now(std::string_view) { return false; }
};

/// One request. Cancelled when the client goes (a plain request within a second of that, a stream at once) or the
/// server stops. Must reply exactly once. An exception that leaves it is logged and answered with 500.
using Handler = std::function<awaitable<void>(ServerRequest request, Responder& responder)>;

struct TlsSettings {
    std::string certificate;  ///< PEM chain
    Secret private_key;       ///< PEM
    std::string client_ca{};  ///< PEM: client certificates are asked for (not required) and checked against it
};

struct ServerSettings {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    std::optional<TlsSettings> tls{};
    std::size_t connections_max = 4096;
    Duration request_timeout{60'000};  ///< to read one request; streams may live longer
    /// A client that has not taken what it was sent after this and a time for its size is cut off.
    Duration write_stall = limits::write_stall_max;
    /// Makes the reply to what never reaches the handler: 400, 408, 413, 417, 431, 500 and 503, with the reason in
    /// plain words. Empty: the reason as text/plain.
    std::function<ServerReply(unsigned status, std::string_view reason)> refusal{};
};

/// HTTP/1.1 with keep-alive. Bounds: limits::header_bytes_max, body_bytes_max (413), connections.
class HttpServer {
public:
    virtual ~HttpServer() = default;
    virtual std::uint16_t port() const = 0;
    /// Shows new connections another certificate; those that are open keep the one they saw. Error: invalid, as in
    /// serve(), and nothing is changed.
    virtual Result<void> renew(const TlsSettings& tls) = 0;
    /// Takes no new connection or request, lets requests in flight end until `deadline`, then cuts. A stream that
    /// does not end by itself lasts until the deadline. Must be awaited before the server is destroyed.
    virtual awaitable<void> stop(Instant deadline) = 0;
};

/// Listens and serves, everything on `loop`. `clock` must outlive the server. Errors: conflict when the address is
/// taken, invalid when it is no address or the certificate, key or CA cannot be read.
Result<std::unique_ptr<HttpServer>> serve(boost::asio::any_io_executor loop, Clock& clock, ServerSettings settings,
                                          Handler handler);

}  // namespace ocim::net
