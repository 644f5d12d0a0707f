#include "net/server_tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace ocim::net {

namespace {

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free_all(bio); }
};
struct FreeX509 {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using OwnedX509 = std::unique_ptr<X509, FreeX509>;

Error invalid(std::string what) {
    ERR_clear_error();
    return {ErrorClass::invalid, "tls: " + std::move(what)};
}

std::vector<OwnedX509> certificates_in(const std::string& pem) {
    const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::vector<OwnedX509> out;
    while (X509* const one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) out.emplace_back(one);
    ERR_clear_error();
    return out;
}

int no_passphrase(char*, int, int, void*) { return -1; }

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
    static constexpr std::array<unsigned char, 9> ours{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    // RFC 7301, 3.2: a client that offers only what we do not speak is told so.
    if (SSL_select_next_proto(&chosen, out_size, ours.data(), ours.size(), in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

Result<void> use_identity(SSL_CTX* context, const TlsSettings& settings) {
    auto chain = certificates_in(settings.certificate);
    if (chain.empty()) return invalid("the certificate is not PEM");
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) return invalid("the certificate is refused");
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return invalid("the chain is refused");
    const auto& text = settings.private_key.reveal();
    const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    const std::unique_ptr<EVP_PKEY, FreeKey> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) return invalid("the private key is not PEM, or has a passphrase");
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
        return invalid("the private key is not the certificate's");
    return {};
}

int verify_and_go_on(X509_STORE_CTX* chain, void*) {
    if (X509_verify_cert(chain) != 1 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
        X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
    return 1;
}

Result<void> ask_for_clients(SSL_CTX* context, const std::string& pem) {
    const auto authorities = certificates_in(pem);
    if (authorities.empty()) return invalid("the clients' CA is not PEM");
    for (const auto& authority : authorities) {
        // The names are sent too: a client with several certificates chooses by them.
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
            SSL_CTX_add_client_CA(context, authority.get()) != 1)
            return invalid("the clients' CA is refused");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    // A client whose certificate is no good is told so by HTTP, which people can read: the handshake goes on, and
    // the verdict stays in SSL_get_verify_result.
    SSL_CTX_set_cert_verify_callback(context, verify_and_go_on, nullptr);
    return {};
}

/// All values of one attribute, or nothing when one of them is not plain text.
std::optional<std::vector<std::string>> values_of(const X509_NAME* name, int nid) {
    std::vector<std::string> out;
    int at = -1;
    while ((at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0) {
        unsigned char* text = nullptr;
        const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        if (size < 0) return std::nullopt;
        std::string value(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
        OPENSSL_free(text);
        // "admin\0.example" must not pass for "admin" anywhere further on.
        for (const char c : value)
            if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) return std::nullopt;
        out.push_back(std::move(value));
    }
    return out;
}

std::optional<WallTime> wall_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    return WallTime(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

void FreeContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

Result<TlsContext> make_server_context(const TlsSettings& settings) {
    TlsContext context(SSL_CTX_new(TLS_server_method()));
    if (!context) return Error{ErrorClass::transient, "tls: no memory for a context"};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    // 4096 idle connections must not hold 34 KiB of buffers each.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
    if (auto used = use_identity(context.get(), settings); !used) return std::move(used).error();
    if (settings.client_ca.empty()) return context;
    if (auto asked = ask_for_clients(context.get(), settings.client_ca); !asked) return std::move(asked).error();
    return context;
}

std::optional<PeerCertificate> peer_of(const SSL* connection) {
    const X509* const certificate = SSL_get0_peer_certificate(connection);
    if (certificate == nullptr || SSL_get_verify_result(connection) != X509_V_OK) return std::nullopt;
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const auto names = values_of(subject, NID_commonName);
    const auto organizations = values_of(subject, NID_organizationName);
    if (!names || !organizations || names->size() != 1 || names->front().empty()) return std::nullopt;
    const auto expires = wall_time(X509_get0_notAfter(certificate));
    const auto begins = wall_time(X509_get0_notBefore(certificate));
    if (!expires || !begins) return std::nullopt;
    return PeerCertificate{names->front(), *organizations, *expires, *begins};
}

bool shows_certificate(const SSL* connection) { return SSL_get0_peer_certificate(connection) != nullptr; }

}  // namespace ocim::net
