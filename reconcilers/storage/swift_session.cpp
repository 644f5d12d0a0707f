#include "storage/swift_session.hpp"

#include "base/async.hpp"

#include <algorithm>

namespace ocim::storage {

namespace {

constexpr Duration renew_before{120'000};  // before a token's end, by its own clock
constexpr Duration lifetime_unsaid{30 * 60 *
                                   1000};  // of a token whose life nobody tells; refused earlier, it is renewed

std::string header(const net::HttpReply& reply, const char* name) {
    const auto found = reply.headers.find(name);
    return found == reply.headers.end() ? "" : found->second;
}

/// What a refused log-in means. Its body may repeat what we sent.
Error refused(const net::HttpReply& reply, const std::string& who, WallTime now) {
    Error error{net::class_of(reply.status), who + " answers our log-in with status " + std::to_string(reply.status)};
    if (reply.status == 401 || reply.status == 403) {
        error.error_class = ErrorClass::auth;
        error.message += "; is the user known, the password right, and has the user a role in the project?";
    }
    if (error.error_class == ErrorClass::not_found || error.error_class == ErrorClass::invalid)
        error.error_class = ErrorClass::unreachable;
    error.retry_after = net::retry_after(reply, now);
    return error;
}

}  // namespace

awaitable<Result<net::HttpReply>> SwiftSession::call(net::HttpRequest request) {
    for (int attempt = 0;; ++attempt) {
        if (!account_ || clock_.now() >= good_until_) { CO_CHECK(co_await log_in()); }
        const auto account = account_;
        const auto serial = serial_;
        auto copy = request;
        copy.secret_headers["X-Auth-Token"] = token_;
        CO_TRY(auto reply, co_await account->send(std::move(copy)));
        if (reply.status != 401) co_return reply;
        if (attempt > 0) co_return Error(Error{ErrorClass::auth, "Swift refuses our token, and a new one too"});
        if (serial == serial_) good_until_ = {};  // it died before its time
    }
}

awaitable<Result<void>> SwiftSession::log_in() {
    if (!door_) {
        auto made = connect_(login_.keystone ? login_.keystone->auth_url : login_.temp.auth_url);
        if (!made) co_return std::move(made).error().within("spec.swift.authURL");
        door_ = *std::move(made);
    }
    if (login_.keystone) co_return co_await log_in_at_keystone();
    co_return co_await log_in_at_swift();
}

awaitable<Result<void>> SwiftSession::log_in_at_keystone() {
    net::HttpRequest request;
    request.method = "POST";
    request.target = "/auth/tokens";
    request.headers["Accept"] = "application/json";
    request.body = login_request(*login_.keystone).reveal();
    CO_TRY(const auto reply, co_await door_->send(std::move(request)));
    if (reply.status != 201) co_return refused(reply, "Keystone", clock_.wall());
    auto read = read_token(reply.body, header(reply, "x-subject-token"), *login_.keystone);
    if (!read) co_return std::move(read).error();
    const auto found = read->endpoints.find("object-store");
    if (found == read->endpoints.end())
        co_return Error(Error{ErrorClass::invalid,
                              "the cloud's catalog offers no \"object-store\" with the interface " +
                                  login_.keystone->interface + "; choose another spec.swift.interface or region"});
    co_return enter(found->second, std::move(read->text), read->lifetime);
}

awaitable<Result<void>> SwiftSession::log_in_at_swift() {
    net::HttpRequest request;
    request.headers["X-Auth-User"] = login_.temp.user;
    request.secret_headers["X-Auth-Key"] = login_.temp.password;
    CO_TRY(const auto reply, co_await door_->send(std::move(request)));
    if (reply.status / 100 != 2) co_return refused(reply, "Swift", clock_.wall());
    auto url = header(reply, "x-storage-url"), token = header(reply, "x-auth-token");
    if (url.empty() || token.empty())
        co_return Error(Error{ErrorClass::unreachable,
                              "what answers is not Swift: it says neither X-Storage-Url nor "
                              "X-Auth-Token"});
    co_return enter(url, Secret(std::move(token)), lifetime_unsaid);
}

Result<void> SwiftSession::enter(const std::string& url, Secret token, Duration lifetime) {
    auto trimmed = url;
    while (trimmed.ends_with('/')) trimmed.pop_back();
    if (!account_ || trimmed != account_url_) {
        auto made = connect_(trimmed);
        if (!made) return std::move(made).error().within("the account's URL");
        account_ = *std::move(made);
        account_url_ = trimmed;
    }
    token_ = std::move(token);
    good_until_ = clock_.now() + std::max<Duration>(lifetime - renew_before, lifetime / 2);
    ++serial_;
    return {};
}

}  // namespace ocim::storage
