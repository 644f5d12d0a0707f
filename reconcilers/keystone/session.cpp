#include "keystone/session.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace ocim::keystone {
namespace {

using namespace std::chrono_literals;

constexpr Duration renew_before = 2min;  // before a token's end, by its own clock
constexpr Duration refused_for =
    1min;  // accounts are locked after some failures: an unwelcome one is not tried again sooner
constexpr std::size_t message_bytes_max = 400;

/// What a service says in its own form: {"itemNotFound": {"message"}}, {"NeutronError": {"message"}},
/// {"error": {"message"}}, {"message"}; others answer with a page, which tells a person nothing.
std::string said(const std::string& body) {
    const auto parsed = api::parse_json(body);
    if (!parsed || !parsed->value.is_object()) return {};
    auto text = std::string(api::find_text(parsed->value, {"message"}));
    for (const auto& member : parsed->value.get_object())
        if (text.empty() && member.value().is_object()) text = api::find_text(member.value(), {"message"});
    return one_line(text, message_bytes_max);
}

/// {"overLimit": {"retryAfter": "20"}}
std::optional<Duration> wait_in_body(const std::string& body) {
    const auto parsed = api::parse_json(body);
    const auto text = parsed ? api::find_text(parsed->value, {"overLimit", "retryAfter"}) : std::string_view();
    unsigned seconds = 0;
    if (text.empty() || std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc()) return {};
    return std::chrono::seconds(seconds);
}

}  // namespace

std::string header(const net::HttpReply& reply, const char* name) {
    const auto found = reply.headers.find(name);
    return found == reply.headers.end() ? "" : found->second;
}

Error refusal(const net::HttpReply& reply, const std::string& request, WallTime now) {
    auto text = said(reply.body);
    if (text.empty()) text = "answered with status " + std::to_string(reply.status);
    if (reply.status == 403) text += " (we are known there, and not allowed this)";
    Error out{net::class_of(reply.status), request + ": " + text};
    out.retry_after = net::retry_after(reply, now);
    if (!out.retry_after) out.retry_after = wait_in_body(reply.body);
    if (reply.status == 406) out.error_class = ErrorClass::invalid;
    if (reply.status == 413 && out.retry_after) out.error_class = ErrorClass::rate_limited;
    // who fails, or stands before who fails, may have done the work first; "too busy" has not
    out.outcome_unknown = reply.status == 408 || (reply.status >= 500 && reply.status != 503);
    auto id = header(reply, "x-openstack-request-id");
    if (id.empty()) id = header(reply, "x-compute-request-id");
    if (!id.empty()) out.message += " (request " + one_line(id, 64) + ")";
    return out;
}

awaitable<Result<Token>> log_in(net::HttpClient& door, const Credentials& credentials, const Clock& clock) {
    net::HttpRequest request;
    request.method = "POST";
    request.target = "/auth/tokens";
    request.headers["Accept"] = "application/json";
    request.body = login_request(credentials).reveal();
    CO_TRY(const auto reply, co_await door.send(std::move(request)));
    if (reply.status != 201) {
        auto error = refusal(reply, "keystone", clock.wall());
        error.outcome_unknown = false;  // a token more or less is no effect
        if (reply.status == 401 || reply.status == 403) {
            error.error_class = ErrorClass::auth;
            error.message +=
                "; is the user known, the password right, the project there, and has the user a role in it?";
        }
        co_return error;
    }
    co_return read_token(reply.body, header(reply, "x-subject-token"), credentials);
}

/// Logs in when nobody is at it, else waits for whoever is.
awaitable<Result<std::shared_ptr<const Held>>> Session::token(std::uint64_t refused) {
    const auto deadline = clock_.now() + limits::external_call_max;
    for (;;) {
        if (held_ && held_->serial != refused && clock_.now() < held_->good_until) co_return held_;
        if (refused_ && clock_.now() < refused_until_) co_return *refused_;
        if (!logging_in_) {
            CO_CHECK(co_await log_in());
            continue;
        }
        const bool told = co_await logged_in_.wait_until(clock_, deadline);
        if (!told) co_return Error(Error{ErrorClass::unreachable, "the log-in has not been answered in time"});
    }
}

awaitable<Result<void>> Session::log_in() {
    struct Turn {
        explicit Turn(Session& session) : session_(session) { session_.logging_in_ = true; }
        ~Turn() {
            session_.logging_in_ = false;
            session_.logged_in_.notify();
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        Session& session_;
    };
    const Turn turn(*this);
    const auto asked = clock_.now();
    auto token = co_await log_in_();
    if (!token) {
        if (token.error().error_class == ErrorClass::auth) {
            refused_ = token.error();
            refused_until_ = clock_.now() + refused_for;
        }
        co_return std::move(token).error();
    }
    Held held{*std::move(token), asked, ++serial_};
    // one that lives shorter than twice the margin is used for half its life
    held.good_until = asked + std::max<Duration>(held.token.lifetime - renew_before, held.token.lifetime / 2);
    if (clock_.now() >= held.good_until) {  // to ask again at once would bring the next of these
        refused_ = Error{ErrorClass::unreachable,
                         "the log-in gives tokens that are at their end when they come: their lifetime there is wrong, "
                         "or it answers too slowly"};
        refused_until_ = clock_.now() + refused_for;
        co_return *refused_;
    }
    held_ = std::make_shared<const Held>(std::move(held));
    refused_.reset();
    co_return Result<void>();
}

}  // namespace ocim::keystone
