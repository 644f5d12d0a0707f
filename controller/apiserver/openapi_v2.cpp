#include "apiserver/openapi.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

/// Keywords of version 3 that version 2 has no word for.
constexpr std::string_view only_v3[] = {"nullable", "oneOf", "anyOf", "allOf", "not", "x-kubernetes-validations"};

bool is_true(const json::object& schema, std::string_view keyword) {
    const auto* value = schema.if_contains(keyword);
    return value && value->is_bool() && value->get_bool();
}

std::string reference_v2(std::string_view old) {
    return "#/definitions/" + std::string(old.substr(old.rfind('/') + 1));
}

/// What a schema refers to, itself or by an allOf of one: version 2 needs no allOf to describe a reference.
std::string_view referenced(const json::object& schema) {
    if (const auto* own = schema.if_contains("$ref"); own && own->is_string()) return own->get_string();
    const auto* all = schema.if_contains("allOf");
    if (!all || !all->is_array() || all->get_array().size() != 1) return {};
    return api::find_text(all->get_array().front(), {"$ref"});
}

Json schema_v2(const Json& value);

/// Those of `required` that may not be null: version 2 knows no null, and would count one as absent.
json::array required_v2(const json::array& required, const json::object& schema) {
    const auto* properties = schema.if_contains("properties");
    json::array out;
    for (const auto& name : required) {
        const auto* one = properties && name.is_string() ? api::find(*properties, {name.get_string()}) : nullptr;
        if (!one || !one->is_object() || !is_true(one->get_object(), "nullable")) out.push_back(name);
    }
    return out;
}

/// kubectl refuses items and properties where the type is not told or more may come, and an array without items.
void loosen(json::object& out, const json::object& schema) {
    const bool nullable = is_true(schema, "nullable");
    if (nullable) out.erase("type");
    if (nullable || is_true(schema, "x-kubernetes-preserve-unknown-fields")) {
        out.erase("items");
        out.erase("properties");
    }
    if (out.contains("type") && out["type"] == "array" && !out.contains("items")) out.erase("type");
}

json::object object_v2(const json::object& schema) {
    json::object out;
    if (const auto target = referenced(schema); !target.empty()) {
        out["$ref"] = reference_v2(target);
        for (const auto* keyword : {"description", "default"})
            if (const auto* value = schema.if_contains(keyword)) out[keyword] = *value;
        return out;
    }
    for (const auto& [key, item] : schema) {
        const std::string_view name(key);
        if (std::ranges::find(only_v3, name) != std::end(only_v3)) continue;
        // below "properties" the keys are names of fields, not keywords
        if (name == "properties" && item.is_object()) {
            json::object properties;
            for (const auto& [field, below] : item.get_object()) properties[field] = schema_v2(below);
            out[name] = std::move(properties);
        } else if (name == "required" && item.is_array()) {
            if (auto kept = required_v2(item.get_array(), schema); !kept.empty()) out[name] = std::move(kept);
        } else if (name == "default" || name == "enum" || name == "example") {
            out[name] = item;
        } else {
            out[name] = schema_v2(item);
        }
    }
    loosen(out, schema);
    return out;
}

Json schema_v2(const Json& value) {
    if (value.is_object()) return object_v2(value.get_object());
    if (!value.is_array()) return value;
    json::array out;
    for (const auto& item : value.get_array()) out.push_back(schema_v2(item));
    return out;
}

json::array parameters_v2(const json::array& parameters) {
    json::array out;
    for (const auto& parameter : parameters) {
        auto one = parameter.as_object();
        const auto schema = one["schema"];
        one.erase("schema");
        for (const auto& [key, item] : schema.as_object()) one[key] = item;
        out.emplace_back(std::move(one));
    }
    return out;
}

/// The schema below the first media type of a "content".
Json content_schema(const Json& holder) {
    const auto* content = api::find(holder, {"content"});
    if (!content || content->get_object().empty()) return nullptr;
    const auto* schema = api::find(content->get_object().begin()->value(), {"schema"});
    return schema ? schema_v2(*schema) : Json(nullptr);
}

json::object operation_v2(const json::object& operation) {
    auto out = operation;
    json::array parameters;
    if (const auto* old = operation.if_contains("parameters")) parameters = parameters_v2(old->get_array());
    if (const auto* body = operation.if_contains("requestBody")) {
        json::object one;
        one["name"] = "body";
        one["in"] = "body";
        if (const auto* required = api::find(*body, {"required"})) one["required"] = *required;
        one["schema"] = content_schema(*body);
        parameters.emplace_back(std::move(one));
        json::array consumes;
        for (const auto& [type, ignored] : api::find(*body, {"content"})->get_object()) consumes.emplace_back(type);
        out["consumes"] = std::move(consumes);
        out.erase("requestBody");
    }
    if (!parameters.empty()) out["parameters"] = std::move(parameters);
    out["produces"] = json::array{"application/json"};
    out["schemes"] = json::array{"https"};
    for (auto& [code, response] : out["responses"].as_object()) {
        auto schema = content_schema(response);
        response.as_object().erase("content");
        if (!schema.is_null()) response.as_object()["schema"] = std::move(schema);
    }
    return out;
}

}  // namespace

Json open_api_v2(const std::vector<Json>& documents) {
    json::object paths, definitions;
    for (const auto& document : documents) {
        for (const auto& [path, item] : api::find(document, {"paths"})->get_object()) {
            json::object out;
            for (const auto& [key, below] : item.get_object())
                if (key == "parameters")
                    out[key] = parameters_v2(below.get_array());
                else
                    out[key] = operation_v2(below.get_object());
            paths[path] = std::move(out);
        }
        for (const auto& [name, schema] : api::find(document, {"components", "schemas"})->get_object())
            definitions[name] = schema_v2(schema);
    }
    json::object info;
    info["title"] = "Ocim";
    info["version"] = "v1";
    json::object out;
    out["swagger"] = "2.0";
    out["info"] = std::move(info);
    out["paths"] = std::move(paths);
    out["definitions"] = std::move(definitions);
    return out;
}

}  // namespace ocim::apiserver
