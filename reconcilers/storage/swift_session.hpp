#pragma once

#include "keystone/session.hpp"
#include "net/http_client.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ocim::storage {

/// Swift's own log-in of old: a name and a key, each in a header.
struct TempAuth {
    std::string auth_url, user;
    Secret password;
};

/// Who we are: at Keystone, or at Swift itself.
struct SwiftLogin {
    std::optional<keystone::Credentials> keystone;
    TempAuth temp{};
};

/// Calls to one account of Swift: logs in when needed, and once more when a token is refused before its time. Lives on
/// the loop thread.
class SwiftSession {
public:
    using Connect = std::function<Result<std::unique_ptr<net::HttpClient>>(const std::string& base_url)>;

    SwiftSession(SwiftLogin login, Clock& clock, Connect connect)
        : login_(std::move(login)),
          clock_(clock),
          connect_(std::move(connect)),
          tokens_(clock, [this] { return log_in(); }) {}

    /// `request.target` is below the account. Any status is a reply. Errors: auth, when we are not let in; those of
    /// HttpClient.
    awaitable<Result<net::HttpReply>> call(net::HttpRequest request);

private:
    awaitable<Result<keystone::Token>> log_in();
    awaitable<Result<keystone::Token>> log_in_at_keystone();
    awaitable<Result<keystone::Token>> log_in_at_swift();
    Result<std::shared_ptr<net::HttpClient>> account_at(const std::string& url);

    SwiftLogin login_;
    Clock& clock_;
    Connect connect_;
    std::unique_ptr<net::HttpClient> door_;     // where one logs in
    std::shared_ptr<net::HttpClient> account_;  // shared with calls under way while another log-in finds it elsewhere
    std::string account_url_;
    keystone::Session tokens_;
};

}  // namespace ocim::storage
