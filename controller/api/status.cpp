#include "api/status.hpp"

#include <set>

namespace ocim::api {

namespace {

/// `widgets.lab.example.com "a"`, or less where less is known.
std::string subject(std::string_view word, std::string_view group, std::string_view name) {
    std::string out(word);
    if (!group.empty()) out += "." + std::string(group);
    if (!name.empty()) out += " " + to_text(Json(name));
    return out;
}

Status about(int code, std::string_view reason, std::string_view kind, std::string_view group, std::string_view name,
             std::string message) {
    Status out;
    out.code = code;
    out.reason = reason;
    out.message = std::move(message);
    out.name = name;
    out.group = group;
    out.kind = kind;
    return out;
}

/// The causes in one text, each said once: `a`, or `[a, b]`.
std::string aggregate(const std::vector<Cause>& causes) {
    std::set<std::string> said;
    std::string out;
    for (const auto& cause : causes) {
        const auto text = cause.field.empty() ? cause.message : cause.field + ": " + cause.message;
        if (!said.insert(text).second) continue;
        out += (out.empty() ? "" : ", ") + text;
    }
    return said.size() > 1 ? "[" + out + "]" : out;
}

json::object encode_cause(const Cause& cause) {
    json::object out;
    if (!cause.reason.empty()) out["reason"] = cause.reason;
    if (!cause.message.empty()) out["message"] = cause.message;
    if (!cause.field.empty()) out["field"] = cause.field;
    return out;
}

json::object encode_details(const Status& status) {
    json::object out;
    if (!status.name.empty()) out["name"] = status.name;
    if (!status.group.empty()) out["group"] = status.group;
    if (!status.kind.empty()) out["kind"] = status.kind;
    if (!status.uid.empty()) out["uid"] = status.uid;
    if (!status.causes.empty()) {
        json::array causes;
        for (const auto& cause : status.causes) causes.push_back(encode_cause(cause));
        out["causes"] = std::move(causes);
    }
    if (status.retry_after_seconds) out["retryAfterSeconds"] = *status.retry_after_seconds;
    return out;
}

ErrorClass class_of(const Status& status) {
    switch (status.code) {
        case 400:
        case 405:
        case 406:
        case 413:
        case 415:
        case 422:
        case 431: return ErrorClass::invalid;
        case 401: return ErrorClass::auth;
        case 403:
            // a namespace on its way out is no refusal of our credentials: what was addressed is going
            for (const auto& cause : status.causes)
                if (cause.reason == "NamespaceTerminating") return ErrorClass::not_found;
            return ErrorClass::auth;
        case 404:
        case 410: return ErrorClass::not_found;
        case 409:
        case 412: return ErrorClass::conflict;
        case 429: return ErrorClass::rate_limited;
        default: return ErrorClass::transient;
    }
}

}  // namespace

Json Status::to_json() const {
    json::object out;
    out["kind"] = "Status";
    out["apiVersion"] = "v1";
    auto& metadata = (out["metadata"] = json::object()).get_object();
    if (!continue_token.empty()) metadata["continue"] = continue_token;
    out["status"] = "Failure";
    out["message"] = message;
    if (!reason.empty()) out["reason"] = reason;
    if (auto details = encode_details(*this); !details.empty()) out["details"] = std::move(details);
    out["code"] = code;
    return out;
}

Status not_found(std::string_view plural, std::string_view group, std::string_view name) {
    return about(404, "NotFound", plural, group, name, subject(plural, group, name) + " not found");
}

Status already_exists(std::string_view plural, std::string_view group, std::string_view name) {
    return about(409, "AlreadyExists", plural, group, name, subject(plural, group, name) + " already exists");
}

Status conflict(std::string_view plural, std::string_view group, std::string_view name, std::string_view why) {
    return about(409, "Conflict", plural, group, name,
                 "Operation cannot be fulfilled on " + subject(plural, group, name) + ": " + std::string(why));
}

Status invalid(std::string_view kind, std::string_view group, std::string_view name, std::vector<Cause> causes) {
    // the name is quoted even when it is empty, as in `PatchOptions.meta.k8s.io "" is invalid`
    auto message = subject(kind, group, "") + " " + to_text(Json(name)) + " is invalid";
    if (!causes.empty()) message += ": " + aggregate(causes);
    auto out = about(422, "Invalid", kind, group, name, std::move(message));
    out.causes = std::move(causes);
    return out;
}

Status bad_request(std::string message) { return about(400, "BadRequest", "", "", "", std::move(message)); }

Status forbidden(std::string_view plural, std::string_view group, std::string_view name, std::string_view why) {
    return about(403, "Forbidden", plural, group, name,
                 subject(plural, group, name) + " is forbidden: " + std::string(why));
}

Status internal_error(std::string message) {
    auto out = about(500, "InternalError", "", "", "", "Internal error occurred: " + message);
    out.causes.push_back({"", std::move(message), ""});
    return out;
}

Error to_error(const Status& status) {
    Error out{class_of(status), status.message};
    if (status.retry_after_seconds) out.retry_after = std::chrono::seconds(*status.retry_after_seconds);
    return out;
}

}  // namespace ocim::api
