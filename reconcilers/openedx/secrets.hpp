#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <string>
#include <string_view>

/// Values derived from one Instance's generated secrets: the same for ever, and never stored twice.
namespace ocim::openedx {

/// Lower-case hexadecimal of HMAC-SHA256.
std::string hmac_hex(std::string_view key, std::string_view message);
/// Lower-case hexadecimal of SHA-256.
std::string sha256_hex(std::string_view text);

/// Lower-case hexadecimal of MD5: for names that were made with it, never for anything secret.
std::string md5_hex(std::string_view text);

/// The secrets of one Instance's site.
class MasterKey {
public:
    /// `base64` is 36 random bytes. Error: invalid when it is not base64 of at least 32 bytes; an empty key would make
    /// secrets that anybody can compute.
    static Result<MasterKey> decode(const Secret& base64);

    /// The value of a variable that is secret: HMAC of its own name.
    std::string derived(std::string_view variable) const;
    /// What the load balancer logs in with.
    std::string basic_auth_user() const;
    std::string basic_auth_password() const;

private:
    explicit MasterKey(Secret key) : key_(std::move(key)) {}
    Secret key_;
};

/// The password of one MySQL user, from the Instance's own MySQL key.
std::string mysql_password(const Secret& key, std::string_view user);

}  // namespace ocim::openedx
