#include "schema/message.hpp"
#include "schema/node.hpp"
#include "schema/rule.hpp"

#include <re2/re2.h>
#include <algorithm>
#include <cmath>
#include <mutex>

namespace ocim::schema {
namespace {

/// Many schemas have the same few patterns, and a compiled one takes kilobytes: those in use are kept here, for all.
std::shared_ptr<const re2::RE2> compiled_pattern(const std::string& written) {
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<const re2::RE2>> in_use;
    const std::scoped_lock lock(mutex);
    static std::size_t tidy_at = 64;
    if (in_use.size() >= tidy_at) {
        std::erase_if(in_use, [](const auto& entry) { return entry.second.expired(); });
        tidy_at = 64 + 2 * in_use.size();
    }
    auto& known = in_use[written];
    if (auto same = known.lock()) return same;
    re2::RE2::Options options;
    options.set_log_errors(false);
    auto out = std::make_shared<const re2::RE2>(written, options);
    known = out;
    return out;
}

/// Turns OpenAPI into Nodes. The first fault is kept; what comes after it does not matter.
class Compiler {
public:
    std::optional<Error> fault;

    Node structural(const Json& source, const std::string& path, std::size_t depth) {
        Node node;
        if (!enter(source, path, depth)) return node;
        // whether anyOf may name types depends on this one
        if (const auto* flag = source.get_object().if_contains("x-kubernetes-int-or-string"))
            node.int_or_string = flag->is_bool() && flag->get_bool();
        for (const auto& member : source.get_object()) {
            const Keyword keyword{member.key(), member.value(), path + "." + std::string(member.key()), depth};
            if (!set_structure(node, keyword) && !set_validation(node, keyword, Context::structure))
                refuse(not_understood(keyword));
        }
        return node;
    }

private:
    enum class Context { structure, nested };
    struct Keyword {
        std::string_view name;
        const Json& value;
        std::string path;
        std::size_t depth;
    };

    void refuse(const Cause& cause) {
        if (!fault) fault = Error{ErrorClass::invalid, cause.field + ": " + cause.message};
    }

    static bool is_for_people(std::string_view name) {
        return name == "title" || name == "description" || name == "example" || name == "externalDocs" ||
               name == "deprecated" || name == "$schema";
    }

    static Cause not_understood(const Keyword& keyword) {
        static constexpr std::string_view known[] = {"id",          "additionalItems", "patternProperties",
                                                     "definitions", "dependencies",    "$ref"};
        if (std::ranges::find(known, keyword.name) != std::end(known))
            return forbidden(keyword.path, std::string(keyword.name) + " is not supported");
        return forbidden(keyword.path, "this keyword is not understood");
    }

    bool enter(const Json& source, const std::string& path, std::size_t depth) {
        if (depth > limits::json_depth_max)
            refuse(invalid(path, "nested too deep"));
        else if (!source.is_object())
            refuse(invalid(path, source, "must be an object"));
        else
            return !fault;
        return false;
    }

    /// What a value validation may not say. False: not such a keyword.
    bool set_structure(Node& node, const Keyword& keyword) {
        const auto& [name, value, path, depth] = keyword;
        if (name == "type")
            node.type = type(value, path);
        else if (name == "nullable")
            node.nullable = flag(keyword);
        else if (name == "default")
            node.default_value = value;
        else if (name == "properties")
            properties(node, keyword, Context::structure);
        else if (name == "additionalProperties")
            additional(node, keyword);
        else if (name == "items")
            node.items = std::make_unique<Node>(items(keyword, Context::structure));
        else if (!is_for_people(name))
            return set_extension(node, keyword);
        return true;
    }

