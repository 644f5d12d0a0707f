#include "apiserver/body.hpp"

#include "api/yaml.hpp"
#include "apiserver/protobuf.hpp"
#include "base/limits.hpp"

namespace ocim::apiserver {

namespace {

using api::Json;
using json_kind = api::json::kind;
using Read = Result<api::Parsed, api::Status>;

Result<api::Parsed> parse(BodyType type, const std::string& body) {
    if (type == BodyType::yaml || type == BodyType::apply_patch) return api::parse_yaml(body);
    if (type != BodyType::protobuf) return api::parse_json(body);
    auto decoded = decode_protobuf(body);
    if (!decoded) return std::move(decoded).error();
    return api::Parsed{*std::move(decoded), {}};
}

awaitable<Result<api::Parsed>> parsed(BlockingPool& pool, BodyType type, const std::string& body) {
    if (body.size() < limits::parse_on_loop_bytes_max) co_return parse(type, body);
    auto work = [type, body]() -> Result<api::Parsed> { return parse(type, body); };
    co_return co_await pool.call(std::move(work));
}

api::Status unreadable(const Error& error, std::string_view what) {
    if (error.error_class == ErrorClass::rate_limited) {
        api::Status status;
        status.code = 429;
        status.reason = "TooManyRequests";
        status.message = "Too many requests, please try again later.";
        status.retry_after_seconds = 1;
        return status;
    }
    return api::bad_request(std::string(what) + error.message);
}

/// The body's type and kind must be the URL's. A built-in kind may leave them out.
Result<void, api::Status> check_type(Json& value, const BodyRules& rules) {
    auto* object = value.if_object();
    if (!object)
        return api::bad_request("the object provided is not a JSON object (must be of type " + rules.kind + ")");
    for (const auto& [field, expected] :
         {std::pair<std::string_view, const std::string&>{"kind", rules.kind}, {"apiVersion", rules.api_version}}) {
        const auto* found = object->if_contains(field);
        const bool absent = !found || found->is_null() || (found->is_string() && found->get_string().empty());
        if (!absent) continue;
        if (!rules.built_in)
            return api::bad_request("Object '" + std::string(field == "kind" ? "Kind" : field) +
                                    "' is missing in the object of kind " + rules.kind);
        (*object)[field] = expected;
    }
    const auto version = api::find_text(value, {"apiVersion"});
    if (version != rules.api_version)
        return api::bad_request("the API version in the data (" + std::string(version) +
                                ") does not match the expected API version (" + rules.api_version + ")");
    return {};
}

}  // namespace

BodyRules rules_of(const registry::Resource& resource) {
    return {resource.kind, resource.api_version(), resource.built_in};
}

awaitable<Read> read_object(BlockingPool& pool, const std::string& content_type, const std::string& body,
                            BodyRules rules) {
    const auto type = body_type(content_type);
    const bool accepted =
        type == BodyType::json || type == BodyType::yaml || (type == BodyType::protobuf && rules.built_in);
    if (!accepted) {
        std::string list = "application/json, application/yaml";
        if (rules.built_in) list += ", application/vnd.kubernetes.protobuf";
        co_return unsupported_media_type(list);
    }
    auto read = co_await parsed(pool, type, body);
    if (!read)
        co_return unreadable(read.error(),
                             "the object provided is unrecognized (must be of type " + rules.kind + "): ");
    if (auto checked = check_type(read->value, rules); !checked) co_return std::move(checked).error();
    co_return *std::move(read);
}

awaitable<Read> read_patch(BlockingPool& pool, BodyType type, const std::string& body, BodyRules rules) {
    auto read = co_await parsed(pool, type, body);
    const bool apply = type == BodyType::apply_patch;
    if (!read) co_return unreadable(read.error(), apply ? "error decoding YAML: " : "error decoding patch: ");
    if (apply) {
        // whoever applies always says what it is, built in or not
        rules.built_in = false;
        if (auto checked = check_type(read->value, rules); !checked) co_return std::move(checked).error();
    }
    co_return *std::move(read);
}

namespace {

/// A wrong type must not make a delete one without its conditions.
Result<void, api::Status> check_delete_options(const Json& value) {
    const auto check = [&](std::initializer_list<std::string_view> path, json_kind wanted) {
        const auto* found = api::find(value, path);
        return !found || found->is_null() || found->kind() == wanted;
    };
    using kind = json_kind;
    const bool right = check({"preconditions"}, kind::object) && check({"preconditions", "uid"}, kind::string) &&
                       check({"preconditions", "resourceVersion"}, kind::string) &&
                       check({"orphanDependents"}, kind::bool_) && check({"propagationPolicy"}, kind::string) &&
                       check({"gracePeriodSeconds"}, kind::int64) && check({"dryRun"}, kind::array);
    if (right) return {};
    return api::bad_request(
        "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: a field is of the "
        "wrong type in " +
        api::to_text(value));
}

}  // namespace

Result<registry::DeleteOptions, api::Status> read_delete_options(const std::string& content_type,
                                                                 const std::string& body) {
    registry::DeleteOptions out;
    if (body.empty()) return out;
    const auto type = body_type(content_type);
    if (type != BodyType::json && type != BodyType::yaml && type != BodyType::protobuf)
        return unsupported_media_type("application/json, application/yaml, application/vnd.kubernetes.protobuf");
    auto read = parse(type, body);
    if (!read) return unreadable(read.error(), "the DeleteOptions cannot be read: ");
    const auto& value = read->value;
    if (!value.is_object()) return api::bad_request("the DeleteOptions are not an object");
    const auto kind = api::find_text(value, {"kind"});
    if (!kind.empty() && kind != "DeleteOptions")
        return api::bad_request("the body of a delete must be DeleteOptions, not " + std::string(kind));

    if (auto typed = check_delete_options(value); !typed) return std::move(typed).error();
    if (const auto* uid = api::find(value, {"preconditions", "uid"}); uid && uid->is_string())
        out.uid = std::string(uid->get_string());
    if (const auto* version = api::find(value, {"preconditions", "resourceVersion"}); version && version->is_string())
        out.resource_version = std::string(version->get_string());
    if (const auto* orphan = api::find(value, {"orphanDependents"}); orphan && orphan->is_bool() && orphan->get_bool())
        out.propagation = registry::Propagation::orphan;
    if (const auto* dry = api::find(value, {"dryRun"}); dry && dry->is_array())
        for (const auto& how : dry->get_array()) {
            if (how != "All")
                return api::invalid(
                    "DeleteOptions", "meta.k8s.io", "",
                    {{"FieldValueNotSupported",
                      "Unsupported value: " + api::to_text(how) + ": supported values: \"All\"", "dryRun"}});
            out.write.dry_run = true;
        }
    auto policy = read_propagation(api::find_text(value, {"propagationPolicy"}));
    if (!policy) return std::move(policy).error();
    if (*policy && out.propagation)
        return api::invalid("DeleteOptions", "meta.k8s.io", "",
                            {{"FieldValueInvalid",
                              "Invalid value: \"" + std::string(api::find_text(value, {"propagationPolicy"})) +
                                  "\": orphanDependents and deletionPropagation cannot be both set",
                              "propagationPolicy"}});
    if (*policy) out.propagation = *policy;
    return out;
}

Result<std::optional<registry::Propagation>, api::Status> read_propagation(std::string_view policy) {
    using Policy = std::optional<registry::Propagation>;
    if (policy.empty()) return Policy();
    if (policy == "Orphan") return Policy(registry::Propagation::orphan);
    if (policy == "Foreground") return Policy(registry::Propagation::foreground);
    if (policy == "Background") return Policy(registry::Propagation::background);
    return api::invalid("DeleteOptions", "meta.k8s.io", "",
                        {{"FieldValueNotSupported",
                          "Unsupported value: " + api::to_text(Json(policy)) +
                              ": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                          "propagationPolicy"}});
}

}  // namespace ocim::apiserver
