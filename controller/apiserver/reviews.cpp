#include "apiserver/reviews.hpp"

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
    out["groups"] = texts(caller.groups);
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

json::object rules_status(const Rules& rules) {
    json::array resources, paths;
    for (const auto& rule : rules.resources) {
        json::object one;
        one["verbs"] = texts(rule.verbs);
        one["apiGroups"] = texts(rule.groups);
        one["resources"] = texts(rule.plurals);
        resources.push_back(std::move(one));
    }
    for (const auto& rule : rules.paths) {
        json::object one;
        one["verbs"] = texts(rule.verbs);
        one["nonResourceURLs"] = texts(rule.paths);
        paths.push_back(std::move(one));
    }
    json::object out;
    out["resourceRules"] = std::move(resources);
    out["nonResourceRules"] = std::move(paths);
    out["incomplete"] = false;
    return out;
}

registry::Caller subject(const Json& body) {
    registry::Caller out;
    out.user = text_of(body, {"spec", "user"});
    if (const auto* groups = api::find(body, {"spec", "groups"}); groups && groups->is_array())
        for (const auto& group : groups->get_array())
            if (group.is_string()) out.groups.emplace_back(group.get_string());
    return out;
}

}  // namespace

net::ServerReply review(const Exchange& exchange, const Authorizer& authorizer, Json body, WallTime now) {
    const auto& plural = exchange.route.plural;
    auto& object = body.as_object();
    if (!object["metadata"].is_object()) object["metadata"] = json::object();
    object["metadata"].as_object()["creationTimestamp"] =
        plural == "selfsubjectreviews" ? Json(rfc3339(now)) : Json(nullptr);
    json::object status;
    if (plural == "selfsubjectreviews") {
        status["userInfo"] = user_info(exchange.caller);
    } else if (plural == "selfsubjectrulesreviews") {
        const auto namespace_ = text_of(body, {"spec", "namespace"});
        if (namespace_.empty()) return refusal_reply(api::bad_request("no namespace on request"));
        status = rules_status(authorizer.rules(exchange.caller, namespace_));
    } else {
        const auto asked = question(body, plural == "selfsubjectaccessreviews" ? exchange.caller : subject(body));
        if (!asked) {
            const auto kind = text_of(body, {"kind"});
            return refusal_reply(api::invalid(
                kind, "authorization.k8s.io", "",
                {{"FieldValueInvalid",
                  "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified",
                  "spec.resourceAttributes"}}));
        }
        status["allowed"] = authorizer.allows(*asked);
    }
    object["status"] = std::move(status);
    return json_reply(201, api::to_text(body) + "\n");
}

}  // namespace ocim::apiserver
