#include "client/reviews.hpp"

#include "client/session.hpp"

#include <utility>

namespace ocim::client {

namespace {

using namespace std::chrono_literals;
namespace json = api::json;

constexpr auto review_limit = 10s;  // somebody waits for it

std::vector<std::string> texts(const Json* list) {
    std::vector<std::string> out;
    if (!list || !list->is_array()) return out;
    for (const auto& item : list->get_array())
        if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

json::array array_of(const std::vector<std::string>& items) {
    json::array out;
    for (const auto& item : items) out.emplace_back(item);
    return out;
}

bool is_true(const Json& object, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(object, path);
    return found && found->is_bool() && found->get_bool();
}

Person person_of(const Json& user) {
    Person out;
    out.user = api::find_text(user, {"username"});
    out.uid = api::find_text(user, {"uid"});
    out.groups = texts(api::find(user, {"groups"}));
    if (const auto* extra = api::find(user, {"extra"}); extra && extra->is_object())
        for (const auto& [key, values] : extra->get_object()) out.extra[key] = texts(&values);
    return out;
}

json::object attributes_of(const Wish& wish) {
    if (wish.plural.empty()) return {{"path", wish.path}, {"verb", wish.verb}};
    json::object out{{"verb", wish.verb}, {"group", wish.group}, {"version", wish.version}, {"resource", wish.plural}};
    if (!wish.subresource.empty()) out["subresource"] = wish.subresource;
    if (!wish.namespace_.empty()) out["namespace"] = wish.namespace_;
    if (!wish.name.empty()) out["name"] = wish.name;
    return out;
}

Json access_review(const Person& person, const Wish& wish) {
    json::object spec{{"user", person.user}, {"groups", array_of(person.groups)}};
    if (!person.uid.empty()) spec["uid"] = person.uid;
    if (!person.extra.empty()) {
        json::object extra;
        for (const auto& [key, values] : person.extra) extra[key] = array_of(values);
        spec["extra"] = std::move(extra);
    }
    spec[wish.plural.empty() ? "nonResourceAttributes" : "resourceAttributes"] = attributes_of(wish);
    return json::object{{"apiVersion", "authorization.k8s.io/v1"},
                        {"kind", "SubjectAccessReview"},
                        {"metadata", json::object()},
                        {"spec", std::move(spec)}};
}

class RemoteReviews final : public Reviews {
public:
    explicit RemoteReviews(std::unique_ptr<Session> session) : session_(std::move(session)) {}

    awaitable<Result<Person>> holder(Secret token) override {
        json::object spec;
        spec["token"] = token.reveal();
        Json review = json::object{{"apiVersion", "authentication.k8s.io/v1"},
                                   {"kind", "TokenReview"},
                                   {"metadata", json::object()},
                                   {"spec", std::move(spec)}};
        CO_TRY(const auto told, co_await ask("/apis/authentication.k8s.io/v1/tokenreviews", std::move(review)));
        if (!is_true(told, {"status", "authenticated"}))
            co_return Error{ErrorClass::auth, "the token is not known to the API server"};
        const auto* user = api::find(told, {"status", "user"});
        auto out = user ? person_of(*user) : Person{};
        // nobody has no name: such an answer grants nothing
        if (out.user.empty()) co_return Error{ErrorClass::auth, "the API server names no user for the token"};
        co_return out;
    }

    awaitable<Result<bool>> may(Person person, Wish wish) override {
        auto review = access_review(person, wish);
        CO_TRY(const auto told, co_await ask("/apis/authorization.k8s.io/v1/subjectaccessreviews", std::move(review)));
        co_return is_true(told, {"status", "allowed"}) && !is_true(told, {"status", "denied"});
    }

private:
    awaitable<Result<Json>> ask(std::string target, Json review) {
        net::HttpsRequest request;
        request.method = "POST";
        request.target = std::move(target);
        request.body = api::to_text(review);
        request.timeout = review_limit;
        auto answered = co_await session_->send(std::move(request));
        if (!answered && answered.error().error_class == ErrorClass::auth)
            co_return Error{ErrorClass::transient,
                            "this process may not ask who may come in: " + answered.error().message};
        if (!answered) co_return std::move(answered).error();
        auto parsed = api::parse_json(answered->body);
        if (parsed) co_return std::move(parsed->value);
        co_return Error{ErrorClass::transient, "the API server's answer is no JSON: " + parsed.error().message};
    }

    std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Reviews> make_remote_reviews(boost::asio::any_io_executor loop, Clock& clock, Metrics& metrics,
                                             BlockingPool& blocking, RemoteSettings settings) {
    return std::make_unique<RemoteReviews>(
        std::make_unique<Session>(std::move(loop), clock, metrics, blocking, std::move(settings)));
}

}  // namespace ocim::client
