#include "apiserver/discovery.hpp"
#include "apiserver/openapi.hpp"
#include "apiserver/openapi_meta.hpp"
#include "apiserver/parts.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

constexpr std::string_view reference_prefix = "#/components/schemas/";
constexpr std::string_view meta_prefix = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// "com.opencraft.ocim.v1alpha1.DNSRecord"; the built-in kinds have Kubernetes' names.
std::string schema_name(std::string_view group, std::string_view version, std::string_view kind) {
    std::string out;
    if (group.find('.') == group.npos || group.ends_with(".k8s.io")) {
        out = "io.k8s.api." + (group.empty() ? std::string("core") : std::string(group.substr(0, group.find('.'))));
    } else {
        for (auto rest = group; !rest.empty();) {
            const auto dot = rest.rfind('.');
            out += (out.empty() ? "" : ".") + std::string(dot == rest.npos ? rest : rest.substr(dot + 1));
            rest = dot == rest.npos ? std::string_view() : rest.substr(0, dot);
        }
    }
    return out + "." + std::string(version) + "." + std::string(kind);
}

json::object reference(std::string_view name) {
    json::object out;
    out["$ref"] = std::string(reference_prefix) + std::string(name);
    return out;
}

json::object meta_reference(std::string_view name) { return reference(std::string(meta_prefix) + std::string(name)); }

json::object gvk(std::string_view group, std::string_view version, std::string_view kind) {
    json::object out;
    out["group"] = group;
    out["kind"] = kind;
    out["version"] = version;
    return out;
}

json::object text_schema(std::string_view description) {
    json::object out;
    out["type"] = "string";
    out["description"] = description;
    return out;
}

constexpr std::string_view about_version =
    "The group and version of this representation of the object. A server may refuse one that it does not know.";
constexpr std::string_view about_kind = "The kind of the object, in PascalCase. It cannot be changed.";

/// An object's schema as clients want it: with its kind, and metadata by reference.
json::object object_schema(const registry::Resource& r) {
    auto parsed = api::parse_json(r.schema.open_api());
    auto out = parsed && parsed->value.is_object() ? std::move(parsed->value.get_object()) : json::object();
    out["type"] = "object";
    if (!out["properties"].is_object()) out["properties"] = json::object();
    auto& properties = out["properties"].as_object();
    properties["apiVersion"] = text_schema(about_version);
    properties["kind"] = text_schema(about_kind);
    json::object metadata;
    metadata["description"] = "Name, labels, annotations and what else every object has.";
    metadata["default"] = json::object();
    metadata["allOf"] = json::array{meta_reference("ObjectMeta")};
    properties["metadata"] = std::move(metadata);
    out["x-kubernetes-group-version-kind"] = json::array{gvk(r.group, r.version, r.kind)};
    return out;
}

json::object list_schema(const registry::Resource& r) {
    json::object items;
    items["description"] = "The objects, in the order of namespace and name.";
    items["type"] = "array";
    items["items"] = reference(schema_name(r.group, r.version, r.kind));
    json::object metadata;
    metadata["description"] = "What is common to all lists: where a watch goes on, where the next page begins.";
    metadata["allOf"] = json::array{meta_reference("ListMeta")};
    json::object properties;
    properties["apiVersion"] = text_schema(about_version);
    properties["items"] = std::move(items);
    properties["kind"] = text_schema(about_kind);
    properties["metadata"] = std::move(metadata);
    json::object out;
    out["description"] = r.list_kind + " is a list of " + r.kind + ".";
    out["type"] = "object";
    out["required"] = json::array{"items"};
    out["properties"] = std::move(properties);
    out["x-kubernetes-group-version-kind"] = json::array{gvk(r.group, r.version, r.list_kind)};
    return out;
}

// --- paths

json::object parameter(std::string_view name, std::string_view in, std::string_view type,
                       std::string_view description) {
    json::object out;
    out["name"] = name;
    out["in"] = in;
    out["description"] = description;
    if (in == "path") out["required"] = true;
    json::object schema;
    schema["type"] = type;
    schema["uniqueItems"] = true;
    out["schema"] = std::move(schema);
    return out;
}

json::array write_parameters(bool patch) {
    json::array out;
    out.push_back(parameter("dryRun", "query", "string", "All: answer as if it were done, and store nothing."));
    out.push_back(parameter("fieldManager", "query", "string", "Who owns the fields that this request sets."));
    out.push_back(parameter("fieldValidation", "query", "string",
                            "What becomes of fields that are unknown or given twice: Ignore, Warn or Strict."));
    if (patch) out.push_back(parameter("force", "query", "boolean", "An apply takes over fields that others own."));
    return out;
}

