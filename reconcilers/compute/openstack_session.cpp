#include "compute/openstack_session.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <set>

namespace ocim::compute::openstack {
namespace {

using api::Json;
using namespace std::chrono_literals;

constexpr Duration renew_before = 2min;  // before a token's end, by its own clock
constexpr Duration refused_for =
    1min;  // accounts are locked after some failures: an unwelcome one is not tried again sooner
constexpr std::size_t message_bytes_max = 400;
constexpr std::size_t pages_max = 1000;  // of 1000 each: more than any project has
constexpr std::string_view quota_words[] = {"Quota exceeded", "quota exceeded", "Maximum number of", "No more IP"};

// Nova's API as we know it: 2.52 takes tags at a server's birth, 2.72 is what we were written for.
constexpr unsigned microversion_min = 52, microversion_wanted = 72;

struct ServiceWords {
    const char* program;               ///< as people know it
    std::array<const char*, 2> types;  ///< in the catalog
    const char* version;               ///< at the end of its URL; "" when the catalog's has it
};

const ServiceWords& words_of(Service service) {
    static const ServiceWords compute{"nova", {"compute", "computev21"}, ""};
    static const ServiceWords image{"glance", {"image", "imagev2"}, "/v2"};
    static const ServiceWords network{"neutron", {"network", "network"}, "/v2.0"};
    switch (service) {
        case Service::compute: return compute;
        case Service::image: return image;
        case Service::network: return network;
    }
    return compute;
}

std::string header(const net::HttpReply& reply, const char* name) {
    const auto found = reply.headers.find(name);
    return found == reply.headers.end() ? "" : found->second;
}

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

/// The server's clock: RFC 9110's "Sun, 22 Nov 2026 17:51:05 GMT".
std::optional<WallTime> read_date(const std::string& text) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return {};
    return WallTime{std::chrono::seconds{::timegm(&parts)}};
}

Error unreadable(const std::string& what) {
    return Error{ErrorClass::unreachable, what + ": its answer cannot be read as what was asked for"};
}

}  // namespace

bool is_quota(const Error& error) {
    return std::ranges::any_of(quota_words, [&](auto word) { return error.message.find(word) != std::string::npos; });
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
    const bool quota = (reply.status == 403 || reply.status == 409 || reply.status == 413) && is_quota(out);
    if (quota) out.error_class = ErrorClass::conflict;
    // who fails, or stands before who fails, may have done the work first; "too busy" has not
    out.outcome_unknown = reply.status == 408 || (reply.status >= 500 && reply.status != 503);
    auto id = header(reply, "x-openstack-request-id");
    if (id.empty()) id = header(reply, "x-compute-request-id");
    if (!id.empty()) out.message += " (request " + one_line(id, 64) + ")";
    return out;
}

// --- who we are

