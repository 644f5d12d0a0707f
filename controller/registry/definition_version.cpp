#include "registry/definition_version.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "registry/names.hpp"
#include "registry/scale.hpp"
#include "schema/column.hpp"
#include "schema/schema.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace ocim::registry {

using api::Cause;
using api::Json;
namespace json = boost::json;

namespace {

constexpr std::size_t selectable_fields_max = 8;  // as Kubernetes
constexpr std::size_t warning_bytes_max = 256;    // as Kubernetes

std::string text(const Json& value, std::string_view name) { return std::string(api::find_text(value, {name})); }

const json::array& list(const Json& value, std::string_view name) {
    static const json::array none;
    const auto* found = api::find(value, {name});
    return found && found->is_array() ? found->get_array() : none;
}

void invalid(std::vector<Cause>& out, const std::string& field, std::string_view value, const std::string& why) {
    out.push_back({"FieldValueInvalid", "Invalid value: " + api::to_text(Json(value)) + ": " + why, field});
}
void required(std::vector<Cause>& out, const std::string& field, const std::string& why = "") {
    out.push_back({"FieldValueRequired", "Required value" + (why.empty() ? "" : ": " + why), field});
}

template <std::size_t n>
void check_one_of(const std::array<std::string_view, n>& allowed, const std::string& field, const std::string& value,
                  std::vector<Cause>& out) {
    if (std::ranges::find(allowed, std::string_view(value)) != allowed.end()) return;
    std::string names;
    for (const auto name : allowed) names += (names.empty() ? "" : ",") + std::string(name);
    invalid(out, field, value, "must be one of " + names);
}

void check_column(const Json& column, const std::string& at, std::vector<Cause>& out) {
    static constexpr std::array<std::string_view, 5> types{"boolean", "date", "integer", "number", "string"};
    static constexpr std::array<std::string_view, 8> formats{"byte",  "date",  "date-time", "double",
                                                             "float", "int32", "int64",     "password"};
    if (text(column, "name").empty()) required(out, at + ".name");
    const auto type = text(column, "type"), format = text(column, "format"), path = text(column, "jsonPath");
    if (type.empty())
        required(out, at + ".type", "must be one of boolean,date,integer,number,string");
    else
        check_one_of(types, at + ".type", type, out);
    if (!format.empty()) check_one_of(formats, at + ".format", format, out);
    if (path.empty())
        required(out, at + ".jsonPath");
    else if (!path.starts_with('.'))
        invalid(out, at + ".jsonPath", path, "must be a simple json path starting with .");
    else if (auto parsed = schema::JsonPath::parse(path); !parsed)
        invalid(out, at + ".jsonPath", path, parsed.error().message);
}

/// The schema of the field that a path of plain names leads to, or null.
const Json* schema_at(const Json& schema, std::string_view path) {
    const auto* out = &schema;
    while (out && path.starts_with('.')) {
        path.remove_prefix(1);
        const auto name = path.substr(0, path.find('.'));
        out = api::find(*out, {"properties", name});
        path.remove_prefix(name.size());
    }
    return path.empty() ? out : nullptr;
}

void check_selectable(const Json& version, const std::string& at, std::vector<Cause>& out) {
    const auto& fields = list(version, "selectableFields");
    const auto* schema = api::find(version, {"schema", "openAPIV3Schema"});
    std::set<std::string> seen;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto here = at + ".selectableFields[" + std::to_string(i) + "].jsonPath";
        const auto path = text(fields[i], "jsonPath");
        if (path.empty()) {
            required(out, here);
            continue;
        }
        const auto* found = schema && path != "." ? schema_at(*schema, path) : nullptr;
        if (!found) {
            invalid(out, here, path, "is an invalid path: does not refer to a valid field");
            continue;
        }
        if (path == ".metadata" || path.starts_with(".metadata."))
            invalid(out, here, path, "must not point to fields in metadata");
        const auto type = text(*found, "type");
        if (type != "string" && type != "boolean" && type != "integer")
            invalid(out, here, path,
                    "must point to a field of type string, boolean or integer. Enum string fields and strings with "
                    "formats are allowed.");
        if (!seen.insert(path).second)
            out.push_back({"FieldValueDuplicate", "Duplicate value: " + api::to_text(Json(path)), here});
    }
    if (seen.size() > selectable_fields_max)
        out.push_back({"FieldValueTooMany",
                       "Too many: " + std::to_string(seen.size()) + ": must have at most " +
                           std::to_string(selectable_fields_max) + " items",
                       at + ".selectableFields"});
}