json::array list_parameters() {
    json::array out;
    for (const auto& [name, type, text] :
         {std::tuple{"allowWatchBookmarks", "boolean", "A watch may contain BOOKMARK events."},
          {"continue", "string", "Where the page before this one said that the next begins."},
          {"fieldSelector", "string", "Only objects whose fields are like this."},
          {"labelSelector", "string", "Only objects whose labels are like this."},
          {"limit", "integer", "The most objects that one page holds."},
          {"resourceVersion", "string", "How old the answer may be, or where a watch begins."},
          {"resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."},
          {"sendInitialEvents", "boolean", "A watch begins with all objects there are."},
          {"timeoutSeconds", "integer", "When a watch ends."},
          {"watch", "boolean", "Send changes as they happen, instead of a list."}})
        out.push_back(parameter(name, "query", type, text));
    return out;
}

json::object content(std::string_view media_type, json::object schema) {
    json::object body;
    body["schema"] = std::move(schema);
    json::object out;
    out[media_type] = std::move(body);
    return out;
}

/// What an operation is: `action` in Kubernetes' words (get, list, post, put, patch, delete, deletecollection).
struct Operation {
    std::string_view action;
    const registry::Resource& resource;
    const Part& part;  ///< without a name: the object itself
};

bool takes_patch(const Operation& o, std::string_view type) {
    return type != "application/strategic-merge-patch+json" || o.resource.built_in;
}

json::object request_body(const Operation& o) {
    json::object out;
    if (o.action == "patch") {
        json::object media;
        json::object schema;
        schema["schema"] = meta_reference("Patch");
        for (const auto* type : {"application/apply-patch+yaml", "application/json-patch+json",
                                 "application/merge-patch+json", "application/strategic-merge-patch+json"})
            if (takes_patch(o, type)) media[type] = schema;
        out["content"] = std::move(media);
    } else if (o.action.starts_with("delete")) {
        out["content"] = content("*/*", meta_reference("DeleteOptions"));
        return out;
    } else {
        const auto& p = o.part;
        out["content"] = content("*/*", reference(schema_name(p.group, p.version, p.kind)));
    }
    out["required"] = true;
    return out;
}

json::object responses(const Operation& o) {
    const auto& p = o.part;
    auto schema = reference(schema_name(p.group, p.version, o.action == "list" ? o.resource.list_kind : p.kind));
    if (o.action.starts_with("delete")) schema = meta_reference("Status");
    json::object ok;
    ok["description"] = "OK";
    ok["content"] = content("application/json", std::move(schema));
    json::object out;
    out["200"] = ok;
    if (o.action == "post" || o.action == "put" || o.action == "patch") {
        ok["description"] = "Created";
        out["201"] = ok;
    }
    if (o.action == "delete") {
        ok["description"] = "Accepted";
        out["202"] = ok;
    }
    json::object unauthorized;
    unauthorized["description"] = "Unauthorized";
    out["401"] = std::move(unauthorized);
    return out;
}

json::object operation(const Operation& o, std::string_view id_suffix) {
    const auto& r = o.resource;
    json::object out;
    out["description"] = std::string(o.action) + " " + (o.action == "list" ? r.list_kind : r.kind) +
                         (o.part.name.empty() ? "" : ": " + o.part.name);
    std::string id(o.action);
    for (const char c : r.group + "_" + r.version + "_" + r.kind + std::string(id_suffix))
        if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') id += c;
    out["operationId"] = id;
    std::string tag = r.group.empty() ? "core" : r.group;
    std::ranges::replace(tag, '.', '_');
    out["tags"] = json::array{tag + "_" + r.version};
    if (o.action == "post" || o.action == "put") out["parameters"] = write_parameters(false);
    if (o.action == "patch") out["parameters"] = write_parameters(true);
    if (o.action == "list" || o.action == "deletecollection") out["parameters"] = list_parameters();
    if (o.action == "delete")
        out["parameters"] =
            json::array{parameter("dryRun", "query", "string", "All: answer as if it were done, and store nothing."),
                        parameter("propagationPolicy", "query", "string", "What becomes of what the object owns.")};
    if (o.action != "get" && o.action != "list") out["requestBody"] = request_body(o);
    out["responses"] = responses(o);
    out["x-kubernetes-action"] = o.action;
    out["x-kubernetes-group-version-kind"] = gvk(o.part.group, o.part.version, o.part.kind);
    return out;
}

/// Adds an operation for each verb of the resource, or of a part of it, that `actions` names: (verb, HTTP method,
/// action).
using Action = std::tuple<std::string_view, std::string_view, std::string_view>;
json::object path_item(const registry::Resource& r, std::span<const Action> actions, const Part& part,
                       std::string_view id_suffix, json::array parameters) {
    json::object out;
    for (const auto& [verb, method, action] : actions)
        if (std::ranges::find(part.verbs, verb) != part.verbs.end())
            out[method] = operation({action, r, part}, id_suffix);
    if (!parameters.empty()) out["parameters"] = std::move(parameters);
    return out;
}

