#include "storage/swift_session.hpp"

#include "base/async.hpp"

#include <algorithm>

namespace ocim::storage {

namespace {

constexpr auto service = "object-store";  // in a catalog
constexpr Duration lifetime_unsaid =
    std::chrono::minutes(30);  // of a token whose life nobody tells; refused earlier, it is renewed

/// What a refused log-in means. Its body may repeat what we sent.
Error refused(const net::HttpReply& reply, WallTime now) {
    Error error{net::class_of(reply.status), "Swift answers our log-in with status " + std::to_string(reply.status)};
    if (reply.status == 401 || reply.status == 403) {
        error.error_class = ErrorClass::auth;
        error.message += "; is the user known, the password right, and has the user a part in the account?";
    }
    if (error.error_class == ErrorClass::not_found || error.error_class == ErrorClass::invalid)
        error.error_class = ErrorClass::unreachable;
    error.retry_after = net::retry_after(reply, now);
    return error;
}

}  // namespace

awaitable<Result<net::HttpReply>> SwiftSession::call(net::HttpRequest request) {
    std::uint64_t refused = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
        CO_TRY(const auto held, co_await tokens_.token(refused));
        CO_TRY(const auto account, account_at(held->token.endpoints.at(service)));
        auto copy = request;
        copy.secret_headers["X-Auth-Token"] = held->token.text;
        CO_TRY(auto reply, co_await account->send(std::move(copy)));
        if (reply.status != 401) co_return reply;
        refused = held->serial;  // it died before its time
    }
    co_return Error(Error{ErrorClass::auth, "Swift refuses our token, and a new one too"});
}

Result<std::shared_ptr<net::HttpClient>> SwiftSession::account_at(const std::string& url) {
    if (account_ && url == account_url_) return account_;
    auto made = connect_(url);
    if (!made) return std::move(made).error().within("the account's URL");
    account_ = *std::move(made);
    account_url_ = url;
    return account_;
}

awaitable<Result<keystone::Token>> SwiftSession::log_in() {
    if (!door_) {
        auto made = connect_(login_.keystone ? login_.keystone->auth_url : login_.temp.auth_url);
        if (!made) co_return std::move(made).error().within("spec.swift.authURL");
        door_ = *std::move(made);
    }
    if (login_.keystone) co_return co_await log_in_at_keystone();
    co_return co_await log_in_at_swift();
}

awaitable<Result<keystone::Token>> SwiftSession::log_in_at_keystone() {
    auto& door = *door_;
    const auto& credentials = *login_.keystone;
    CO_TRY(auto token, co_await keystone::log_in(door, credentials, clock_));
    if (!token.endpoints.contains(service))
        co_return Error(
            Error{ErrorClass::invalid, "the cloud's catalog offers no \"object-store\" with the interface " +
                                           credentials.interface + "; choose another spec.swift.interface or region"});
    co_return token;
}

awaitable<Result<keystone::Token>> SwiftSession::log_in_at_swift() {
    net::HttpRequest request;
    request.headers["X-Auth-User"] = login_.temp.user;
    request.secret_headers["X-Auth-Key"] = login_.temp.password;
    CO_TRY(const auto reply, co_await door_->send(std::move(request)));
    if (reply.status / 100 != 2) co_return refused(reply, clock_.wall());
    auto url = keystone::header(reply, "x-storage-url"), token = keystone::header(reply, "x-auth-token");
    if (url.empty() || token.empty())
        co_return Error(Error{ErrorClass::unreachable,
                              "what answers is not Swift: it says neither X-Storage-Url nor X-Auth-Token"});
    while (url.ends_with('/')) url.pop_back();
    co_return keystone::Token{Secret(std::move(token)), lifetime_unsaid, {{service, std::move(url)}}, {}};
}

}  // namespace ocim::storage
