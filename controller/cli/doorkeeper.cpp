#include "cli/doorkeeper.hpp"

#include "apiserver/authorizer.hpp"
#include "apiserver/credentials.hpp"
#include "apiserver/digest.hpp"
#include "apiserver/exchange.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto memory_max = 10s;               // as Kubernetes' own servers remember what they were told
constexpr std::size_t remembered_max = 1'024;  // people and programs of one installation are fewer
constexpr std::size_t asking_max = 32;         // calls to the API server at a time: strangers cause them

net::ServerReply failure(int code, const char* reason, std::string message) {
    api::Status status;
    status.code = code;
    status.reason = reason;
    status.message = std::move(message);
    if (code == 429 || code == 503) status.retry_after_seconds = 1;
    return apiserver::refusal_reply(status);
}

net::ServerReply unauthorized() { return failure(401, "Unauthorized", "Unauthorized"); }

net::ServerReply not_told(const Error& error) {
    if (error.error_class == ErrorClass::rate_limited) return failure(429, "TooManyRequests", error.message);
    return failure(503, "ServiceUnavailable", "who may come in is not known: " + error.message);
}

client::Wish wish_of(const apiserver::Route& route) {
    client::Wish out;
    out.verb = route.verb;
    out.group = route.group;
    out.version = route.version;
    out.plural = route.plural;
    out.subresource = route.subresource;
    out.namespace_ = route.namespace_;
    out.name = route.name;
    out.path = route.path();
    return out;
}

/// The refusal in Kubernetes' words.
net::ServerReply forbidden(const client::Person& person, const client::Wish& wish) {
    apiserver::Attributes asked;
    asked.caller.user = person.user;
    asked.verb = wish.verb;
    asked.group = wish.group;
    asked.version = wish.version;
    asked.plural = wish.plural;
    asked.subresource = wish.subresource;
    asked.namespace_ = wish.namespace_;
    asked.name = wish.name;
    asked.path = wish.path;
    return apiserver::refusal_reply(apiserver::refusal(asked));
}

/// Everything that an answer depends on, so that no two questions are alike that differ.
std::string key_of(const client::Person& person, const client::Wish& wish) {
    api::json::array all{person.user, person.uid};
    api::json::array groups;
    for (const auto& group : person.groups) groups.emplace_back(group);
    all.push_back(std::move(groups));
    api::json::object extra;
    for (const auto& [name, values] : person.extra) {
        api::json::array list;
        for (const auto& value : values) list.emplace_back(value);
        extra[name] = std::move(list);
    }
    all.push_back(std::move(extra));
    for (const auto* part : {&wish.verb, &wish.group, &wish.version, &wish.plural, &wish.subresource, &wish.namespace_,
                             &wish.name, &wish.path})
        all.emplace_back(*part);
    return apiserver::sha256_hex(api::to_text(all));
}

Error too_many() { return {ErrorClass::rate_limited, "too many come in at once: come again"}; }

/// One more that asks, for as long as it lives.
class Asking {
public:
    explicit Asking(std::size_t& count) : count_(count) { ++count_; }
    ~Asking() { --count_; }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

private:
    std::size_t& count_;
};

}  // namespace

std::string bearer_token(const net::ServerRequest& request) {
    if (request.headers.count("authorization") != 1) return {};
    const auto given = request.header("authorization");
    const auto space = given.find(' ');
    constexpr std::string_view scheme = "bearer";
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a - 'A' + 'a') : a) == b; };
    if (space == std::string_view::npos || !std::ranges::equal(given.substr(0, space), scheme, same)) return {};
    return apiserver::trimmed(given.substr(space));
}

awaitable<std::optional<net::ServerReply>> Doorkeeper::refusal(net::ServerRequest request, apiserver::Route route) {
    const auto other = request.headers.lower_bound("impersonate-");
    if (other != request.headers.end() && other->first.starts_with("impersonate-"))
        co_return failure(400, "BadRequest", "nobody can be impersonated here: ask as yourself");
    auto token = bearer_token(request);
    if (token.empty()) co_return unauthorized();
    const auto person = co_await holder(std::move(token));
    if (!person && person.error().error_class == ErrorClass::auth) co_return unauthorized();
    if (!person) co_return not_told(person.error());
    const auto wish = wish_of(route);
    const auto allowed = co_await may(*person, wish);
    if (!allowed) co_return not_told(allowed.error());
    if (!*allowed) co_return forbidden(*person, wish);
    co_return std::nullopt;
}

awaitable<Result<client::Person>> Doorkeeper::holder(std::string token) {
    const Error nobody{ErrorClass::auth, "the token is not known to the API server"};
    auto key = apiserver::sha256_hex(token);
    if (const auto* known = remembered(holders_, key)) {
        if (*known) co_return **known;
        co_return nobody;
    }
    if (asking_ >= asking_max) co_return too_many();
    const Asking one(asking_);
    auto found = co_await reviews_.holder(Secret(std::move(token)));
    if (!found && found.error().error_class != ErrorClass::auth) co_return std::move(found).error();
    remember(holders_, std::move(key), found ? std::optional(*found) : std::nullopt);
    if (!found) co_return nobody;
    co_return *std::move(found);
}

awaitable<Result<bool>> Doorkeeper::may(client::Person person, client::Wish wish) {
    auto key = key_of(person, wish);
    if (const auto* known = remembered(answers_, key)) co_return *known;
    if (asking_ >= asking_max) co_return too_many();
    const Asking one(asking_);
    CO_TRY(const auto allowed, co_await reviews_.may(std::move(person), std::move(wish)));
    remember(answers_, std::move(key), allowed);
    co_return allowed;
}

template <class T>
const T* Doorkeeper::remembered(const Memory<T>& memory, const std::string& key) const {
    const auto found = memory.find(key);
    return found == memory.end() || found->second.until <= clock_.now() ? nullptr : &found->second.said;
}

template <class T>
void Doorkeeper::remember(Memory<T>& memory, std::string key, T said) {
    const auto now = clock_.now();
    if (memory.size() >= remembered_max)
        std::erase_if(memory, [&](const auto& one) { return one.second.until <= now; });
    if (memory.size() >= remembered_max) return;  // asked again each time: slower, and as right
    memory.insert_or_assign(std::move(key), Known<T>{std::move(said), now + memory_max});
}

}  // namespace ocim::cli
