#include "registry/special.hpp"

#include "registry/definition.hpp"
#include "registry/event_shape.hpp"
#include "registry/quota.hpp"
#include "registry/roles.hpp"

#include <algorithm>

namespace ocim::registry {

using api::Cause;
using api::Json;
namespace json = boost::json;

namespace {

constexpr std::size_t data_bytes_max = 1024 * 1024;  // as Kubernetes, for Secrets and ConfigMaps

std::string base64(std::string_view bytes) {
    static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto at = [&](std::size_t k) { return k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U; };
        const unsigned group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        out += letters[group >> 18 & 63];
        out += letters[group >> 12 & 63];
        out += i + 1 < bytes.size() ? letters[group >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? letters[group & 63] : '=';
    }
    return out;
}

std::string quoted(std::string_view text) { return api::to_text(Json(text)); }

/// The fields of a map, none when it is absent.
const json::object& fields_of(const Json& object, std::string_view name) {
    static const json::object none;
    const auto* found = object.get_object().if_contains(name);
    return found && found->is_object() ? found->get_object() : none;
}

void check_keys(const Json& object, const char* field, std::vector<Cause>& out) {
    for (const auto& [key, value] : fields_of(object, field))
        for (const auto& why : wrong_with_config_key(key))
            out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(key) + ": " + why,
                           std::string(field) + "[" + std::string(key) + "]"});
}

std::size_t plain_size(const Json& object, const char* field, bool encoded) {
    std::size_t total = 0;
    for (const auto& [key, value] : fields_of(object, field))
        if (value.is_string()) total += encoded ? value.get_string().size() / 4 * 3 : value.get_string().size();
    return total;
}

void check_frozen(const Json& object, const Json& old, std::initializer_list<const char*> fields,
                  std::vector<Cause>& out) {
    const auto* frozen = old.get_object().if_contains("immutable");
    if (!frozen || !frozen->is_bool() || !frozen->get_bool()) return;
    const auto forbid = [&](const char* field) {
        out.push_back({"FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", field});
    };
    const auto* still = object.get_object().if_contains("immutable");
    if (!still || *still != *frozen) forbid("immutable");
    for (const char* field : fields)
        if (fields_of(object, field) != fields_of(old, field)) forbid(field);
}

void check_secret(const Json& secret, const Json* old, std::vector<Cause>& out) {
    check_keys(secret, "data", out);
    if (plain_size(secret, "data", true) > data_bytes_max)
        out.push_back({"FieldValueTooLong", "Too long: may not be more than 1048576 bytes", "data"});
    const auto type = api::find_text(secret, {"type"});
    const auto& data = fields_of(secret, "data");
    const auto need = [&](const char* key) {
        if (!data.contains(key))
            out.push_back({"FieldValueRequired", "Required value", "data[" + std::string(key) + "]"});
    };
    if (type == "kubernetes.io/tls") need("tls.crt"), need("tls.key");
    if (type == "kubernetes.io/ssh-auth") need("ssh-privatekey");
    if (type == "kubernetes.io/dockerconfigjson") need(".dockerconfigjson");
    if (type == "kubernetes.io/basic-auth" && !data.contains("username") && !data.contains("password"))
        need("username"), need("password");
    if (!old) return;
    if (type != api::find_text(*old, {"type"}))
        out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(type) + ": field is immutable", "type"});
    check_frozen(secret, *old, {"data"}, out);
}

void check_config_map(const Json& map, const Json* old, std::vector<Cause>& out) {
    check_keys(map, "data", out);
    check_keys(map, "binaryData", out);
    for (const auto& [key, value] : fields_of(map, "binaryData"))
        if (fields_of(map, "data").contains(key))
            out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(key) + ": duplicate of key present in data",
                           "binaryData[" + std::string(key) + "]"});
    if (plain_size(map, "data", false) + plain_size(map, "binaryData", true) > data_bytes_max)
        out.push_back({"FieldValueTooLong", "Too long: may not be more than 1048576 bytes", ""});
    if (old) check_frozen(map, *old, {"data", "binaryData"}, out);
}

}  // namespace

