#pragma once

#include "api/json.hpp"
#include "base/secret.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::apiserver {

/// Bytes in base64url without padding.
std::string base64url(std::string_view bytes);
/// Error: invalid.
Result<std::string> from_base64url(std::string_view text);

/// Signs and checks tokens (JWT, RFC 7519) with ES256 and nothing else: an algorithm named in a token decides nothing.
class TokenKey {
public:
    /// A private EC key on P-256, as PEM. Error: invalid.
    static Result<TokenKey> read(const Secret& pem);
    /// A new one.
    static Result<Secret> make_pem();
    ~TokenKey();
    TokenKey(TokenKey&&) noexcept;
    TokenKey& operator=(TokenKey&&) noexcept;

    Result<std::string> sign(const api::Json& claims) const;
    /// The claims, if the signature is ours. Of time and audience nothing is checked.
    Result<api::Json> verify(std::string_view token) const;
    /// Names the key: a hash of its public half.
    const std::string& id() const { return id_; }
    /// The public half as a JSON Web Key.
    api::json::object public_jwk() const;

private:
    struct Key;
    explicit TokenKey(std::unique_ptr<Key> key);
    std::unique_ptr<Key> key_;
    std::string id_;
};

}  // namespace ocim::apiserver
