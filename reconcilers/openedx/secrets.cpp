#include "openedx/secrets.hpp"

#include "runtime/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <array>

namespace ocim::openedx {
namespace {

constexpr std::size_t master_key_bytes_min = 32;
constexpr std::size_t basic_auth_length = 16;  // as sites that exist have it: appservers of any age agree

std::string hex(const unsigned char* bytes, std::size_t count) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += digits[bytes[i] >> 4];
        out += digits[bytes[i] & 15];
    }
    return out;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string digest_hex(std::string_view text, const EVP_MD* method) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned int length = 0;
    EVP_Digest(text.data(), text.size(), out.data(), &length, method, nullptr);
    return hex(out.data(), length);
}

}  // namespace

std::string hmac_hex(std::string_view key, std::string_view message) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned int length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(message), message.size(), out.data(),
         &length);
    return hex(out.data(), length);
}

std::string sha256_hex(std::string_view text) { return digest_hex(text, EVP_sha256()); }
std::string md5_hex(std::string_view text) { return digest_hex(text, EVP_md5()); }

Result<MasterKey> MasterKey::decode(const Secret& base64) {
    auto bytes = runtime::from_base64(base64.reveal());
    if (!bytes) return Error{ErrorClass::invalid, "the master key is not base64"};
    if (bytes->size() < master_key_bytes_min)
        return Error{ErrorClass::invalid, "the master key has " + std::to_string(bytes->size()) + " bytes; at least " +
                                              std::to_string(master_key_bytes_min) + " are needed"};
    return MasterKey(Secret(*std::move(bytes)));
}

std::string MasterKey::derived(std::string_view variable) const { return hmac_hex(key_.reveal(), variable); }
std::string MasterKey::basic_auth_user() const { return derived("COMMON_HTPASSWD_USER").substr(0, basic_auth_length); }
std::string MasterKey::basic_auth_password() const {
    return derived("COMMON_HTPASSWD_PASS").substr(0, basic_auth_length);
}

std::string mysql_password(const Secret& key, std::string_view user) { return hmac_hex(key.reveal(), user); }

}  // namespace ocim::openedx