std::vector<std::string> selectable_fields(std::string_view group, std::string_view plural) {
    if (group.empty() && plural == "namespaces") return {"status.phase"};
    if (group.empty() && plural == "secrets") return {"type"};
    if (plural == "events" && (group.empty() || group == "events.k8s.io"))
        return {"involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
                "regarding.kind",
                "regarding.namespace",
                "regarding.name",
                "regarding.uid",
                "regarding.apiVersion",
                "regarding.resourceVersion",
                "regarding.fieldPath",
                "reportingController"};
    return {};
}

void fold_string_data(Json& secret) {
    auto& fields = secret.as_object();
    const auto* plain = fields.if_contains("stringData");
    if (!plain) return;
    if (plain->is_object() && !plain->get_object().empty()) {
        const auto values = plain->get_object();
        auto& data = api::make_object(secret, {"data"});
        for (const auto& [key, value] : values)
            if (value.is_string()) data[key] = base64(std::string_view(value.get_string()));
    }
    fields.erase("stringData");
}

void prepare_create(const Served& served, Json& object) {
    switch (served.special) {
        case Special::namespace_: {
            const std::string name(api::find_text(object, {"metadata", "name"}));
            api::make_object(object, {"metadata", "labels"})["kubernetes.io/metadata.name"] = name;
            api::make_object(object, {"spec"})["finalizers"] = json::array{"kubernetes"};
            api::make_object(object, {"status"})["phase"] = "Active";
            break;
        }
        case Special::secret:
            fold_string_data(object);
            if (api::find_text(object, {"type"}).empty()) object.as_object()["type"] = "Opaque";
            break;
        case Special::binding: prepare_binding(object); break;
        case Special::definition: prepare_definition(object, nullptr); break;
        case Special::none:
        case Special::role:
        case Special::quota:
        case Special::config_map:
        case Special::event_core:
        case Special::event_v1: break;
    }
}

void prepare_update(const Served& served, Json& object, const Json& old) {
    switch (served.special) {
        case Special::namespace_: {
            // who may let a namespace go is decided by its sub-resource finalize alone
            const std::string name(api::find_text(object, {"metadata", "name"}));
            api::make_object(object, {"metadata", "labels"})["kubernetes.io/metadata.name"] = name;
            auto& spec = api::make_object(object, {"spec"});
            const auto* finalizers = api::find(old, {"spec", "finalizers"});
            if (finalizers)
                spec["finalizers"] = *finalizers;
            else
                spec.erase("finalizers");
            break;
        }
        case Special::secret:
            fold_string_data(object);
            if (api::find_text(object, {"type"}).empty()) object.as_object()["type"] = api::find_text(old, {"type"});
            break;
        case Special::binding: prepare_binding(object); break;
        case Special::definition: prepare_definition(object, &old); break;
        case Special::none:
        case Special::role:
        case Special::quota:
        case Special::config_map:
        case Special::event_core:
        case Special::event_v1: break;
    }
}

std::vector<Cause> validate_special(const Served& served, const Json& object, const Json* old) {
    std::vector<Cause> out;
    switch (served.special) {
        case Special::secret: check_secret(object, old, out); break;
        case Special::config_map: check_config_map(object, old, out); break;
        case Special::event_v1: out = validate_event(object, old); break;
        case Special::event_core:
            if (const auto at = api::find_text(object, {"involvedObject", "namespace"});
                !at.empty() && at != api::find_text(object, {"metadata", "namespace"}))
                out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(at) + ": does not match event.namespace",
                               "involvedObject.namespace"});
            break;
        case Special::definition: out = validate_definition(object, old); break;
        case Special::role: out = validate_role(object, served.resource.namespaced); break;
        case Special::binding: out = validate_binding(object, old, served.resource.namespaced); break;
        case Special::quota: out = validate_quota(object); break;
        case Special::none:
        case Special::namespace_: break;
    }
    return out;
}

}  // namespace ocim::registry