    bool set_extension(Node& node, const Keyword& keyword) {
        const auto& [name, value, path, depth] = keyword;
        if (name == "x-kubernetes-int-or-string")
            node.int_or_string = flag(keyword);
        else if (name == "x-kubernetes-preserve-unknown-fields")
            node.preserve_unknown = preserved(keyword);
        else if (name == "x-kubernetes-embedded-resource")
            node.embedded = node.resource = flag(keyword);
        else if (name == "x-kubernetes-list-type")
            node.list_type = list_type(keyword);
        else if (name == "x-kubernetes-list-map-keys")
            node.list_keys = texts(keyword);
        else if (name == "x-kubernetes-map-type")
            map_type(node, keyword);
        else if (name == "x-kubernetes-validations")
            rules(node, keyword);
        else
            return false;
        return true;
    }

    bool set_validation(Node& node, const Keyword& keyword, Context context) {
        const auto& [name, value, path, depth] = keyword;
        if (name == "format")
            node.format = text(keyword);
        else if (name == "enum")
            enumeration(node, keyword);
        else if (name == "pattern")
            pattern(node, keyword);
        else if (name == "required")
            node.required = texts(keyword);
        else if (name == "uniqueItems")
            refuse_unique(keyword);
        else if (name == "allOf")
            node.set_bounds().all_of = combination(node, keyword);
        else if (name == "anyOf")
            node.set_bounds().any_of = combination(node, keyword);
        else if (name == "oneOf")
            node.set_bounds().one_of = combination(node, keyword);
        else if (name == "not")
            node.set_bounds().not_ = std::make_unique<Node>(nested(value, path, depth + 1));
        else if (name == "properties" && context == Context::nested)
            properties(node, keyword, context);
        else if (name == "items" && context == Context::nested)
            node.items = std::make_unique<Node>(items(keyword, context));
        else
            return set_bound(node, keyword);
        return true;
    }

    bool set_bound(Node& node, const Keyword& keyword) {
        if (keyword.name == "minimum" || keyword.name == "maximum" || keyword.name == "multipleOf") {
            auto& bounds = node.set_bounds();
            auto& place = keyword.name == "minimum"   ? bounds.minimum
                          : keyword.name == "maximum" ? bounds.maximum
                                                      : bounds.multiple_of;
            set_number(place, keyword);
            return true;
        }
        if (keyword.name == "exclusiveMinimum" || keyword.name == "exclusiveMaximum") {
            if (!flag(keyword)) return true;
            auto& bounds = node.set_bounds();
            auto& place = keyword.name == "exclusiveMinimum" ? bounds.minimum : bounds.maximum;
            // the bound itself may come later; without it nothing is compared
            if (!place) place = Bound{.value = std::nan(""), .integer = std::nullopt, .exclusive = true};
            place->exclusive = true;
            return true;
        }
        static constexpr std::pair<std::string_view, std::optional<std::int64_t> Node::Bounds::*> counts[] = {
            {"minLength", &Node::Bounds::length_min},         {"maxLength", &Node::Bounds::length_max},
            {"minItems", &Node::Bounds::items_min},           {"maxItems", &Node::Bounds::items_max},
            {"minProperties", &Node::Bounds::properties_min}, {"maxProperties", &Node::Bounds::properties_max}};
        const auto found = std::ranges::find(counts, keyword.name, [](const auto& count) { return count.first; });
        if (found == std::end(counts)) return false;
        if (keyword.value.is_int64() && keyword.value.get_int64() >= 0)
            node.set_bounds().*found->second = keyword.value.get_int64();
        else
            refuse(invalid(keyword.path, keyword.value, "must be a whole number that is not negative"));
        return true;
    }

    void set_number(std::optional<Bound>& place, const Keyword& keyword) {
        if (!keyword.value.is_number()) return refuse(invalid(keyword.path, keyword.value, "must be a number"));
        if (!place) place.emplace();
        place->value = keyword.value.to_number<double>();
        if (keyword.value.is_int64())
            place->integer = keyword.value.get_int64();
        else if (std::trunc(place->value) == place->value && std::abs(place->value) < 9e15)
            place->integer = static_cast<std::int64_t>(place->value);
        if (keyword.name == "multipleOf" && !(place->value > 0))
            refuse(invalid(keyword.path, keyword.value, "must be greater than 0"));
    }

