#pragma once

#include "api/status.hpp"
#include "apiserver/token_keys.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "registry/registry.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ocim::apiserver {

/// Who somebody is by his credentials, and for whom these were meant.
struct Identity {
    registry::Caller caller;
    std::vector<std::string> audiences;
};

/// Tokens of ServiceAccounts: made by TokenRequest, signed, with an end, for an audience, and worth nothing once the
/// account is gone or made anew. Lives on the loop thread.
class ServiceAccountTokens {
public:
    struct Settings {
        std::string issuer = "https://kubernetes.default.svc.cluster.local";
        /// Writes down until when the tokens of a key last, before such a token is given away. Empty: nobody does.
        std::function<Result<void>(const std::string& key, WallTime until)> keep{};
    };
    /// All arguments must outlive it.
    ServiceAccountTokens(registry::Registry& registry, Clock& clock, Random& random, TokenKeys keys, Settings settings);

    /// Answers a TokenRequest: the same object with its status.
    Result<api::Json, api::Status> issue(const std::string& namespace_, const std::string& name, api::Json request);
    /// Whose token it is, if it is good now for one of `audiences`. Error (auth): why not; without the token.
    Result<Identity> check(const std::string& token, const std::vector<std::string>& audiences);

    /// From now on these keys sign and check; tokens of others are worth nothing.
    void use(TokenKeys keys);
    const TokenKeys& keys() const { return keys_; }

    /// The audiences of this API itself: what a token is for unless its request says otherwise.
    const std::vector<std::string>& audiences() const { return audiences_; }
    /// /.well-known/openid-configuration and the keys it refers to, for others that want to check our tokens.
    std::string discovery_document() const;
    std::string key_document() const;

private:
    struct Claims {
        std::int64_t expires = 0, not_before = 0;
        std::vector<std::string> audiences;
        std::string namespace_, name, uid, token_id;
        std::string secret_name, secret_uid;  ///< when it is bound to a Secret
    };
    Result<Claims> read(const std::string& token);
    /// A token with these claims, once it is written down that it lasts until `ends`.
    Result<std::string> sign(const api::Json& claims, WallTime ends);
    Result<void> still_good(const Claims& claims) const;
    /// The uid of what is there under that name and is not being deleted; nothing when there is no such thing.
    std::optional<std::string> uid_of(std::string_view plural, const std::string& namespace_,
                                      const std::string& name) const;

    registry::Registry& registry_;
    Clock& clock_;
    Random& random_;
    TokenKeys keys_;
    Settings settings_;
    std::vector<std::string> audiences_;
    std::map<std::string, Claims> verified_;  ///< by the token's hash: a signature is checked once
};

}  // namespace ocim::apiserver