/// Logs in when nobody is at it, else waits for whoever is. `refused`: the serial of a token that is no good.
awaitable<Result<std::shared_ptr<const Session::Held>>> Session::token(std::uint64_t refused) {
    const auto deadline = clock_.now() + limits::external_call_max;
    for (;;) {
        if (held_ && held_->serial != refused && clock_.now() < held_->good_until) co_return held_;
        if (refused_ && clock_.now() < refused_until_) co_return *refused_;
        if (!logging_in_) {
            CO_CHECK(co_await log_in());
            continue;
        }
        const bool told = co_await logged_in_.wait_until(clock_, deadline);
        if (!told) co_return Error(Error{ErrorClass::unreachable, "Keystone has not answered in time"});
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
    auto keystone = client(credentials_.auth_url);
    if (!keystone) co_return std::move(keystone).error().within("spec.openstack.authURL");
    net::HttpRequest request;
    request.method = "POST";
    request.target = "/auth/tokens";
    request.headers["Accept"] = "application/json";
    request.body = login_request(credentials_).reveal();
    const auto asked = clock_.now();
    CO_TRY(const auto reply, co_await (*keystone)->send(std::move(request)));
    if (reply.status != 201) {
        auto error = refusal(reply, "keystone", clock_.wall());
        error.outcome_unknown = false;  // a token more or less is no effect
        if (reply.status == 401 || reply.status == 403) {
            error.error_class = ErrorClass::auth;
            error.message +=
                "; is the user known, the password right, the project there, and has the user a role in it?";
            refused_ = error;
            refused_until_ = clock_.now() + refused_for;
        }
        co_return error;
    }
    auto read = read_token(reply.body, header(reply, "x-subject-token"), credentials_);
    if (!read) co_return std::move(read).error();
    Held held{*std::move(read), asked, ++serial_};
    // also one that lives shorter than the margin is used once
    held.good_until = asked + std::max<Duration>(held.token.lifetime - renew_before, held.token.lifetime / 2);
    held_ = std::make_shared<const Held>(std::move(held));
    refused_.reset();
    co_return Result<void>();
}

awaitable<Result<void>> Session::prove() {
    // a token that is good here need not be good any more: the cheapest call of the service that we need most tells
    Request request{.service = Service::compute, .path = "/servers?limit=1"};
    CO_TRY([[maybe_unused]] const auto reply, co_await call(std::move(request)));
    co_return Result<void>();
}

// --- calls

Result<net::HttpClient*> Session::client(const std::string& url) {
    auto& held = clients_[url];
    if (!held) {
        auto made = connect_(url);
        if (!made) return std::move(made).error();
        held = *std::move(made);
    }
    return held.get();
}

Result<std::string> Session::url_of(Service service, const Held& held) const {
    const auto& words = words_of(service);
    for (const auto* type : words.types) {
        const auto found = held.token.endpoints.find(type);
        if (found == held.token.endpoints.end()) continue;
        const std::string version = words.version;
        return found->second.ends_with(version) ? found->second : found->second + version;
    }
    return Error{ErrorClass::invalid, std::string("the cloud's catalog offers no \"") + words.types[0] +
                                          "\" service with the interface " + credentials_.interface +
                                          "; choose another spec.openstack.interface or region"};
}

awaitable<Result<net::HttpReply>> Session::send(const Request& request, const Held& held) {
    auto url = url_of(request.service, held);
    if (!url) co_return std::move(url).error();
    auto service = client(*url);
    if (!service) co_return std::move(service).error();
    net::HttpRequest out;
    out.method = request.method;
    out.target = request.path;
    out.body = request.body;
    out.headers["Accept"] = "application/json";  // without it some refuse in HTML
    if (request.service == Service::compute && !microversion_.empty())
        out.headers["OpenStack-API-Version"] = "compute " + microversion_;
    out.secret_headers["X-Auth-Token"] = held.token.text;
    co_return co_await (*service)->send(std::move(out));
}

awaitable<Result<Reply>> Session::call(Request request) {
    const auto name = std::string(words_of(request.service).program) + " " + request.method + " " +
                      request.path.substr(0, request.path.find('?'));
    std::uint64_t refused = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
        CO_TRY(const auto held, co_await token(refused));
        auto reply = co_await send(request, *held);
        if (!reply) co_return std::move(reply).error();
        if (reply->status == 401 && attempt == 0) {
            refused = held->serial;  // it died before its time
            continue;
        }
        if (reply->status < 200 || reply->status >= 300) co_return refusal(*reply, name, clock_.wall());
        Reply out{reply->status, {}, read_date(header(*reply, "date"))};
        if (reply->body.empty()) co_return out;
        auto parsed = api::parse_json(reply->body);
        if (!parsed) co_return unreadable(name);
        out.body = std::move(parsed->value);
        co_return out;
    }
    co_return Error(Error{ErrorClass::auth, name + ": our token is refused, and so is a new one"});
}

awaitable<Result<std::vector<Json>>> Session::list(Service service, std::string path, std::string key,
                                                   std::optional<WallTime>* date) {
    std::vector<Json> out;
    std::set<std::string> markers;
    const auto separator = path.find('?') == std::string::npos ? "?" : "&";
    std::string page = path + separator + "limit=1000";
    for (std::size_t pages = 0; pages < pages_max; ++pages) {
        Request request{.service = service, .path = page};
        CO_TRY(auto reply, co_await call(std::move(request)));
        if (pages == 0 && date) *date = reply.date;
        const auto name = std::string(words_of(service).program) + " GET " + path.substr(0, path.find('?'));
        const auto* items = api::find(reply.body, {key});
        if (!items || !items->is_array()) co_return unreadable(name);
        for (const auto& item : items->get_array()) out.push_back(item);
        const auto* links = api::find(reply.body, {key + "_links"});
        bool more = !api::find_text(reply.body, {"next"}).empty();
        if (links && links->is_array())
            for (const auto& link : links->get_array()) more = more || api::find_text(link, {"rel"}) == "next";
        if (!more) co_return out;
        const auto last = items->get_array().empty() ? "" : std::string(api::find_text(out.back(), {"id"}));
        if (last.empty() || !markers.insert(last).second) co_return unreadable(name);
        page = path + separator + "limit=1000&marker=" + net::percent_encode(last);
    }
    co_return Error(Error{ErrorClass::unreachable, path + ": its pages have no end"});
}

awaitable<Result<std::string>> Session::microversion() {
    if (!microversion_.empty()) co_return microversion_;
    Request request{.service = Service::compute, .path = "/"};
    CO_TRY(const auto reply, co_await call(std::move(request)));
    const auto newest = api::find_text(reply.body, {"version", "version"});
    unsigned minor = 0;
    const auto* begin = newest.data();
    if (!newest.starts_with("2.") || std::from_chars(begin + 2, begin + newest.size(), minor).ec != std::errc() ||
        minor < microversion_min)
        co_return Error(Error{ErrorClass::invalid, "this Nova speaks version \"" + one_line(newest, 20) +
                                                       "\" of its API at most, and 2." +
                                                       std::to_string(microversion_min) + " is needed"});
    microversion_ = "2." + std::to_string(std::min(minor, microversion_wanted));
    co_return microversion_;
}

}  // namespace ocim::compute::openstack
