#include "apiserver/reviews.hpp"

#include "api/selector.hpp"

#include <array>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

json::array texts(const std::vector<std::string>& items) {
    json::array out;
    for (const auto& item : items) out.emplace_back(item);
    return out;
}

json::object user_info(const registry::Caller& caller) {
    json::object out;
    out["username"] = caller.user;
    if (!caller.uid.empty()) out["uid"] = caller.uid;
    if (!caller.groups.empty()) out["groups"] = texts(caller.groups);
    if (caller.extra.empty()) return out;
    json::object extra;
    for (const auto& [key, values] : caller.extra) extra[key] = texts(values);
    out["extra"] = std::move(extra);
    return out;
}

std::string text_of(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

/// The question in `spec`; nothing when it asks for neither a resource nor a path.
std::optional<Attributes> question(const Json& body, registry::Caller caller) {
    Attributes out;
    out.caller = std::move(caller);
    if (const auto* r = api::find(body, {"spec", "resourceAttributes"})) {
        out.verb = text_of(*r, {"verb"});
        out.group = text_of(*r, {"group"});
        out.version = text_of(*r, {"version"});
        out.plural = text_of(*r, {"resource"});
        out.subresource = text_of(*r, {"subresource"});
        out.namespace_ = text_of(*r, {"namespace"});
        out.name = text_of(*r, {"name"});
        return out;
    }
    if (const auto* p = api::find(body, {"spec", "nonResourceAttributes"})) {
        out.verb = text_of(*p, {"verb"});
        out.path = text_of(*p, {"path"});
        return out;
    }
    return std::nullopt;
}

json::object rules_status(const PolicyRules& rules) {
    json::array resources, paths;
    for (const auto& rule : rules) {
        auto one = rule.to_json();
        (rule.paths.empty() ? resources : paths).push_back(std::move(one));
    }
    json::object out;
    out["resourceRules"] = std::move(resources);
    out["nonResourceRules"] = std::move(paths);
    out["incomplete"] = false;
    return out;
}

std::vector<std::string> words_at(const Json& body, std::initializer_list<std::string_view> path) {
    std::vector<std::string> out;
    if (const auto* list = api::find(body, path); list && list->is_array())
        for (const auto& item : list->get_array())
            if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

registry::Caller subject(const Json& body) {
    registry::Caller out;
    out.user = text_of(body, {"spec", "user"});
    out.groups = words_at(body, {"spec", "groups"});
    return out;
}

json::object token_status(Authenticator& authenticator, const Json& body) {
    json::object out;
    const auto found =
        authenticator.check_token(text_of(body, {"spec", "token"}), words_at(body, {"spec", "audiences"}));
    if (!found) {
        out["authenticated"] = false;
        out["user"] = json::object();
        out["error"] = found.error().message;
        return out;
    }
    out["authenticated"] = true;
    out["user"] = user_info(found->caller);
    if (!found->audiences.empty()) out["audiences"] = texts(found->audiences);
    return out;
}

constexpr auto attributes = "spec.resourceAttributes";
constexpr std::array selector_fields{"fieldSelector", "labelSelector"};

/// What Kubernetes refuses about the selectors of a question. RBAC gives no rights to selections, so beyond this they
/// change no answer.
std::optional<api::Cause> wrong_selector(const Json& body) {
    for (const auto* field : selector_fields) {
        const auto* selector = api::find(body, {"spec", "resourceAttributes", field});
        if (!selector || !selector->is_object()) continue;
        const auto raw = text_of(*selector, {"rawSelector"});
        const auto* requirements = api::find(*selector, {"requirements"});
        const bool listed = requirements && requirements->is_array() && !requirements->get_array().empty();
        const auto path = std::string(attributes) + "." + field;
        if (!raw.empty() && listed)
            return api::Cause{"FieldValueInvalid",
                              "Invalid value: \"" + raw + "\": may not specified at the same time as requirements",
                              path + ".rawSelector"};
        if (raw.empty() && !listed)
            return api::Cause{"FieldValueRequired",
                              "Required value: when " + path + " is specified, requirements or rawSelector is required",
                              path + ".requirements"};
        if (!listed) continue;
        for (std::size_t i = 0; i < requirements->get_array().size(); ++i)
            if (text_of(requirements->get_array()[i], {"key"}).empty())
                return api::Cause{"FieldValueRequired", "Required value: must be specified",
                                  path + ".requirements[" + std::to_string(i) + "].key"};
    }
    return std::nullopt;
}

/// Which selectors could not be read: they are ignored, and the answer says so.
std::string ignored_selectors(const Json& body) {
    std::string out;
    for (const auto* field : selector_fields) {
        const auto raw = text_of(body, {"spec", "resourceAttributes", field, "rawSelector"});
        const bool readable = std::string_view(field) == "labelSelector" ? bool(api::LabelSelector::parse(raw))
                                                                         : bool(api::FieldSelector::parse(raw));
        if (raw.empty() || readable) continue;
        if (!out.empty()) out += "; ";
        out += std::string(attributes) + "." + field + " ignored due to parse error";
    }
    return out;
}

net::ServerReply wrong_spec(const Json& body, const char* why, const char* field) {
    return refusal_reply(api::invalid(text_of(body, {"kind"}), "authorization.k8s.io", "",
                                      {{"FieldValueInvalid", std::string("Invalid value: ") + why, field}}));
}

/// The answer to "may he", or why it is no question.
Result<json::object, net::ServerReply> access_status(const Exchange& exchange, const Authorizer& authorizer,
                                                     const Json& body) {
    const auto& route = exchange.route;
    const bool own = route.plural == "selfsubjectaccessreviews";
    const auto asked = question(body, own ? exchange.caller : subject(body));
    if (!asked ||
        (api::find(body, {"spec", "resourceAttributes"}) && api::find(body, {"spec", "nonResourceAttributes"})))
        return wrong_spec(body, "exactly one of nonResourceAttributes or resourceAttributes must be specified",
                          "spec.resourceAttributes");
    if (!own && asked->caller.user.empty() && asked->caller.groups.empty())
        return wrong_spec(body, "at least one of user or group must be specified", "spec.user");
    if (route.plural == "localsubjectaccessreviews" && asked->namespace_ != route.namespace_)
        return wrong_spec(body, "must match metadata.namespace", "spec.resourceAttributes.namespace");
    if (auto wrong = wrong_selector(body))
        return refusal_reply(api::invalid(text_of(body, {"kind"}), "authorization.k8s.io", "", {*std::move(wrong)}));
    json::object out;
    out["allowed"] = authorizer.allows(*asked);
    if (auto ignored = ignored_selectors(body); !ignored.empty()) out["evaluationError"] = std::move(ignored);
    return out;
}

}  // namespace

net::ServerReply review(const Exchange& exchange, const Authorizer& authorizer, Authenticator& authenticator, Json body,
                        WallTime now) {
    const auto& plural = exchange.route.plural;
    auto& object = body.as_object();
    if (!object["metadata"].is_object()) object["metadata"] = json::object();
    object["metadata"].as_object()["creationTimestamp"] =
        plural == "selfsubjectreviews" ? Json(rfc3339(now)) : Json(nullptr);
    json::object status;
    if (plural == "selfsubjectreviews") {
        status["userInfo"] = user_info(exchange.caller);
    } else if (plural == "tokenreviews") {
        if (text_of(body, {"spec", "token"}).empty())
            return refusal_reply(api::bad_request("token is required for TokenReview in authentication"));
        status = token_status(authenticator, body);
    } else if (plural == "selfsubjectrulesreviews") {
        const auto namespace_ = text_of(body, {"spec", "namespace"});
        if (namespace_.empty()) return refusal_reply(api::bad_request("no namespace on request"));
        status = rules_status(authorizer.rules(exchange.caller, namespace_));
    } else {
        auto answered = access_status(exchange, authorizer, body);
        if (!answered) return std::move(answered).error();
        status = *std::move(answered);
    }
    object["status"] = std::move(status);
    return json_reply(201, api::to_text(body) + "\n");
}

}  // namespace ocim::apiserver
