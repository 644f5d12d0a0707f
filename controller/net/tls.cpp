#include "net/tls.hpp"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

namespace ocim::net {

namespace {

template <class T, void (*Free)(T*)>
struct Freed {
    void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freed<T, Free>>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedCertificate = Owned<X509, X509_free>;
using OwnedBio = Owned<BIO, BIO_free_all>;

/// The machine is at fault (no memory, no randomness), or a text that does not fit a certificate.
Error openssl_error(std::string_view what) {
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_get_error(), text.data(), text.size());
    ERR_clear_error();
    return {ErrorClass::transient, std::string(what) + ": " + text.data()};
}

Error invalid(std::string what) { return {ErrorClass::invalid, std::move(what)}; }

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

Result<Secret> private_pem(EVP_PKEY* key) {
    const OwnedBio bio(BIO_new(BIO_s_secmem()));
    if (!bio || PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return openssl_error("writing a private key");
    return Secret(text_of(bio.get()));
}

Result<std::string> certificate_pem(X509* certificate) {
    const OwnedBio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return openssl_error("writing a certificate");
    return text_of(bio.get());
}

Result<OwnedCertificate> read_certificate(const std::string& pem) {
    const OwnedBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    OwnedCertificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate) return certificate;
    ERR_clear_error();
    return invalid("not a certificate in PEM");
}

/// No terminal is ever asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

Result<OwnedKey> read_key(const Secret& pem) {
    const auto& text = pem.reveal();
    const OwnedBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (key) return key;
    ERR_clear_error();
    return invalid("not a private key in PEM, or one with a passphrase");
}

/// X.520's bounds: what is longer is cut off or refused by one reader or another.
bool fits_a_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F; });
}

bool add_to_name(X509_NAME* name, int nid, std::string_view text) {
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()), -1, 0) == 1;
}

/// `value` is one of our own constants; what others say never meets OpenSSL's configuration syntax.
bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_alternative(GENERAL_NAMES* names, int type, const unsigned char* data, std::size_t size) {
    Owned<ASN1_STRING, ASN1_STRING_free> text(type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new());
    Owned<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
    if (!text || !name || ASN1_STRING_set(text.get(), data, static_cast<int>(size)) != 1) return false;
    GENERAL_NAME_set0_value(name.get(), type, text.release());
    return sk_GENERAL_NAME_push(names, name.release()) > 0;
}

Result<void> add_alternatives(X509* certificate, const CertificateRequest& request) {
    const Owned<GENERAL_NAMES, GENERAL_NAMES_free> names(GENERAL_NAMES_new());
    bool ok = names != nullptr;
    for (const auto& name : request.dns_names) {
        const bool plain = !name.empty() && name.size() <= 253 &&
                           std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != '\\'; });
        if (!plain) return invalid("not a DNS name for a certificate");
        ok = ok &&
             add_alternative(names.get(), GEN_DNS, reinterpret_cast<const unsigned char*>(name.data()), name.size());
    }
    for (const auto& text : request.ip_addresses) {
        std::array<unsigned char, 16> address{};
        std::size_t size = 0;
        if (::inet_pton(AF_INET, text.c_str(), address.data()) == 1) size = 4;
        if (size == 0 && ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) size = 16;
        if (size == 0) return invalid("not an IP address for a certificate");
        ok = ok && add_alternative(names.get(), GEN_IPADD, address.data(), size);
    }
    if (!ok || X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1)
        return openssl_error("adding names to a certificate");
    return {};
}

/// 159 random bits: unique without a register, positive, and within the 20 bytes of RFC 5280.
bool set_random_serial(X509* certificate) {
    const Owned<BIGNUM, BN_free> number(BN_new());
    return number && BN_rand(number.get(), 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

std::time_t seconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

/// Everything but names and extensions. Valid from five minutes ago: clocks differ.
Result<OwnedCertificate> blank(EVP_PKEY* key, WallTime now, std::chrono::seconds valid_for,
                               WallTime not_before_min = WallTime::min()) {
    OwnedCertificate certificate(X509_new());
    const auto start = std::max(seconds_of(now) - 300, seconds_of(not_before_min));
    const bool ok = certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                    set_random_serial(certificate.get()) && X509_set_pubkey(certificate.get(), key) == 1 &&
                    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), start) != nullptr &&
                    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds_of(now + valid_for)) != nullptr;
    if (!ok) return openssl_error("making a certificate");
    return certificate;
}

