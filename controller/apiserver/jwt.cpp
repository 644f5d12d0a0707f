#include "apiserver/jwt.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

namespace ocim::apiserver {

namespace {

namespace json = api::json;

template <class T, void (*Free)(T*)>
struct Freed {
    void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freed<T, Free>>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedDigest = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using OwnedSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using OwnedNumber = Owned<BIGNUM, BN_clear_free>;
void free_bio(BIO* bio) { BIO_free_all(bio); }
using OwnedBio = Owned<BIO, free_bio>;

constexpr std::size_t coordinate = 32;  // bytes of a number on P-256

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());  // the same bytes, only the sign differs
}

Error failed(const char* what) {
    ERR_clear_error();
    return {ErrorClass::transient, std::string("token key: cannot ") + what};
}
Error bad_token(const char* why) {
    ERR_clear_error();
    return {ErrorClass::auth, std::string("the token ") + why};
}

/// r and s, each in 32 bytes (RFC 7518, 3.4), from OpenSSL's DER.
std::optional<std::string> plain_signature(const std::string& der) {
    const auto* at = bytes_of(der);
    const OwnedSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::string out(2 * coordinate, '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    const bool ok = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, coordinate) == coordinate &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + coordinate, coordinate) == coordinate;
    return ok ? std::optional(out) : std::nullopt;
}

std::optional<std::string> der_signature(const std::string& plain) {
    if (plain.size() != 2 * coordinate) return std::nullopt;
    const OwnedSignature signature(ECDSA_SIG_new());
    BIGNUM* const r = BN_bin2bn(bytes_of(plain), coordinate, nullptr);
    BIGNUM* const s = BN_bin2bn(bytes_of(plain) + coordinate, coordinate, nullptr);
    if (!signature || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return std::nullopt;
    }
    const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
    if (size <= 0) return std::nullopt;
    std::string out(static_cast<std::size_t>(size), '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    i2d_ECDSA_SIG(signature.get(), &to);
    return out;
}

std::optional<std::string> public_coordinate(const EVP_PKEY* key, const char* name) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return std::nullopt;
    const OwnedNumber number(raw);
    std::string out(coordinate, '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    return BN_bn2binpad(number.get(), to, coordinate) == coordinate ? std::optional(out) : std::nullopt;
}

std::string hash(const std::string& text) {
    std::string out(32, '\0');
    EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha256(), nullptr);
    return out;
}

}  // namespace

std::string base64url(std::string_view bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3), '\0');
    // writes a terminating NUL too, where std::string keeps its own
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
    for (auto& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    while (out.ends_with('=')) out.pop_back();
    return out;
}

Result<std::string> from_base64url(std::string_view text) {
    const Error bad{ErrorClass::invalid, "not base64url"};
    std::string plain(text);
    for (auto& c : plain) {
        const bool ok =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!ok) return bad;
        c = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    if (plain.size() % 4 == 1) return bad;
    const auto padding = (4 - plain.size() % 4) % 4;
    plain.append(padding, '=');
    std::string out(plain.size() / 4 * 3, '\0');
    const int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(plain), static_cast<int>(plain.size()));
    if (size < 0) return bad;
    out.resize(static_cast<std::size_t>(size) - padding);
    // one text for one meaning: no stray bits behind the last byte
    if (base64url(out) != text) return bad;
    return out;
}

struct TokenKey::Key {
    OwnedKey key;
    std::string x, y;
};

TokenKey::TokenKey(std::unique_ptr<Key> key) : key_(std::move(key)) {
    // RFC 7638: the members that matter, in the order of the alphabet
    json::object named;
    named["crv"] = "P-256";
    named["kty"] = "EC";
    named["x"] = base64url(key_->x);
    named["y"] = base64url(key_->y);
    id_ = base64url(hash(api::to_text(named)));
}
TokenKey::~TokenKey() = default;
TokenKey::TokenKey(TokenKey&&) noexcept = default;
TokenKey& TokenKey::operator=(TokenKey&&) noexcept = default;