void check_deprecation(const Json& version, const std::string& at, std::vector<Cause>& out) {
    const auto* warning = api::find(version, {"deprecationWarning"});
    if (!warning || !warning->is_string()) return;
    const std::string_view words = warning->get_string();
    const auto* deprecated = api::find(version, {"deprecated"});
    const auto wrong = [&](const std::string& why) { invalid(out, at + ".deprecationWarning", words, why); };
    if (!deprecated || !deprecated->is_bool() || !deprecated->get_bool())
        return wrong("can only be set for deprecated versions");
    if (words.size() > warning_bytes_max) wrong("must be <= 256 characters long");
    if (words.empty()) wrong("must not be an empty string");
    const auto control =
        std::ranges::find_if(words, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (control != words.end())
        wrong("must only contain printable UTF-8 characters; non-printable character found at index " +
              std::to_string(control - words.begin()));
}

/// With a status of its own, what is said at the root must hold for the status alone too.
void check_root(const Json& version, const std::string& at, std::vector<Cause>& out) {
    static constexpr std::array<std::string_view, 23> allowed{"description",
                                                              "type",
                                                              "format",
                                                              "title",
                                                              "maximum",
                                                              "exclusiveMaximum",
                                                              "minimum",
                                                              "exclusiveMinimum",
                                                              "maxLength",
                                                              "minLength",
                                                              "pattern",
                                                              "maxItems",
                                                              "minItems",
                                                              "uniqueItems",
                                                              "multipleOf",
                                                              "required",
                                                              "items",
                                                              "properties",
                                                              "externalDocs",
                                                              "example",
                                                              "x-kubernetes-preserve-unknown-fields",
                                                              "x-kubernetes-validations",
                                                              "nullable"};  // refused by itself
    const auto* schema = api::find(version, {"schema", "openAPIV3Schema"});
    if (!schema || !schema->is_object() || !api::find(version, {"subresources", "status"})) return;
    for (const auto& [keyword, value] : schema->get_object())
        if (std::ranges::find(allowed, std::string_view(keyword)) == allowed.end())
            out.push_back({"FieldValueForbidden",
                           "Forbidden: must not be used at the root of the schema if the status subresource is enabled",
                           at + ".schema.openAPIV3Schema." + std::string(keyword)});
}

/// `message` of a schema's compiler starts with the field: "spec.versions[0]…: why".
Cause cause_of(const std::string& message, const std::string& field) {
    const auto colon = message.find(": ");
    if (!message.starts_with("spec.") || colon == std::string::npos)
        return {"FieldValueInvalid", "Invalid value: \"\": " + message, field};
    auto why = message.substr(colon + 2);
    const bool worded = why.starts_with("Invalid value") || why.starts_with("Required value") ||
                        why.starts_with("Forbidden") || why.starts_with("Unsupported value");
    const std::string reason = why.starts_with("Required")      ? "FieldValueRequired"
                               : why.starts_with("Forbidden")   ? "FieldValueForbidden"
                               : why.starts_with("Unsupported") ? "FieldValueNotSupported"
                                                                : "FieldValueInvalid";
    return {reason, worded ? why : "Invalid value: \"\": " + why, message.substr(0, colon)};
}

}  // namespace

void check_version(const Json& version, const std::string& at, std::vector<Cause>& out) {
    const auto name = text(version, "name");
    for (const auto& why : wrong_with_1035_label(name)) invalid(out, at + ".name", name, why);
    check_deprecation(version, at, out);
    const auto& columns = list(version, "additionalPrinterColumns");
    for (std::size_t i = 0; i < columns.size(); ++i)
        check_column(columns[i], at + ".additionalPrinterColumns[" + std::to_string(i) + "]", out);
    check_selectable(version, at, out);
    if (const auto* scale = api::find(version, {"subresources", "scale"}))
        for (auto& cause : validate_scale_paths(*scale, at + ".subresources.scale")) out.push_back(std::move(cause));
    check_root(version, at, out);
    const auto field = at + ".schema.openAPIV3Schema";
    const auto* schema = api::find(version, {"schema", "openAPIV3Schema"});
    if (!schema) return required(out, field, "schemas are required");
    if (auto compiled = schema::Schema::compile(*schema, field); !compiled)
        out.push_back(cause_of(compiled.error().message, field));
}