    bool flag(const Keyword& keyword) {
        if (!keyword.value.is_bool()) refuse(invalid(keyword.path, keyword.value, "must be true or false"));
        return keyword.value.is_bool() && keyword.value.get_bool();
    }

    void refuse_unique(const Keyword& keyword) {
        if (flag(keyword))
            refuse(forbidden(keyword.path,
                             "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
    }

    bool preserved(const Keyword& keyword) {
        const bool on = flag(keyword);
        if (!on) refuse(invalid(keyword.path, keyword.value, "must be true or undefined"));
        return on;
    }

    std::string text(const Keyword& keyword) {
        if (keyword.value.is_string()) return std::string(keyword.value.get_string());
        refuse(invalid(keyword.path, keyword.value, "must be a text"));
        return {};
    }

    std::vector<std::string> texts(const Keyword& keyword) {
        std::vector<std::string> out;
        const auto* array = keyword.value.if_array();
        if (!array) refuse(invalid(keyword.path, keyword.value, "must be a list of texts"));
        if (array)
            for (const auto& item : *array) {
                if (item.is_string())
                    out.emplace_back(item.get_string());
                else
                    refuse(invalid(keyword.path, item, "must be a text"));
            }
        return out;
    }

    Type type(const Json& value, const std::string& path) {
        static constexpr Type all[] = {Type::object,  Type::array,  Type::string,
                                       Type::integer, Type::number, Type::boolean};
        if (value.is_string())
            for (const auto one : all)
                if (name_of(one) == std::string_view(value.get_string())) return one;
        std::vector<Json> names;
        for (const auto one : all) names.emplace_back(name_of(one));
        refuse(not_supported(path, value, names));
        return Type::any;
    }

    std::optional<Node::ListType> list_type(const Keyword& keyword) {
        if (keyword.value == "atomic") return Node::ListType::atomic;
        if (keyword.value == "set") return Node::ListType::set;
        if (keyword.value == "map") return Node::ListType::map;
        refuse(not_supported(keyword.path, keyword.value, {"atomic", "map", "set"}));
        return std::nullopt;
    }

    void map_type(Node& node, const Keyword& keyword) {
        node.atomic_map = keyword.value == "atomic";
        node.granular_map = keyword.value == "granular";
        if (!node.atomic_map && !node.granular_map)
            refuse(not_supported(keyword.path, keyword.value, {"atomic", "granular"}));
    }

    void rules(Node& node, const Keyword& keyword) {
        const auto* array = keyword.value.if_array();
        if (!array) return refuse(invalid(keyword.path, keyword.value, "must be a list"));
        node.set_bounds().rule_sources.assign(array->begin(), array->end());
    }

    void enumeration(Node& node, const Keyword& keyword) {
        const auto* array = keyword.value.if_array();
        if (!array) return refuse(invalid(keyword.path, keyword.value, "must be a list"));
        node.set_bounds().allowed.assign(array->begin(), array->end());
    }

    void pattern(Node& node, const Keyword& keyword) {
        auto written = text(keyword);
        if (written.empty()) return;
        auto compiled = compiled_pattern(written);
        if (!compiled->ok())
            return refuse(invalid(keyword.path, keyword.value,
                                  "must be a valid regular expression, but isn't: " + compiled->error()));
        auto& bounds = node.set_bounds();
        bounds.pattern = std::move(written);
        bounds.compiled_pattern = std::move(compiled);
    }

    void properties(Node& node, const Keyword& keyword, Context context) {
        const auto* object = keyword.value.if_object();
        if (!object) return refuse(invalid(keyword.path, keyword.value, "must be an object"));
        node.properties.reserve(object->size());
        for (const auto& member : *object) {
            const auto path = keyword.path + "[" + std::string(member.key()) + "]";
            auto below = context == Context::structure ? structural(member.value(), path, keyword.depth + 1)
                                                       : nested(member.value(), path, keyword.depth + 1);
            if (context == Context::nested && member.key() == "metadata")
                refuse(forbidden(path, "must not be specified in a nested context"));
            node.declare(std::string(member.key()), std::move(below));
        }
    }

    void additional(Node& node, const Keyword& keyword) {
        if (keyword.value.is_bool()) {
            if (!keyword.value.get_bool()) refuse(forbidden(keyword.path, "cannot be set to false"));
            node.additional_anything = true;
        } else {
            node.additional = std::make_unique<Node>(structural(keyword.value, keyword.path, keyword.depth + 1));
        }
    }

    Node items(const Keyword& keyword, Context context) {
        if (keyword.value.is_array()) refuse(forbidden(keyword.path, "items must be a schema object and not an array"));
        return context == Context::structure ? structural(keyword.value, keyword.path, keyword.depth + 1)
                                             : nested(keyword.value, keyword.path, keyword.depth + 1);
    }

    /// The two places where a combination may name types: that is how int-or-string is written for others.
    static bool is_int_or_string(const Json& value) {
        const auto* array = value.if_array();
        static const Json integer = api::json::object{{"type", "integer"}},
                          text = api::json::object{{"type", "string"}};
        return array && array->size() == 2 && (*array)[0] == integer && (*array)[1] == text;
    }

    std::vector<Node> combination(const Node& node, const Keyword& keyword) {
        std::vector<Node> out;
        const auto* array = keyword.value.if_array();
        if (!array) refuse(invalid(keyword.path, keyword.value, "must be a list"));
        if (!array || (node.int_or_string && keyword.name == "anyOf" && is_int_or_string(keyword.value))) return out;
        for (std::size_t i = 0; i < array->size(); ++i) {
            const auto path = keyword.path + "[" + std::to_string(i) + "]";
            const auto* object = (*array)[i].if_object();
            const auto* any_of = object ? object->if_contains("anyOf") : nullptr;
            if (i == 0 && node.int_or_string && keyword.name == "allOf" && any_of && is_int_or_string(*any_of)) {
                auto rest = *object;
                rest.erase("anyOf");
                out.push_back(nested(Json(std::move(rest)), path, keyword.depth + 1));
            } else {
                out.push_back(nested((*array)[i], path, keyword.depth + 1));
            }
        }
        return out;
    }

    Node nested(const Json& source, const std::string& path, std::size_t depth) {
        static constexpr std::string_view structural_only[] = {"type",  "nullable",    "default",
                                                               "title", "description", "additionalProperties"};
        Node node;
        if (!enter(source, path, depth)) return node;
        for (const auto& member : source.get_object()) {
            const Keyword keyword{member.key(), member.value(), path + "." + std::string(member.key()), depth};
            if (std::ranges::find(structural_only, keyword.name) != std::end(structural_only) ||
                keyword.name.starts_with("x-kubernetes-"))
                refuse(forbidden(keyword.path, "must be empty to be structural"));
            else if (is_for_people(keyword.name))
                continue;
            else if (!set_validation(node, keyword, Context::nested))
                refuse(not_understood(keyword));
        }
        return node;
    }
};

}  // namespace

Result<Node> compile(const Json& open_api, const std::string& path) {
    Compiler compiler;
    auto root = compiler.structural(open_api, path, 0);
    if (compiler.fault) return *std::move(compiler.fault);
    if (auto checked = check_structure(root, path); !checked) return std::move(checked).error();
    if (auto checked = check_defaults(root, path); !checked) return std::move(checked).error();
    root.resource = true;
    mark_embedded(root);
    if (auto checked = compile_rules(root, path); !checked) return std::move(checked).error();
    return root;
}

}  // namespace ocim::schema
