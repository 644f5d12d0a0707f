#include "monitoring/newrelic_client.hpp"

#include "base/utf8.hpp"
#include "monitoring/newrelic_queries.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ocim::monitoring::newrelic {

namespace {

using api::Json;
namespace json = api::json;

constexpr std::size_t message_max = 300;  // bytes of what New Relic says, in a message of ours
constexpr Duration wait{5'000};           // when it says "too many" without saying for how long
constexpr std::string_view calls_name = "ocim_newrelic_calls_total";

struct Word {
    std::string_view word;
    ErrorClass error_class;
    bool unknown = false;  ///< what was asked may have been done, or may still be
};
constexpr std::array words{
    Word{"BAD_API_KEY", ErrorClass::auth},
    Word{"UNAUTHORIZED", ErrorClass::auth},
    Word{"FORBIDDEN", ErrorClass::auth},
    Word{"ACCESS_DENIED", ErrorClass::auth},
    Word{"UNAUTHORIZED_ACCOUNT", ErrorClass::auth},
    Word{"MISSING_CAPABILITIES", ErrorClass::auth},
    Word{"NOT_PERMITTED", ErrorClass::auth},
    Word{"NOT_FOUND", ErrorClass::not_found},
    Word{"ENTITY_NOT_FOUND", ErrorClass::not_found},
    Word{"BAD_REQUEST", ErrorClass::invalid},
    Word{"BAD_USER_INPUT", ErrorClass::invalid},
    Word{"INVALID_PARAMETER", ErrorClass::invalid},
    Word{"VALIDATION_ERROR", ErrorClass::invalid},
    Word{"INVALID_KEY", ErrorClass::invalid},
    Word{"INVALID_VALUE", ErrorClass::invalid},
    Word{"TOO_MANY_TAG_KEYS", ErrorClass::invalid},
    Word{"TOO_MANY_TAG_VALUES", ErrorClass::invalid},
    Word{"PAYMENT_REQUIRED", ErrorClass::invalid},
    Word{"INVALID_DOMAIN_TYPE", ErrorClass::invalid},
    Word{"INVALID_ENTITY_GUID", ErrorClass::invalid},
    Word{"UNEXPECTED_PARAMETER", ErrorClass::invalid},
    Word{"MISSING_PARAMETERS", ErrorClass::invalid},
    Word{"UNSUPPORTED_CHANNEL_TYPE", ErrorClass::invalid},
    Word{"LIMIT_REACHED", ErrorClass::invalid},
    Word{"MISSING_ENTITLEMENT", ErrorClass::invalid},
    Word{"FEATURE_FLAG_DISABLED", ErrorClass::invalid},
    // what refers to it, or bears its name, was not seen: a look comes first
    Word{"ENTITY_IN_USE", ErrorClass::conflict},
    Word{"DUPLICATE", ErrorClass::conflict},
    Word{"CHANNEL_NOT_FOUND", ErrorClass::conflict},
    Word{"TOO_MANY_REQUESTS", ErrorClass::rate_limited},
    Word{"RATE_LIMITED", ErrorClass::rate_limited},
    Word{"CONCURRENT_TASK_EXCEPTION", ErrorClass::transient},
    Word{"TIMEOUT", ErrorClass::transient, true},
    Word{"TIMEOUT_ERROR", ErrorClass::transient, true},
    Word{"UPDATE_WILL_BE_DELAYED", ErrorClass::transient, true},
    Word{"SERVER_ERROR", ErrorClass::transient, true},
    Word{"INTERNAL_SERVER_ERROR", ErrorClass::transient, true},
    Word{"UNKNOWN_ERROR", ErrorClass::transient, true},
};

constexpr std::string_view advice(ErrorClass error_class) {
    return error_class == ErrorClass::auth ? "; a user key (NRAK-…) of the account's region is needed, whose user may "
                                             "manage synthetics and alerts: "
                                             "put one into the Secret"
                                           : "";
}

/// The word by which an error of `errors` is known.
std::string_view word_of(const Json& error) {
    for (const auto* key : {"error_code", "errorClass", "code"})
        if (const auto word = api::find_text(error, {"extensions", key}); !word.empty()) return word;
    return {};
}

/// The first of `errors` that is one: some only say that a field will go.
const Json* first_error(const Json& body) {
    const auto* errors = api::find(body, {"errors"});
    if (!errors || !errors->is_array()) return nullptr;
    for (const auto& error : errors->get_array())
        if (!api::find_text(error, {"message"}).starts_with("This field is deprecated!")) return &error;
    return nullptr;
}

std::string details_of(const Json& error) {
    std::string out;
    for (const auto* key : {"description", "message", "details"})
        if (const auto text = api::find_text(error, {key}); !text.empty())
            out += (out.empty() ? "" : ": ") + std::string(text);
    if (const auto* fields = api::find(error, {"fields"}); fields && fields->is_array())
        for (const auto& field : fields->get_array())
            out += (out.empty() ? "" : "; ") + std::string(api::find_text(field, {"field"})) + " " +
                   std::string(api::find_text(field, {"message"}));
    return out;
}

}  // namespace

Error strange(const std::string& what, bool writes) {
    Error error{ErrorClass::unreachable, "what answers is not New Relic's NerdGraph: " + what};
    error.outcome_unknown = writes;
    return error;
}

Error classified(std::string_view word, std::string_view message, bool writes) {
    const auto found = std::ranges::find(words, word, &Word::word);
    // what is not known may be anything, so it is tried again
    const auto known = found == words.end() ? Word{word, ErrorClass::transient, true} : *found;
    Error error{known.error_class, std::string(word.empty() ? "" : std::string(word) + ": ") +
                                       one_line(message, message_max) + std::string(advice(known.error_class))};
    if (known.error_class == ErrorClass::rate_limited) error.retry_after = wait;
    if (word == "PAYMENT_REQUIRED") error.message += "; the account's plan allows no more checks";
    error.outcome_unknown = writes && known.unknown;
    return std::move(error).within("New Relic");
}

const Json& answer_of(const Json& data) {
    static const Json nothing;
    const auto* found = api::find(data, {"answer"});
    return found ? *found : nothing;
}

std::optional<Error> refusal(const Json& answer) {
    if (!answer.is_object()) return strange("it answers nothing to a mutation", true);
    const Json* first = api::find(answer, {"error"});
    if (const auto* errors = api::find(answer, {"errors"});
        errors && errors->is_array() && !errors->get_array().empty())
        first = &errors->get_array().front();
    if (!first || first->is_null()) return std::nullopt;
    auto word = api::find_text(*first, {"type"});
    if (word.empty() && api::find_text(*first, {"__typename"}) == "AiNotificationsDataValidationError")
        word = "VALIDATION_ERROR";
    return classified(word, details_of(*first), true);
}

NerdGraph::NerdGraph(std::unique_ptr<net::HttpClient> http, const runtime::Services& services, Settings settings)
    : http_(std::move(http)), clock_(services.clock), metrics_(services.metrics), settings_(std::move(settings)) {
    for (const auto* query : all_queries)
        for (const auto* result :
             {"success", "transient", "rate_limited", "conflict", "not_found", "auth", "unreachable", "invalid"})
            (void)metrics_.counter(std::string(calls_name), "Calls to New Relic by what was asked and what came of it",
                                   {{"call", std::string(query->name)}, {"result", result}});
}

void NerdGraph::count(std::string_view call, std::string_view result) {
    metrics_.counter(std::string(calls_name), "", {{"call", std::string(call)}, {"result", std::string(result)}})
        .Increment();
}

awaitable<Result<Json>> NerdGraph::ask(const Query& query, json::object variables) {
    auto answer = co_await exchange(query, std::move(variables));
    count(query.name, answer ? "success" : name_of(answer.error().error_class));
    co_return answer;
}

awaitable<Result<Json>> NerdGraph::exchange(const Query& query, json::object variables) {
    net::HttpRequest request;
    request.method = "POST";
    request.target = settings_.target;
    request.headers["Accept"] = "application/json";
    request.secret_headers["API-Key"] = settings_.api_key;
    request.body = api::to_text(json::object{{"query", query.text}, {"variables", std::move(variables)}});
    request.once = true;
    auto reply = co_await http_->send(std::move(request));
    failed_ = !reply || reply->status < 200 || reply->status >= 300;
    if (!reply) {
        auto error = std::move(reply).error();
        if (!query.writes) error.outcome_unknown = false;
        co_return std::move(error).within("New Relic");
    }
    co_return read(*reply, query.writes);
}

Error NerdGraph::refused(const net::HttpReply& reply) const {
    auto error = net::expect_success(reply, clock_.wall()).error();
    if (reply.status == 402) error.error_class = ErrorClass::invalid;
    if (reply.status == 429 && !error.retry_after) error.retry_after = wait;
    error.message += advice(error.error_class);
    return std::move(error).within("New Relic");
}

Result<Json> NerdGraph::read(const net::HttpReply& reply, bool writes) const {
    const auto body = api::parse_json(reply.body);
    const auto* error = body ? first_error(body->value) : nullptr;
    const auto word = error ? word_of(*error) : std::string_view();
    if (reply.status < 200 || reply.status >= 300) {
        auto refusal = refused(reply);
        refusal.outcome_unknown = refusal.outcome_unknown && writes;
        return refusal;
    }
    if (!body) return strange(body.error().message, writes);
    if (error) return classified(word, api::find_text(*error, {"message"}), writes);
    const auto* data = api::find(body->value, {"data"});
    if (!data || !data->is_object()) return strange("it answers without data", writes);
    return *data;
}

}  // namespace ocim::monitoring::newrelic