namespace {

enum class Holds { value, schema, schemas, map_of_schemas, schema_or_list, rules };

/// Every keyword of a schema of apiextensions.k8s.io/v1 that holds more schemas or rules; and of the others.
std::optional<Holds> keyword(std::string_view name) {
    static constexpr std::pair<std::string_view, Holds> deep[] = {{"items", Holds::schema_or_list},
                                                                  {"allOf", Holds::schemas},
                                                                  {"oneOf", Holds::schemas},
                                                                  {"anyOf", Holds::schemas},
                                                                  {"not", Holds::schema},
                                                                  {"properties", Holds::map_of_schemas},
                                                                  {"additionalProperties", Holds::schema},
                                                                  {"patternProperties", Holds::map_of_schemas},
                                                                  {"dependencies", Holds::map_of_schemas},
                                                                  {"additionalItems", Holds::schema},
                                                                  {"definitions", Holds::map_of_schemas},
                                                                  {"x-kubernetes-validations", Holds::rules}};
    static constexpr std::string_view plain[] = {"id",
                                                 "$schema",
                                                 "$ref",
                                                 "description",
                                                 "type",
                                                 "format",
                                                 "title",
                                                 "default",
                                                 "maximum",
                                                 "exclusiveMaximum",
                                                 "minimum",
                                                 "exclusiveMinimum",
                                                 "maxLength",
                                                 "minLength",
                                                 "pattern",
                                                 "maxItems",
                                                 "minItems",
                                                 "uniqueItems",
                                                 "multipleOf",
                                                 "enum",
                                                 "maxProperties",
                                                 "minProperties",
                                                 "required",
                                                 "externalDocs",
                                                 "example",
                                                 "nullable",
                                                 "x-kubernetes-preserve-unknown-fields",
                                                 "x-kubernetes-embedded-resource",
                                                 "x-kubernetes-int-or-string",
                                                 "x-kubernetes-list-map-keys",
                                                 "x-kubernetes-list-type",
                                                 "x-kubernetes-map-type"};
    const auto found = std::ranges::find(deep, name, [](const auto& one) { return one.first; });
    if (found != std::end(deep)) return found->second;
    if (std::ranges::find(plain, name) != std::end(plain)) return Holds::value;
    return std::nullopt;
}

class Dropper {
public:
    std::vector<std::string> unknown;

    void drop(Json& schema, const std::string& path, std::size_t depth) {
        auto* fields = schema.if_object();
        // deeper than that is refused by the compiler, with its reason
        if (!fields || depth > limits::json_depth_max) return;
        std::vector<std::string> gone;
        for (auto& [name, value] : *fields) {
            const auto holds = keyword(name);
            const auto here = path + "." + std::string(name);
            if (!holds) note(here);
            if (!holds || value.is_null())
                gone.emplace_back(name);
            else
                drop_below(value, *holds, here, depth + 1);
        }
        for (const auto& name : gone) fields->erase(name);
    }

private:
    void drop_below(Json& value, Holds holds, const std::string& path, std::size_t depth) {
        switch (holds) {
            case Holds::value: return;
            case Holds::schema: return drop(value, path, depth);
            case Holds::map_of_schemas:
                if (auto* map = value.if_object())
                    for (auto& [name, one] : *map) drop(one, path + "." + std::string(name), depth);
                return;
            case Holds::schemas:
            case Holds::schema_or_list:
                if (auto* items = value.if_array())
                    for (std::size_t i = 0; i < items->size(); ++i)
                        drop((*items)[i], path + "[" + std::to_string(i) + "]", depth);
                else if (holds == Holds::schema_or_list)
                    drop(value, path, depth);
                return;
            case Holds::rules: return drop_in_rules(value, path);
        }
    }

    void drop_in_rules(Json& value, const std::string& path) {
        static constexpr std::string_view known[] = {"rule",   "message",   "messageExpression",
                                                     "reason", "fieldPath", "optionalOldSelf"};
        auto* rules = value.if_array();
        for (std::size_t i = 0; rules && i < rules->size(); ++i) {
            auto* rule = (*rules)[i].if_object();
            if (!rule) continue;
            std::vector<std::string> gone;
            for (const auto& [name, part] : *rule) {
                const bool is_known = std::ranges::find(known, std::string_view(name)) != std::end(known);
                if (!is_known) note(path + "[" + std::to_string(i) + "]." + std::string(name));
                if (!is_known || part.is_null()) gone.emplace_back(name);
            }
            for (const auto& name : gone) rule->erase(name);
        }
    }

    void note(const std::string& path) {
        bytes_ += path.size();
        if (unknown.size() < limits::causes_max && bytes_ < limits::causes_bytes_max) unknown.push_back(path);
    }

    std::size_t bytes_ = 0;
};

}  // namespace

std::vector<std::string> drop_unknown_keywords(Json& definition) {
    Dropper dropper;
    auto* spec = definition.is_object() ? definition.get_object().if_contains("spec") : nullptr;
    auto* versions = spec && spec->is_object() ? spec->get_object().if_contains("versions") : nullptr;
    if (!versions || !versions->is_array()) return {};
    for (std::size_t i = 0; i < versions->get_array().size(); ++i) {
        auto* version = versions->get_array()[i].if_object();
        auto* schema = version ? version->if_contains("schema") : nullptr;
        auto* open_api = schema && schema->is_object() ? schema->get_object().if_contains("openAPIV3Schema") : nullptr;
        if (open_api) dropper.drop(*open_api, "spec.versions[" + std::to_string(i) + "].schema.openAPIV3Schema", 0);
    }
    return std::move(dropper.unknown);
}

}  // namespace ocim::registry
