#include "schema/message.hpp"
#include "schema/node.hpp"

#include <re2/re2.h>
#include <algorithm>
#include <cmath>
#include <set>

namespace ocim::schema {
namespace {

/// Characters, not bytes.
std::int64_t length(std::string_view text) {
    return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string_view type_of(const Json& value) {
    switch (value.kind()) {
        case api::json::kind::null: return "null";
        case api::json::kind::bool_: return "boolean";
        case api::json::kind::int64:
        case api::json::kind::uint64: return "integer";
        case api::json::kind::double_: return "number";
        case api::json::kind::string: return "string";
        case api::json::kind::array: return "array";
        case api::json::kind::object: return "object";
    }
    return "";
}

bool is_whole(double number) { return std::isfinite(number) && std::trunc(number) == number; }

bool has_type(Type type, const Json& value) {
    switch (type) {
        case Type::any: return true;
        case Type::object: return value.is_object();
        case Type::array: return value.is_array();
        case Type::string: return value.is_string();
        case Type::boolean: return value.is_bool();
        case Type::number: return value.is_number();
        case Type::integer:
            // an unsigned one is only met in objects that were built in this process: read from text it is signed
            return value.is_int64() || (value.is_uint64() && value.get_uint64() <= INT64_MAX) ||
                   (value.is_double() && is_whole(value.get_double()));
    }
    return false;
}

/// -1, 0 or 1.
int compare(const Json& value, const Bound& bound) {
    const auto sign = [](auto a, auto b) { return a < b ? -1 : b < a ? 1 : 0; };
    if (value.is_int64() && bound.integer) return sign(value.get_int64(), *bound.integer);
    return sign(value.to_number<double>(), bound.value);
}

bool is_multiple(const Json& value, const Bound& factor) {
    if (value.is_int64() && factor.integer) return value.get_int64() % *factor.integer == 0;
    const double number = value.to_number<double>();
    // 0.3 / 0.1 is not 3: what differs by rounding only is a multiple
    const double times = factor.value < 1 ? 1 / factor.value * number : number / factor.value;
    return std::abs(times - std::round(times)) <= 1e-9 * std::max(1.0, std::abs(times));
}

/// Numbers are equal by value: 1 and 1.0.
bool equal(const Json& a, const Json& b) {
    if (a.is_number() && b.is_number() && a.kind() != b.kind()) return a.to_number<double>() == b.to_number<double>();
    return a == b;
}

class Validator {
public:
    explicit Validator(std::string path) : path_(std::move(path)) {}

    std::vector<Cause> causes;
    /// Whether there are more causes than were kept.
    bool left_out() const { return left_out_; }

    /// `old`: what it was, null when there was none or nobody can tell.
    void check(const Node& node, const Json& value, const Json* old) {
        if (left_out_) return;
        const auto before = causes.size(), bytes_before = bytes_;
        ++depth_matched_;
        check_type(node, value);
        if (!value.is_null()) {
            check_combinations(node, value, old);
            if (value.is_string()) check_string(node, value);
            if (value.is_number()) check_number(node, value);
            if (const auto* array = value.if_array()) check_array(node, *array, old ? old->if_array() : nullptr);
        }
        const auto& allowed = node.bounds().allowed;
        if (!allowed.empty() && std::ranges::none_of(allowed, [&](const Json& one) { return equal(one, value); }))
            add(not_supported(path_.text(), value, allowed));
        if (const auto* object = value.if_object()) check_object(node, *object, old ? old->if_object() : nullptr);
        // compared only where it matters: most values have nothing wrong
        if (causes.size() == before || !old || *old != value) return;
        causes.resize(before);
        bytes_ = bytes_before;
        left_out_ = false;
    }

private:
    /// The first is always kept, however long: no cause means valid.
    void add(Cause cause) {
        bytes_ += cause.field.size() + cause.message.size();
        const bool fits = causes.size() < limits::causes_max && bytes_ < limits::causes_bytes_max;
        if (fits || causes.empty())
            causes.push_back(std::move(cause));
        else
            left_out_ = true;
    }
    /// `why` follows "spec.a in body ".
    void add_invalid(const Json& value, std::string_view why) {
        add(invalid(path_.text(), value, path_.text() + " in body " + std::string(why)));
    }

    void check_type(const Node& node, const Json& value) {
        if (node.int_or_string && !value.is_null()) {
            if (!value.is_string() && !has_type(Type::integer, value))
                add(wrong_type(path_.text(), "integer,string", type_of(value)));
            return;
        }
        if (value.is_null()) {
            const auto expected = node.int_or_string ? "integer,string" : name_of(node.type);
            if (!node.nullable && !expected.empty()) add(wrong_type(path_.text(), expected, "null"));
            return;
        }
        if (has_type(node.type, value)) return check_range(node, value);
        // a format is named instead of the type, as the reference does for everything but texts
        const bool by_format = !node.format.empty() && !value.is_string() && !value.is_array();
        const auto found = value.is_int64() || value.is_uint64() ? "int64" : value.is_double() ? "float64" : "";
        if (by_format)
            add(wrong_type(path_.text(), node.format, found));
        else
            add(wrong_type(path_.text(), name_of(node.type), type_of(value)));
    }

    void check_range(const Node& node, const Json& value) {
        if (node.type != Type::integer) return;
        if (value.is_double()) {
            if (std::abs(value.get_double()) >= 9223372036854775808.0)
                add(wrong_type(path_.text(), "int64", "float64"));
            return;
        }
        const auto number = value.to_number<std::int64_t>();
        if (node.format == "int32" && (number < INT32_MIN || number > INT32_MAX))
            add(wrong_type(path_.text(), "int32", "int64"));
    }

    void check_string(const Node& node, const Json& value) {
        const auto& bounds = node.bounds();
        const std::string_view text = value.get_string();
        if (bounds.length_max && length(text) > *bounds.length_max) add(too_long(path_.text(), *bounds.length_max));
        if (bounds.length_min && length(text) < *bounds.length_min)
            add_invalid(value, "should be at least " + std::to_string(*bounds.length_min) + " chars long");
        if (bounds.compiled_pattern && !re2::RE2::PartialMatch({text.data(), text.size()}, *bounds.compiled_pattern))
            add_invalid(value, "should match '" + bounds.pattern + "'");
        if (!node.format.empty() && (node.type == Type::string || node.type == Type::any) &&
            !has_format(node.format, text))
            add({"FieldValueTypeInvalid",
                 "Invalid value: " + quoted(text) + ": " + path_.text() + " in body must be of type " + node.format +
                     ": " + quoted(text),
                 path_.text().empty() ? "<nil>" : path_.text()});
    }

    static std::string printed_for(const Json& value, const Bound& bound) {
        return value.is_int64() && bound.integer ? std::to_string(*bound.integer) : printed(bound.value);
    }

    void check_number(const Node& node, const Json& value) {
        const auto& bounds = node.bounds();
        if (bounds.multiple_of && !is_multiple(value, *bounds.multiple_of))
            add_invalid(value, "should be a multiple of " + printed_for(value, *bounds.multiple_of));
        if (bounds.maximum) {
            const auto sign = compare(value, *bounds.maximum);
            if (sign > 0 || (sign == 0 && bounds.maximum->exclusive))
                add_invalid(value,
                            (bounds.maximum->exclusive ? "should be less than " : "should be less than or equal to ") +
                                printed_for(value, *bounds.maximum));
        }
        if (bounds.minimum) {
            const auto sign = compare(value, *bounds.minimum);
            if (sign < 0 || (sign == 0 && bounds.minimum->exclusive))
                add_invalid(value, (bounds.minimum->exclusive ? "should be greater than "
                                                              : "should be greater than or equal to ") +
                                       printed_for(value, *bounds.minimum));
        }
    }

    void check_array(const Node& node, const api::json::array& array, const api::json::array* old) {
        const auto& bounds = node.bounds();
        // an item of any other list has no identity across updates
        const bool keyed = old && node.list_type == Node::ListType::map;
        std::map<std::string, const Json*> before;
        if (keyed)
            for (const auto& item : *old) before.emplace(canonical(list_key(node, item)), &item);
        if (node.items)
            for (std::size_t i = 0; i < array.size(); ++i) {
                const auto scope = path_.enter(i);
                const auto same = keyed ? before.find(canonical(list_key(node, array[i]))) : before.end();
                check(*node.items, array[i], same == before.end() ? nullptr : same->second);
            }
        const auto size = static_cast<std::int64_t>(array.size());
        if (bounds.items_min && size < *bounds.items_min)
            add_invalid(Json(size), "should have at least " + std::to_string(*bounds.items_min) + " items");
        if (bounds.items_max && size > *bounds.items_max) add(too_many(path_.text(), array.size(), *bounds.items_max));
    }

    void check_object(const Node& node, const api::json::object& object, const api::json::object* old) {
        const auto& bounds = node.bounds();
        if (node.atomic_map) old = nullptr;
        const auto was = [&](std::string_view name) { return old ? old->if_contains(name) : nullptr; };
        const auto size = static_cast<std::int64_t>(object.size());
        if (bounds.properties_min && size < *bounds.properties_min)
            return add_invalid(Json(size),
                               "should have at least " + std::to_string(*bounds.properties_min) + " properties");
        if (bounds.properties_max && size > *bounds.properties_max)
            return add(too_many(path_.text(), object.size(), *bounds.properties_max));
        for (const auto& [name, field] : node.properties)
            if (const auto* value = object.if_contains(name)) {
                const auto scope = path_.enter(name);
                check(field, *value, was(name));
            }
        if (node.additional)
            for (const auto& member : object)
                if (!node.property(member.key())) {
                    const auto scope = path_.enter(member.key());
                    check(*node.additional, member.value(), was(member.key()));
                }
        for (const auto& name : node.required)
            if (!object.contains(name)) add(required(child(path_.text(), name)));
    }

    void check_combinations(const Node& node, const Json& value, const Json* old) {
        const auto& bounds = node.bounds();
        if (!bounds.any_of.empty()) {
            const auto outcome = try_each(bounds.any_of, value, old);
            if (outcome.matched == 0) {
                add_combination("must validate at least one schema (anyOf)");
                for (auto cause : outcome.closest) add(std::move(cause));
            }
        }
        if (!bounds.one_of.empty()) {
            // here and in `not` a part that passes only because it is old would count as fitting
            const auto outcome = try_each(bounds.one_of, value, nullptr);
            if (outcome.matched == 0) {
                add_combination("must validate one and only one schema (oneOf). Found none valid");
                for (auto cause : outcome.closest) add(std::move(cause));
            } else if (outcome.matched > 1) {
                add_combination("must validate one and only one schema (oneOf). Found " +
                                std::to_string(outcome.matched) + " valid alternatives");
            }
        }
        if (!bounds.all_of.empty()) check_all(bounds.all_of, value, old);
        if (bounds.not_ && apart(*bounds.not_, value, nullptr).causes.empty())
            add_combination("must not validate the schema (not)");
    }

    void check_all(const std::vector<Node>& all, const Json& value, const Json* old) {
        std::size_t matched = 0;
        for (const auto& one : all) {
            auto trial = apart(one, value, old);
            if (trial.causes.empty()) ++matched;
            for (auto& cause : trial.causes) add(std::move(cause));
        }
        if (matched != all.size())
            add_combination(std::string("must validate all the schemas (allOf)") +
                            (matched == 0 ? ". None validated" : ""));
    }

    /// Such errors name the path in the text only.
    void add_combination(std::string_view why) {
        add(invalid("", Json(""), quoted(path_.text()) + " " + std::string(why)));
    }

    Validator apart(const Node& node, const Json& value, const Json* old) const {
        Validator out(path_.text());
        out.check(node, value, old);
        return out;
    }

    struct Outcome {
        std::size_t matched = 0;
        std::vector<Cause> closest;  // the faults of the alternative that came furthest
    };
    Outcome try_each(const std::vector<Node>& nodes, const Json& value, const Json* old) const {
        Outcome out;
        std::size_t furthest = 0;
        for (const auto& node : nodes) {
            auto trial = apart(node, value, old);
            if (trial.causes.empty()) {
                ++out.matched;
            } else if (trial.depth_matched_ > furthest) {
                furthest = trial.depth_matched_;
                out.closest = std::move(trial.causes);
            }
        }
        return out;
    }

    Path path_;
    std::size_t bytes_ = 0;
    bool left_out_ = false;
    std::size_t depth_matched_ = 0;  // schemas that were looked at: a measure of how far an alternative fits
};

void check_unique(const Node& node, const api::json::array& array, Path& path, std::vector<Cause>& out) {
    const bool keyed = node.list_type == Node::ListType::map;
    if (keyed)
        for (std::size_t i = 0; i < array.size(); ++i)
            if (!array[i].is_object() && !array[i].is_null()) {
                const auto scope = path.enter(i);
                out.push_back(invalid(path.text(), array[i], "must be an object for an array of list-type map"));
                return;
            }
    std::map<std::string, int> times;
    for (std::size_t i = 0; i < array.size(); ++i) {
        const Json key = keyed ? list_key(node, array[i]) : array[i];
        // the second of several speaks for all
        if (++times[canonical(key)] != 2 || out.size() >= limits::causes_max) continue;
        const auto scope = path.enter(i);
        out.push_back(duplicate(path.text(), key));
    }
}

}  // namespace

Json list_key(const Node& list, const Json& item) {
    api::json::object key;
    if (const auto* object = item.if_object())
        for (const auto& name : list.list_keys)
            if (const auto* value = object->if_contains(name)) key[name] = *value;
    return key;
}

std::vector<Cause> validate_values(const Node& node, const Json& value, const std::string& path, const Json* old) {
    Validator validator(path);
    validator.check(node, value, old);
    if (validator.left_out())
        validator.causes.push_back(
            invalid("", "there is more wrong than can be shown; correct the existing errors first"));
    return std::move(validator.causes);
}

void validate_lists(const Node& node, const Json& value, Path& path, std::vector<Cause>& out) {
    if (const auto* array = value.if_array()) {
        if (node.list_type && *node.list_type != Node::ListType::atomic) check_unique(node, *array, path, out);
        if (node.items)
            for (std::size_t i = 0; i < array->size(); ++i) {
                const auto scope = path.enter(i);
                validate_lists(*node.items, (*array)[i], path, out);
            }
    } else if (const auto* object = value.if_object()) {
        for (const auto& member : *object) {
            const Node* declared = node.property(member.key());
            const Node* field = declared ? declared : node.additional.get();
            if (!field) continue;
            const auto scope = declared ? path.enter(member.key()) : path.enter_key(member.key());
            validate_lists(*field, member.value(), path, out);
        }
    }
}

}  // namespace ocim::schema
