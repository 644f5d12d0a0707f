#include "apiserver/openapi.hpp"

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

/// Keywords of version 3 that version 2 has no word for.
constexpr std::string_view only_v3[] = {"nullable", "oneOf", "anyOf", "not", "x-kubernetes-validations"};

Json schema_v2(const Json& value);

json::object object_v2(const json::object& schema) {
    json::object out;
    for (const auto& [key, item] : schema) {
        const std::string_view name(key);
        bool skip = false;
        for (const auto word : only_v3) skip = skip || name == word;
        if (skip) continue;
        // below "properties" the keys are names of fields, not keywords
        if (name == "properties" && item.is_object()) {
            json::object properties;
            for (const auto& [field, below] : item.get_object()) properties[field] = schema_v2(below);
            out[name] = std::move(properties);
        } else if (name == "default" || name == "enum" || name == "example") {
            out[name] = item;
        } else if (name == "$ref" && item.is_string()) {
            const std::string_view old(item.get_string());
            out[name] = "#/definitions/" + std::string(old.substr(old.rfind('/') + 1));
        } else {
            out[name] = schema_v2(item);
        }
    }
    // kept as it is: version 2 would say that no field is allowed
    if (const auto* keep = schema.if_contains("x-kubernetes-preserve-unknown-fields"); keep && !schema.contains("type"))
        out.erase("properties");
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
