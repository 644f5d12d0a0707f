#include "registry/body.hpp"

#include "registry/definition_version.hpp"
#include "registry/metadata.hpp"
#include "registry/times.hpp"

namespace ocim::registry {

using api::Json;
using api::Status;

std::optional<Status> check_type(const Request& request, Json& object) {
    const auto& resource = request.served->resource;
    if (!object.is_object())
        return api::bad_request("the object provided is unrecognized (must be of type " + resource.kind +
                                "): it is not a JSON object");
    auto& fields = object.get_object();
    const std::string kind(api::find_text(object, {"kind"}));
    const std::string version(api::find_text(object, {"apiVersion"}));
    if (!resource.built_in && (kind.empty() || version.empty()))
        return api::bad_request(std::string("Object '") + (kind.empty() ? "Kind" : "apiVersion") + "' is missing in '" +
                                api::to_text(object) + "'");
    if (!kind.empty() && kind != resource.kind) {
        if (resource.built_in)
            return api::bad_request(kind + " in version \"" + resource.version + "\" cannot be handled as a " +
                                    resource.kind);
        return request.invalid(std::string(api::find_text(object, {"metadata", "name"})),
                               {{"FieldValueInvalid",
                                 "Invalid value: " + api::to_text(Json(kind)) + ": must be " + resource.kind, "kind"}});
    }
    if (!version.empty() && version != resource.api_version())
        return api::bad_request("the API version in the data (" + version +
                                ") does not match the expected API version (" + resource.api_version() + ")");
    fields["kind"] = resource.kind;
    fields["apiVersion"] = resource.api_version();
    return std::nullopt;
}

std::optional<Status> check_place(const Request& request, Json& object) {
    auto& metadata = api::make_object(object, {"metadata"});
    const std::string name(api::find_text(object, {"metadata", "name"}));
    if (!request.name.empty()) {
        if (!name.empty() && name != request.name)
            return api::bad_request("the name of the object (" + name + ") does not match the name on the URL (" +
                                    request.name + ")");
        metadata["name"] = request.name;
    }
    if (!request.served->resource.namespaced) {
        if (!api::find_text(object, {"metadata", "namespace"}).empty()) metadata.erase("namespace");
        return std::nullopt;
    }
    const std::string namespace_(api::find_text(object, {"metadata", "namespace"}));
    if (!namespace_.empty() && namespace_ != request.namespace_)
        return api::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request");
    metadata["namespace"] = request.namespace_;
    return std::nullopt;
}

namespace {

/// What of the body is not as declared, as Kubernetes' strict decoder words it.
std::vector<std::string> complaints(const std::vector<std::string>& duplicates,
                                    const std::vector<std::string>& unknown) {
    std::vector<std::string> out;
    for (const auto& path : duplicates) out.push_back("duplicate field \"" + path + "\"");
    for (const auto& path : unknown) out.push_back("unknown field \"" + path + "\"");
    return out;
}

Status strict_refusal(const Request& request, const Json& object, const std::vector<std::string>& wrong,
                      Origin origin) {
    std::string what = "strict decoding error: ";
    for (const auto& one : wrong) what += (&one == &wrong.front() ? "" : ", ") + one;
    const auto& resource = request.served->resource;
    if (origin == Origin::patch) {
        const auto text = api::to_text(Json(api::to_text(object)));
        return api::invalid("", "", "", {{"FieldValueInvalid", "Invalid value: " + text + ": " + what, "patch"}});
    }
    return api::bad_request(resource.kind + " in version \"" + resource.version + "\" cannot be handled as a " +
                            resource.kind + ": " + what);
}

}  // namespace

Outcome<std::vector<std::string>> accept_body(const Request& request, api::Parsed& body, Origin origin) {
    auto& object = body.value;
    if (auto wrong = check_type(request, object)) return *std::move(wrong);
    std::vector<std::string> unknown;
    if (auto tidied = tidy_metadata(object, unknown); !tidied) {
        const auto& resource = request.served->resource;
        return api::bad_request(resource.kind + " in version \"" + resource.version + "\" cannot be handled as a " +
                                resource.kind + ": " + tidied.error().message);
    }
    if (auto wrong = check_place(request, object)) return *std::move(wrong);
    for (auto& path : request.served->resource.schema.prune(object)) unknown.push_back(std::move(path));
    if (request.served->special == Special::definition)
        for (auto& path : drop_unknown_keywords(object)) unknown.push_back(std::move(path));
    const auto& resource = request.served->resource;
    if (resource.built_in) put_times_in_form(object, resource.schema);
    auto wrong = complaints(body.duplicates, unknown);
    switch (request.options.field_validation) {
        case FieldValidation::ignore: return std::vector<std::string>();
        case FieldValidation::warn: return wrong;
        case FieldValidation::strict: break;
    }
    if (!wrong.empty()) return strict_refusal(request, object, wrong, origin);
    return wrong;
}

}  // namespace ocim::registry
