#pragma once

#include "apiserver/credentials.hpp"
#include "apiserver/service_account_tokens.hpp"

#include <optional>
#include <string>

/// Who asks.
namespace ocim::apiserver {

/// What a request without good credentials brought, for the audit log: "bearer", "x509", "basic", "other" or "none".
std::string_view attempted(const net::ServerRequest& request);

/// Client certificates (CN the user, O the groups), tokens of ServiceAccounts, static tokens. Lives on the loop
/// thread.
class Authenticator {
public:
    /// `tokens` may be null: there are none of ServiceAccounts then. It must outlive this.
    Authenticator(Clock& clock, ServiceAccountTokens* tokens, StaticTokens fixed)
        : clock_(clock), tokens_(tokens), fixed_(std::move(fixed)) {}

    /// Who sent the request; nothing when its credentials are no good, or when there are none where they are needed.
    /// Without any one may ask for health and the version only, as system:anonymous.
    std::optional<registry::Caller> authenticate(const net::ServerRequest& request, std::string_view path);
    /// The same for a token alone, good for one of `audiences` (none: those of this API). Error (auth): why not.
    Result<Identity> check_token(const std::string& token, std::vector<std::string> audiences);

    /// Certificates that it covers are no good from now on.
    void use(Revoked revoked) { revoked_ = std::move(revoked); }

    ServiceAccountTokens* tokens() const { return tokens_; }

private:
    Clock& clock_;
    ServiceAccountTokens* tokens_;
    StaticTokens fixed_;
    Revoked revoked_;
};

class Authorizer;

/// Puts the caller into the place of whom he names in the headers Impersonate-User, -Group, -Uid and -Extra-…, if he
/// may. True when he does. Error: 403 when he may not, 400 when it makes no sense.
Result<bool, api::Status> impersonate(const net::ServerRequest& request, const Authorizer& authorizer,
                                      registry::Caller& caller);

}  // namespace ocim::apiserver
