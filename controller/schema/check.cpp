#include "schema/message.hpp"
#include "schema/node.hpp"

#include <algorithm>

namespace ocim::schema {
namespace {

enum class Level { root, field, item };

class Checker {
public:
    std::optional<Error> fault;

    void check(const Node& node, Level level, const std::string& path) {
        if (fault) return;
        check_type(node, level, path);
        check_extensions(node, path);
        check_meta(node, level, path);
        check_list(node, path);
        check_map(node, path);
        for (const auto& [name, field] : node.properties) check(field, Level::field, property(path, name));
        if (node.additional) check(*node.additional, Level::field, path + ".additionalProperties");
        if (node.items) check(*node.items, Level::item, path + ".items");
        check_nested(node, path);
    }

private:
    void refuse(const Cause& cause) {
        if (!fault) fault = Error{ErrorClass::invalid, cause.field + ": " + cause.message};
    }
    static std::string property(const std::string& path, std::string_view name) {
        return path + ".properties[" + std::string(name) + "]";
    }
    static bool is_open(const Node& node) { return node.int_or_string || node.preserve_unknown; }

    void check_type(const Node& node, Level level, const std::string& path) {
        const auto here = path + ".type";
        if (node.embedded && node.type == Type::any)
            refuse(required(here, "must be object if x-kubernetes-embedded-resource is true"));
        else if (node.embedded && node.type != Type::object)
            refuse(invalid(here, Json(name_of(node.type)), "must be object if x-kubernetes-embedded-resource is true"));
        else if (node.type == Type::any && !is_open(node))
            refuse(required(here, level == Level::root   ? "must not be empty at the root"
                                  : level == Level::item ? "must not be empty for specified array items"
                                                         : "must not be empty for specified object fields"));
        if (level == Level::root && node.type != Type::any && node.type != Type::object)
            refuse(invalid(here, Json(name_of(node.type)), "must be object at the root"));
        if (level == Level::root && node.nullable)
            refuse(forbidden(path + ".nullable", "nullable cannot be true at the root"));
        if (node.type == Type::array && !node.items) refuse(required(path + ".items", "must be specified"));
    }

    void check_extensions(const Node& node, const std::string& path) {
        if (node.int_or_string && node.type != Type::any)
            refuse(invalid(path + ".type", Json(name_of(node.type)),
                           "must be empty if x-kubernetes-int-or-string is true"));
        if (node.int_or_string && node.preserve_unknown)
            refuse(invalid(path + ".x-kubernetes-preserve-unknown-fields", Json(true),
                           "must be false if x-kubernetes-int-or-string is true"));
        if (node.int_or_string && node.embedded)
            refuse(invalid(path + ".x-kubernetes-embedded-resource", Json(true),
                           "must be false if x-kubernetes-int-or-string is true"));
        const bool additional = node.additional || node.additional_anything;
        if (node.embedded && additional)
            refuse(
                forbidden(path + ".additionalProperties", "must not be used if x-kubernetes-embedded-resource is set"));
        if (node.embedded && !node.preserve_unknown && node.properties.empty())
            refuse(required(path + ".properties",
                            "must not be empty if x-kubernetes-embedded-resource is true without "
                            "x-kubernetes-preserve-unknown-fields"));
        if (node.additional && !node.properties.empty())
            refuse(
                forbidden(path + ".additionalProperties", "additionalProperties and properties are mutual exclusive"));
        for (const auto& name : node.required)
            if (name.empty()) refuse(invalid(path + ".required", Json(name), "must not be empty"));
    }

    void check_meta(const Node& node, Level level, const std::string& path) {
        if (level == Level::root && (node.additional || node.additional_anything))
            refuse(forbidden(path + ".additionalProperties", "must not be used at the root"));
        if (level != Level::root && !node.embedded) return;
        for (const auto name : {"apiVersion", "kind"}) {
            const auto* field = node.property(name);
            if (field && field->type != Type::string)
                refuse(invalid(property(path, name) + ".type", Json(name_of(field->type)), "must be string"));
            if (field && field->default_value && level == Level::root)
                refuse(
                    forbidden(property(path, name) + ".default", "must not be set in top-level " + std::string(name)));
        }
        const auto* metadata = node.property("metadata");
        if (!metadata) return;
        const auto here = property(path, "metadata");
        if (metadata->type != Type::object)
            refuse(invalid(here + ".type", Json(name_of(metadata->type)), "must be object"));
        const auto is_name = [](const auto& field) { return field.name == "name" || field.name == "generateName"; };
        if (level == Level::root &&
            (!std::ranges::all_of(metadata->properties, is_name) || metadata->additional || metadata->default_value))
            refuse(forbidden(here,
                             "must not specify anything other than name and generateName, but metadata is "
                             "implicitly specified"));
    }

