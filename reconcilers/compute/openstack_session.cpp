#include "compute/openstack_session.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <set>

namespace ocim::compute::openstack {
namespace {

using api::Json;

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
    auto out = keystone::refusal(reply, request, now);
    const bool quota = (reply.status == 403 || reply.status == 409 || reply.status == 413) && is_quota(out);
    if (quota) out.error_class = ErrorClass::conflict;
    return out;
}

// --- who we are

Session::Session(Credentials credentials, Clock& clock, Connect connect)
    : credentials_(std::move(credentials)),
      clock_(clock),
      connect_(std::move(connect)),
      tokens_(clock, [this] { return log_in(); }) {}

awaitable<Result<keystone::Token>> Session::log_in() {
    auto door = client(credentials_.auth_url);
    if (!door) co_return std::move(door).error().within("spec.openstack.authURL");
    auto& http = **door;
    co_return co_await keystone::log_in(http, credentials_, clock_);
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

Result<std::string> Session::url_of(Service service, const keystone::Held& held) const {
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

awaitable<Result<net::HttpReply>> Session::send(const Request& request, const keystone::Held& held) {
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
        CO_TRY(const auto held, co_await tokens_.token(refused));
        auto reply = co_await send(request, *held);
        if (!reply) co_return std::move(reply).error();
        if (reply->status == 401 && attempt == 0) {
            refused = held->serial;  // it died before its time
            continue;
        }
        if (reply->status < 200 || reply->status >= 300) co_return refusal(*reply, name, clock_.wall());
        Reply out{reply->status, {}, read_date(keystone::header(*reply, "date"))};
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