Result<KeyPair> signed_pair(X509* certificate, EVP_PKEY* key, EVP_PKEY* signer) {
    if (X509_sign(certificate, signer, EVP_sha256()) == 0) return openssl_error("signing a certificate");
    auto pem = certificate_pem(certificate);
    if (!pem) return std::move(pem).error();
    auto secret = private_pem(key);
    if (!secret) return std::move(secret).error();
    return KeyPair{*std::move(pem), *std::move(secret)};
}

Result<std::time_t> expiry_of(const X509* certificate) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) {
        ERR_clear_error();
        return invalid("the certificate's time of expiry is malformed");
    }
    return ::timegm(&parts);
}

Result<void> check_names(const CertificateRequest& request) {
    if (!fits_a_name(request.common_name))
        return invalid("a certificate's common name has 1 to 64 bytes and no control character");
    for (const auto& organization : request.organizations)
        if (!fits_a_name(organization))
            return invalid("a certificate's organization has 1 to 64 bytes and no control character");
    if (request.server && request.dns_names.empty() && request.ip_addresses.empty())
        return invalid("a server's certificate needs a DNS name or an IP address");
    return {};
}

}  // namespace

Result<KeyPair> make_ca(std::string_view common_name, WallTime now) {
    if (!fits_a_name(common_name))
        return invalid("a certificate's common name has 1 to 64 bytes and no control character");
    const OwnedKey key(EVP_EC_gen("P-256"));
    if (!key) return openssl_error("making a key");
    auto certificate = blank(key.get(), now, std::chrono::years{10});
    if (!certificate) return std::move(certificate).error();
    X509* const ca = certificate->get();
    const bool ok = add_to_name(X509_get_subject_name(ca), NID_commonName, common_name) &&
                    X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 &&
                    add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(ca, ca, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") &&
                    add_extension(ca, ca, NID_subject_key_identifier, "hash");
    if (!ok) return openssl_error("making a CA");
    return signed_pair(ca, key.get(), key.get());
}

Result<KeyPair> issue_certificate(const KeyPair& ca, const CertificateRequest& request, WallTime now) {
    if (auto named = check_names(request); !named) return std::move(named).error();
    const auto issuer = read_certificate(ca.certificate);
    if (!issuer) return Error(issuer.error()).within("CA");
    const auto signer = read_key(ca.private_key);
    if (!signer) return Error(signer.error()).within("CA");
    if (X509_check_private_key(issuer->get(), signer->get()) != 1) {
        ERR_clear_error();
        return invalid("CA: the key is not the certificate's");
    }
    // Nothing is valid for longer than what vouches for it.
    const auto ca_expiry = expiry_of(issuer->get());
    if (!ca_expiry) return Error(ca_expiry.error()).within("CA");
    const std::chrono::seconds left{*ca_expiry - seconds_of(now)};
    if (left.count() <= 0) return invalid("CA: expired");

    const OwnedKey key(EVP_EC_gen("P-256"));
    if (!key) return openssl_error("making a key");
    auto certificate =
        blank(key.get(), now, std::min<std::chrono::seconds>(request.valid_for, left), request.not_before_min);
    if (!certificate) return std::move(certificate).error();
    X509* const leaf = certificate->get();
    X509_NAME* const subject = X509_get_subject_name(leaf);
    bool ok = true;
    for (const auto& organization : request.organizations)
        ok = ok && add_to_name(subject, NID_organizationName, organization);
    ok = ok && add_to_name(subject, NID_commonName, request.common_name) &&
         X509_set_issuer_name(leaf, X509_get_subject_name(issuer->get())) == 1 &&
         add_extension(leaf, issuer->get(), NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(leaf, issuer->get(), NID_key_usage, "critical,digitalSignature") &&
         add_extension(leaf, issuer->get(), NID_ext_key_usage, request.server ? "serverAuth" : "clientAuth") &&
         add_extension(leaf, issuer->get(), NID_subject_key_identifier, "hash") &&
         add_extension(leaf, issuer->get(), NID_authority_key_identifier, "keyid:always");
    if (!ok) return openssl_error("making a certificate");
    if (!request.dns_names.empty() || !request.ip_addresses.empty())
        if (auto added = add_alternatives(leaf, request); !added) return std::move(added).error();
    return signed_pair(leaf, key.get(), signer->get());
}

Result<WallTime> certificate_expiry(const std::string& pem) {
    const auto certificate = read_certificate(pem);
    if (!certificate) return certificate.error();
    const auto expiry = expiry_of(certificate->get());
    if (!expiry) return expiry.error();
    return WallTime{std::chrono::seconds{*expiry}};
}

}  // namespace ocim::net