void add_paths(json::object& paths, const registry::Resource& r) {
    static constexpr std::array<Action, 3> on_all{
        {{"list", "get", "list"}, {"create", "post", "post"}, {"deletecollection", "delete", "deletecollection"}}};
    static constexpr std::array<Action, 1> on_everything{{{"list", "get", "list"}}};
    static constexpr std::array<Action, 4> on_one{
        {{"get", "get", "get"}, {"update", "put", "put"}, {"patch", "patch", "patch"}, {"delete", "delete", "delete"}}};
    const Part itself{"", r.verbs, r.group, r.version, r.kind};
    const auto base = (r.group.empty() ? "/api/" : "/apis/" + r.group + "/") + r.version + "/";
    json::array scope;
    std::string home = base;
    if (r.namespaced) {
        scope.push_back(parameter("namespace", "path", "string", "The namespace of the object."));
        home += "namespaces/{namespace}/";
        paths[base + r.plural] = path_item(r, on_everything, itself, "ForAllNamespaces", {});
    }
    paths[home + r.plural] = path_item(r, on_all, itself, "", scope);
    auto one = scope;
    one.push_back(parameter("name", "path", "string", "The name of the object."));
    paths[home + r.plural + "/{name}"] = path_item(r, on_one, itself, "Named", one);
    for (const auto& part : parts_of(r)) {
        auto suffix = part.name;
        suffix[0] = char(suffix[0] - 'a' + 'A');
        paths[home + r.plural + "/{name}/" + part.name] = path_item(r, on_one, part, suffix, one);
    }
}

/// A review: a path to POST to, and an object that is as it comes.
void add_review(json::object& paths, json::object& schemas, const VirtualResource& v) {
    registry::Resource r;
    r.group = v.group;
    r.version = v.version;
    r.kind = v.kind;
    r.plural = v.plural;
    r.built_in = true;
    r.verbs = {"create"};
    static constexpr std::array<Action, 1> actions{{{"create", "post", "post"}}};
    paths["/apis/" + r.group + "/" + r.version + "/" + r.plural] =
        path_item(r, actions, {"", r.verbs, r.group, r.version, r.kind}, "", {});
    json::object free_form;
    free_form["type"] = "object";
    free_form["x-kubernetes-preserve-unknown-fields"] = true;
    json::object metadata;
    metadata["allOf"] = json::array{meta_reference("ObjectMeta")};
    json::object properties;
    properties["apiVersion"] = text_schema(about_version);
    properties["kind"] = text_schema(about_kind);
    properties["metadata"] = std::move(metadata);
    properties["spec"] = free_form;
    properties["status"] = std::move(free_form);
    json::object schema;
    schema["description"] = r.kind + " asks the server about a caller; nothing is stored.";
    schema["type"] = "object";
    schema["properties"] = std::move(properties);
    schema["x-kubernetes-group-version-kind"] = json::array{gvk(r.group, r.version, r.kind)};
    schemas[schema_name(r.group, r.version, r.kind)] = std::move(schema);
}

/// autoscaling/v1 Scale, which is answered for the objects of many kinds.
void add_scale(json::object& schemas) {
    json::object replicas;
    replicas["type"] = "integer";
    replicas["format"] = "int32";
    replicas["description"] = "How many there are to be, or are.";
    json::object spec, status, metadata;
    spec["type"] = status["type"] = "object";
    spec["description"] = "What is wanted.";
    spec["properties"] = json::object{{"replicas", replicas}};
    status["description"] = "What there is.";
    status["properties"] =
        json::object{{"replicas", std::move(replicas)}, {"selector", text_schema("Which labels the replicas have.")}};
    metadata["description"] = "The name of the object that is scaled, and its resourceVersion.";
    metadata["allOf"] = json::array{meta_reference("ObjectMeta")};
    json::object properties;
    properties["apiVersion"] = text_schema(about_version);
    properties["kind"] = text_schema(about_kind);
    properties["metadata"] = std::move(metadata);
    properties["spec"] = std::move(spec);
    properties["status"] = std::move(status);
    json::object schema;
    schema["description"] = "How many replicas of something there are to be.";
    schema["type"] = "object";
    schema["properties"] = std::move(properties);
    schema["x-kubernetes-group-version-kind"] = json::array{gvk("autoscaling", "v1", "Scale")};
    schemas[schema_name("autoscaling", "v1", "Scale")] = std::move(schema);
}

}  // namespace

Json open_api_v3(const std::string& group, const std::string& version,
                 const std::vector<registry::Resource>& resources) {
    json::object paths;
    json::object schemas = meta_schemas();
    for (const auto& r : resources) {
        add_paths(paths, r);
        schemas[schema_name(r.group, r.version, r.kind)] = object_schema(r);
        schemas[schema_name(r.group, r.version, r.list_kind)] = list_schema(r);
    }
    if (std::ranges::any_of(resources, [](const registry::Resource& r) { return r.scale.has_value(); }))
        add_scale(schemas);
    for (const auto& v : virtual_resources())
        if (v.group == group && v.version == version) add_review(paths, schemas, v);
    json::object info;
    info["title"] = "Ocim";
    info["version"] = version;
    json::object components;
    components["schemas"] = std::move(schemas);
    json::object out;
    out["openapi"] = "3.0.0";
    out["info"] = std::move(info);
    out["paths"] = std::move(paths);
    out["components"] = std::move(components);
    return out;
}

}  // namespace ocim::apiserver
