#pragma once

#include "net/http_server.hpp"

#include <openssl/types.h>

/// The server's side of TLS in OpenSSL's own terms; room-internal.
namespace ocim::net {

struct FreeContext {
    void operator()(SSL_CTX* context) const;
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

/// TLS 1.2 and 1.3, ALPN http/1.1 only. No session is ever resumed: a client certificate is checked at each
/// handshake. Error: invalid when a PEM cannot be read.
Result<TlsContext> make_server_context(const TlsSettings& settings);

/// Who the client is by the certificate it showed; its chain was verified in the handshake. Nothing when it showed
/// none, one that was not found good, or one whose subject does not name exactly one common name.
std::optional<PeerCertificate> peer_of(const SSL* connection);
/// Whether it showed one at all.
bool shows_certificate(const SSL* connection);

}  // namespace ocim::net