Result<Secret> TokenKey::make_pem() {
    const OwnedKey key(EVP_EC_gen("P-256"));
    const OwnedBio bio(BIO_new(BIO_s_secmem()));
    if (!key || !bio || PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return failed("be made");
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &data);
    return Secret(std::string(data, static_cast<std::size_t>(size)));
}

Result<TokenKey> TokenKey::read(const Secret& pem) {
    const Error bad{ErrorClass::invalid, "the token key is not a private EC key on P-256 as PEM without a passphrase"};
    const auto& text = pem.reveal();
    const OwnedBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    auto out = std::make_unique<Key>();
    out->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    std::array<char, 32> curve{};
    std::size_t size = 0;
    const bool ours = out->key && EVP_PKEY_is_a(out->key.get(), "EC") == 1 &&
                      EVP_PKEY_get_group_name(out->key.get(), curve.data(), curve.size(), &size) == 1 &&
                      std::string_view(curve.data(), size) == "prime256v1";
    ERR_clear_error();
    if (!ours) return bad;
    auto x = public_coordinate(out->key.get(), OSSL_PKEY_PARAM_EC_PUB_X);
    auto y = public_coordinate(out->key.get(), OSSL_PKEY_PARAM_EC_PUB_Y);
    if (!x || !y) return bad;
    out->x = *std::move(x);
    out->y = *std::move(y);
    return TokenKey(std::move(out));
}

Result<std::string> TokenKey::sign(const api::Json& claims) const {
    const auto header = R"({"alg":"ES256","kid":)" + api::to_text(api::Json(id_)) + "}";
    auto out = base64url(header) + "." + base64url(api::to_text(claims));
    const OwnedDigest digest(EVP_MD_CTX_new());
    std::size_t size = 0;
    if (!digest || EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_->key.get()) != 1 ||
        EVP_DigestSign(digest.get(), nullptr, &size, bytes_of(out), out.size()) != 1)
        return failed("sign");
    std::string der(size, '\0');
    if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(der.data()), &size, bytes_of(out), out.size()) !=
        1)
        return failed("sign");
    der.resize(size);
    const auto signature = plain_signature(der);
    if (!signature) return failed("sign");
    return out + "." + base64url(*signature);
}

Result<api::Json> TokenKey::verify(std::string_view token) const {
    const auto last = token.rfind('.');
    const auto first = token.find('.');
    if (first == std::string_view::npos || first == last || token.find('.', first + 1) != last)
        return bad_token("is not a JWT");
    const auto header_text = from_base64url(token.substr(0, first));
    if (!header_text) return bad_token("is not a JWT");
    const auto header = api::parse_json(*header_text);
    if (!header || api::find_text(header->value, {"alg"}) != "ES256" || api::find_text(header->value, {"kid"}) != id_ ||
        api::find(header->value, {"crit"}))
        return bad_token("is not signed with our key");
    const auto plain = from_base64url(token.substr(last + 1));
    const auto der = plain ? der_signature(*plain) : std::nullopt;
    if (!der) return bad_token("has no signature");
    const auto said = token.substr(0, last);
    const OwnedDigest digest(EVP_MD_CTX_new());
    const bool ours = digest &&
                      EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_->key.get()) == 1 &&
                      EVP_DigestVerify(digest.get(), bytes_of(*der), der->size(), bytes_of(said), said.size()) == 1;
    if (!ours) return bad_token("is not signed with our key");
    const auto claims_text = from_base64url(token.substr(first + 1, last - first - 1));
    if (!claims_text) return bad_token("is not a JWT");
    auto claims = api::parse_json(*claims_text);
    if (!claims || !claims->value.is_object()) return bad_token("is not a JWT");
    return std::move(claims->value);
}

json::object TokenKey::public_jwk() const {
    json::object out;
    out["use"] = "sig";
    out["kty"] = "EC";
    out["kid"] = id_;
    out["crv"] = "P-256";
    out["alg"] = "ES256";
    out["x"] = base64url(key_->x);
    out["y"] = base64url(key_->y);
    return out;
}

}  // namespace ocim::apiserver
