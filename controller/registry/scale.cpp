#include "registry/scale.hpp"

#include <limits>

namespace ocim::registry {

using api::Cause;
using api::Json;
namespace json = boost::json;

namespace {

const Json* at_path(const Json& value, const std::vector<std::string>& path) {
    const auto* out = &value;
    for (const auto& step : path)
        if (!(out = api::find(*out, {step}))) return nullptr;
    return out;
}

std::optional<std::int64_t> number_at(const Json& value, const std::vector<std::string>& path) {
    const auto* found = at_path(value, path);
    if (!found || !found->is_int64()) return std::nullopt;
    return found->get_int64();
}

std::string dotted(const std::vector<std::string>& path) {
    std::string out;
    for (const auto& step : path) out += "." + step;
    return out;
}

api::Status invalid(const std::string& name, std::string reason, std::string message, const char* field) {
    return api::invalid("Scale", "autoscaling", name, {{std::move(reason), std::move(message), field}});
}

/// What says that it is a Scale of the object of that name.
std::optional<api::Status> check_scale(const Json& scale, const std::string& name) {
    if (!scale.is_object()) return api::bad_request("the body of a scale is not an object");
    const auto text = [&](std::initializer_list<std::string_view> path) {
        return std::string(api::find_text(scale, path));
    };
    if (const auto kind = text({"kind"}); !kind.empty() && kind != "Scale")
        return api::bad_request("the body of a scale must be of kind Scale, not " + kind);
    if (const auto version = text({"apiVersion"}); !version.empty() && version != "autoscaling/v1")
        return api::bad_request("the API version in the data (" + version +
                                ") does not match the expected API version (autoscaling/v1)");
    if (const auto told = text({"metadata", "name"}); !told.empty() && told != name)
        return api::bad_request("the name of the object (" + told + ") does not match the name on the URL (" + name +
                                ")");
    return std::nullopt;
}

std::optional<api::Status> check_number(const Json& wanted, const std::string& name) {
    if (!wanted.is_int64() || wanted.get_int64() > std::numeric_limits<std::int32_t>::max())
        return api::bad_request(
            "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas is no 32-bit number");
    if (wanted.get_int64() < 0)
        return invalid(name, "FieldValueInvalid",
                       "Invalid value: " + api::to_text(wanted) + ": must be greater than or equal to 0",
                       "spec.replicas");
    return std::nullopt;
}

void put_number(Json& object, const Resource& resource, const Json& number) {
    auto* place = &object;
    for (const auto& step : resource.scale->spec_replicas) {
        if (!place->is_object()) *place = json::object();
        place = &place->get_object()[step];
    }
    *place = number;
}

}  // namespace

Outcome<Json> scale_of(const Resource& resource, const Json& object) {
    const auto& paths = *resource.scale;
    const auto wanted = number_at(object, paths.spec_replicas);
    if (!wanted)
        return api::internal_error("the spec replicas field \"" + dotted(paths.spec_replicas) + "\" does not exist");
    json::object metadata;
    for (const auto* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"})
        if (const auto* value = api::find(object, {"metadata", field})) metadata[field] = *value;
    json::object status;
    status["replicas"] = number_at(object, paths.status_replicas).value_or(0);
    const auto* selector = paths.label_selector.empty() ? nullptr : at_path(object, paths.label_selector);
    if (selector && selector->is_string() && !selector->get_string().empty()) status["selector"] = *selector;
    json::object out;
    out["kind"] = "Scale";
    out["apiVersion"] = "autoscaling/v1";
    out["metadata"] = std::move(metadata);
    out["spec"] = json::object{{"replicas", *wanted}};
    out["status"] = std::move(status);
    return Json(std::move(out));
}

Outcome<Json> scaled(const Resource& resource, const Json& object, const Json& scale) {
    const std::string name(api::find_text(object, {"metadata", "name"}));
    if (auto wrong = check_scale(scale, name)) return *std::move(wrong);
    for (const auto* field : {"uid", "resourceVersion"}) {
        const auto told = api::find_text(scale, {"metadata", field});
        if (!told.empty() && told != api::find_text(object, {"metadata", field}))
            return api::conflict(resource.plural, resource.group, name,
                                 "the object has been modified; please apply your changes to the latest version and "
                                 "try again");
    }
    // Go's zero is left out on the wire
    const Json zero = 0;
    const auto* wanted = api::find(scale, {"spec", "replicas"});
    if (!wanted || wanted->is_null()) wanted = &zero;
    if (auto wrong = check_number(*wanted, name)) return *std::move(wrong);
    Json out = object;
    put_number(out, resource, *wanted);
    return out;
}

Outcome<Json> applied_scale(const Resource& resource, const std::string& name, const Json& scale) {
    if (auto wrong = check_scale(scale, name)) return *std::move(wrong);
    const auto* wanted = api::find(scale, {"spec", "replicas"});
    // nobody's number would be 0, which is not what somebody who leaves it out means
    if (!wanted || wanted->is_null()) return invalid(name, "FieldValueRequired", "Required value", "spec.replicas");
    if (auto wrong = check_number(*wanted, name)) return *std::move(wrong);
    json::object metadata;
    for (const auto* field : {"name", "namespace", "uid", "resourceVersion", "managedFields"})
        if (const auto* value = api::find(scale, {"metadata", field})) metadata[field] = *value;
    Json out(json::object{{"apiVersion", resource.api_version()}, {"kind", resource.kind}});
    out.get_object()["metadata"] = std::move(metadata);
    put_number(out, resource, *wanted);
    return out;
}

std::vector<std::string> scale_path(std::string_view text) {
    std::vector<std::string> out;
    if (text.starts_with('.')) text.remove_prefix(1);
    while (!text.empty()) {
        const auto dot = std::min(text.find('.'), text.size());
        out.emplace_back(text.substr(0, dot));
        text.remove_prefix(std::min(dot + 1, text.size()));
    }
    return out;
}

std::vector<Cause> validate_scale_paths(const Json& scale, const std::string& at) {
    std::vector<Cause> out;
    const auto check = [&](const char* field, bool needed, bool in_spec, bool in_status) {
        const auto path = api::find_text(scale, {field});
        const auto here = at + "." + field;
        if (path.empty()) {
            if (needed) out.push_back({"FieldValueRequired", "Required value", here});
            return;
        }
        const auto wrong = [&](const std::string& why) {
            out.push_back({"FieldValueInvalid", "Invalid value: " + api::to_text(Json(path)) + ": " + why, here});
        };
        const bool below = (in_spec && path.starts_with(".spec.")) || (in_status && path.starts_with(".status."));
        if (path.find_first_of("[]{}") != path.npos || path.find("..") != path.npos || path.ends_with('.'))
            wrong("is not a simple path of field names, such as .spec.replicas");
        else if (!below)
            wrong(std::string("should be a json path under ") + (in_spec && in_status ? "either .status or .spec"
                                                                 : in_spec            ? ".spec"
                                                                                      : ".status"));
    };
    check("specReplicasPath", true, true, false);
    check("statusReplicasPath", true, false, true);
    check("labelSelectorPath", false, true, true);
    return out;
}

}  // namespace ocim::registry