    void check_list(const Node& node, const std::string& path) {
        if (node.list_type && node.type != Type::array)
            refuse(invalid(path + ".type", Json(name_of(node.type)),
                           "must be array if x-kubernetes-list-type is specified"));
        const bool map = node.list_type == Node::ListType::map;
        if (!map && !node.list_keys.empty())
            refuse(
                forbidden(path + ".x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty"));
        if (node.list_type == Node::ListType::set && node.items && !is_atomic(*node.items))
            refuse(forbidden(path + ".items",
                             "must be a scalar, an atomic map or an atomic list, as item of a list "
                             "with x-kubernetes-list-type=set"));
        if ((map || node.list_type == Node::ListType::set) && node.items && node.items->nullable)
            refuse(
                forbidden(path + ".items.nullable",
                          std::string("cannot be nullable when x-kubernetes-list-type is ") + (map ? "map" : "set")));
        if (map && node.items) check_keys(node, path);
    }

    static bool is_atomic(const Node& node) {
        if (node.type == Type::object) return node.atomic_map;
        return node.type != Type::array || !node.list_type || *node.list_type == Node::ListType::atomic;
    }

    void check_keys(const Node& list, const std::string& path) {
        const auto here = path + ".x-kubernetes-list-map-keys";
        if (list.list_keys.empty()) refuse(required(here, "must not be empty if x-kubernetes-list-type is map"));
        if (list.items->type != Type::object)
            refuse(invalid(path + ".items.type", Json(name_of(list.items->type)),
                           "must be object if parent array's x-kubernetes-list-type is map"));
        std::vector<std::string> seen;
        for (const auto& key : list.list_keys) {
            const auto* field = list.items->property(key);
            const auto at = here + "[" + std::to_string(seen.size()) + "]";
            if (std::ranges::find(seen, key) != seen.end()) refuse(duplicate(at, Json(key)));
            seen.push_back(key);
            if (!field) return refuse(invalid(at, Json(key), "must be one of the properties of the items"));
            const auto field_path = property(path + ".items", key);
            if (field->nullable)
                refuse(forbidden(field_path + ".nullable",
                                 "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"));
            if (field->type == Type::object || field->type == Type::array)
                refuse(invalid(field_path + ".type", Json(name_of(field->type)),
                               "must be a scalar type if parent array's x-kubernetes-list-type is map"));
            const auto& needed = list.items->required;
            if (!field->default_value && std::ranges::find(needed, key) == needed.end())
                refuse(required(field_path + ".default",
                                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
                                "required property"));
        }
    }

    void check_map(const Node& node, const std::string& path) {
        if ((node.atomic_map || node.granular_map) && node.type != Type::object)
            refuse(invalid(path + ".type", Json(name_of(node.type)),
                           "must be object if x-kubernetes-map-type is specified"));
    }

    void check_nested(const Node& node, const std::string& path) {
        const auto each = [&](const std::vector<Node>& nodes, std::string_view name) {
            for (std::size_t i = 0; i < nodes.size(); ++i)
                check_complete(node, nodes[i], path, path + "." + std::string(name) + "[" + std::to_string(i) + "]");
        };
        const auto& bounds = node.bounds();
        each(bounds.all_of, "allOf");
        each(bounds.any_of, "anyOf");
        each(bounds.one_of, "oneOf");
        if (bounds.not_) check_complete(node, *bounds.not_, path, path + ".not");
    }

    /// What a value validation speaks of must be part of the structure.
    void check_complete(const Node& node, const Node& nested, const std::string& path, const std::string& nested_path) {
        for (const auto& [name, field] : nested.properties) {
            const auto* structure = node.property(name);
            const auto at = property(nested_path, name);
            if (!structure) return refuse(required(property(path, name), "because it is defined in " + at));
            check_complete(*structure, field, property(path, name), at);
        }
        if (nested.items && !node.items)
            return refuse(required(path + ".items", "because it is defined in " + nested_path + ".items"));
        if (nested.items) check_complete(*node.items, *nested.items, path + ".items", nested_path + ".items");
        const auto& bounds = nested.bounds();
        for (const auto* nodes : {&bounds.all_of, &bounds.any_of, &bounds.one_of})
            for (const auto& one : *nodes) check_complete(node, one, path, nested_path);
        if (bounds.not_) check_complete(node, *bounds.not_, path, nested_path + ".not");
    }
};

}  // namespace

Result<void> check_structure(const Node& root, const std::string& path) {
    Checker checker;
    checker.check(root, Level::root, path);
    if (checker.fault) return *std::move(checker.fault);
    return {};
}

Result<void> check_defaults(const Node& node, const std::string& path) {
    if (node.default_value) {
        Json value = *node.default_value;
        const auto here = path + ".default";
        if (const auto unknown = prune(node, value, false); !unknown.empty())
            return Error{ErrorClass::invalid, here + ": Invalid value: " + shown(*node.default_value) +
                                                  ": must not have unknown fields: " + unknown.front()};
        apply_defaults(node, value);
        auto causes = validate_values(node, value, here);
        Path place(here);
        validate_lists(node, value, place, causes);
        if (!causes.empty()) return Error{ErrorClass::invalid, causes.front().field + ": " + causes.front().message};
    }
    for (const auto& [name, field] : node.properties)
        if (auto checked = check_defaults(field, path + ".properties[" + name + "]"); !checked) return checked;
    if (node.additional)
        if (auto checked = check_defaults(*node.additional, path + ".additionalProperties"); !checked) return checked;
    if (node.items) return check_defaults(*node.items, path + ".items");
    return {};
}

}  // namespace ocim::schema
