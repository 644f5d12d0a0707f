#include "registry/metadata.hpp"

#include "base/limits.hpp"
#include "registry/times.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace ocim::registry {

using api::Cause;
using api::Json;
namespace json = boost::json;

namespace {

enum class Shape { text, time, number, text_map, text_list, object_list };

struct Known {
    std::string_view name;
    Shape shape;
    std::string_view go_type;  ///< as Kubernetes' decoder names it in its errors
};

/// In the order in which they are stored.
constexpr std::array known_fields{
    Known{"name", Shape::text, "string"},
    Known{"generateName", Shape::text, "string"},
    Known{"namespace", Shape::text, "string"},
    Known{"uid", Shape::text, "types.UID"},
    Known{"resourceVersion", Shape::text, "string"},
    Known{"generation", Shape::number, "int64"},
    Known{"creationTimestamp", Shape::time, "v1.Time"},
    Known{"deletionTimestamp", Shape::time, "v1.Time"},
    Known{"deletionGracePeriodSeconds", Shape::number, "int64"},
    Known{"labels", Shape::text_map, "map[string]string"},
    Known{"annotations", Shape::text_map, "map[string]string"},
    Known{"ownerReferences", Shape::object_list, "[]v1.OwnerReference"},
    Known{"finalizers", Shape::text_list, "[]string"},
    Known{"managedFields", Shape::object_list, "[]v1.ManagedFieldsEntry"},
    Known{"selfLink", Shape::text, "string"},
};

std::string_view go_kind(const Json& value) {
    switch (value.kind()) {
        case json::kind::string: return "string";
        case json::kind::bool_: return "bool";
        case json::kind::array: return "array";
        case json::kind::object: return "object";
        case json::kind::null: return "null";
        case json::kind::int64:
        case json::kind::uint64:
        case json::kind::double_: return "number";
    }
    return "number";
}

Error wrong_type(const Json& value, std::string_view field, std::string_view type) {
    return Error{ErrorClass::invalid, "json: cannot unmarshal " + std::string(go_kind(value)) +
                                          " into Go struct field ObjectMeta.metadata." + std::string(field) +
                                          " of type " + std::string(type)};
}

/// Whoever writes an object back may have written the times in another form.
Result<void> tidy_managers(json::array& managers) {
    for (auto& manager : managers) {
        auto* time = manager.get_object().if_contains("time");
        if (!time || !time->is_string()) continue;
        auto in_form = time_in_form(time->get_string());
        if (!in_form) return std::move(in_form).error();
        *time = *std::move(in_form);
    }
    return {};
}

/// Drops nulls inside; an item of the wrong type is an error.
Result<void> tidy_value(Json& value, const Known& known) {
    switch (known.shape) {
        case Shape::text:
            if (!value.is_string()) return wrong_type(value, known.name, known.go_type);
            return {};
        case Shape::time: {
            if (!value.is_string()) return wrong_type(value, known.name, known.go_type);
            if (value.get_string().empty()) return {};
            auto time = time_in_form(value.get_string());
            if (!time) return std::move(time).error();
            value = *std::move(time);
            return {};
        }
        case Shape::number:
            if (!value.is_int64() && !value.is_uint64()) return wrong_type(value, known.name, known.go_type);
            return {};
        case Shape::text_map: {
            if (!value.is_object()) return wrong_type(value, known.name, known.go_type);
            for (auto& [key, item] : value.get_object()) {
                if (item.is_null()) item = "";
                if (!item.is_string()) return wrong_type(item, known.name, "string");
            }
            return {};
        }
        case Shape::text_list:
        case Shape::object_list: {
            if (!value.is_array()) return wrong_type(value, known.name, known.go_type);
            for (const auto& item : value.get_array()) {
                const bool right = known.shape == Shape::text_list ? item.is_string() : item.is_object();
                if (!right) return wrong_type(item, known.name, known.go_type.substr(2));
            }
            if (known.name == "managedFields") return tidy_managers(value.get_array());
            return {};
        }
    }
    return {};
}

bool empty(const Json& value) {
    if (const auto* list = value.if_array()) return list->empty();
    if (const auto* map = value.if_object()) return map->empty();
    if (const auto* text = value.if_string()) return text->empty();
    return value.is_null();
}

std::string quoted(std::string_view text) { return api::to_text(Json(text)); }

void complain(std::vector<Cause>& out, const std::string& field, std::string_view value,
              const std::vector<std::string>& wrong) {
    for (const auto& why : wrong)
        out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(value) + ": " + why, field});
}

void check_labels(const json::object& labels, std::vector<Cause>& out) {
    for (const auto& [key, value] : labels) {
        complain(out, "metadata.labels", key, wrong_with_qualified_name(key));
        complain(out, "metadata.labels", value.get_string(), wrong_with_label_value(value.get_string()));
    }
}

void check_annotations(const json::object& annotations, std::vector<Cause>& out) {
    std::size_t total = 0;
    for (const auto& [key, value] : annotations) {
        std::string lower(key);
        std::ranges::transform(lower, lower.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        complain(out, "metadata.annotations", key, wrong_with_qualified_name(lower));
        total += key.size() + value.get_string().size();
    }
    if (total > limits::annotations_bytes_max)
        out.push_back({"FieldValueTooLong",
                       "Too long: may not be more than " + std::to_string(limits::annotations_bytes_max) + " bytes",
                       "metadata.annotations"});
}

void check_owners(const json::array& owners, std::vector<Cause>& out) {
    std::string controller;
    for (std::size_t i = 0; i < owners.size(); ++i) {
        const auto& owner = owners[i];
        const std::string at = "metadata.ownerReferences[" + std::to_string(i) + "]";
        for (const char* field : {"apiVersion", "kind", "name", "uid"}) {
            if (!api::find_text(owner, {field}).empty()) continue;
            const std::string what =
                std::string(field) == "apiVersion" ? "version must not be empty" : "must not be empty";
            out.push_back({"FieldValueInvalid", "Invalid value: \"\": " + what, at + "." + field});
        }
        const auto* controls = api::find(owner, {"controller"});
        if (!controls || !controls->is_bool() || !controls->get_bool()) continue;
        const std::string name(api::find_text(owner, {"name"}));
        if (!controller.empty())
            out.push_back({"FieldValueInvalid",
                           "Invalid value: " + api::to_text(Json(owners)) +
                               ": Only one reference can have Controller set to true. Found \"true\" in references "
                               "for " +
                               controller + " and " + name,
                           "metadata.ownerReferences"});
        controller = name;
    }
}

void check_finalizers(const Json& object, const Json* old, std::vector<Cause>& out) {
    const auto finalizers = finalizers_of(object);
    for (const auto& name : finalizers) complain(out, "metadata.finalizers", name, wrong_with_qualified_name(name));
    const auto has = [&](std::string_view name) { return std::ranges::find(finalizers, name) != finalizers.end(); };
    if (has("orphan") && has("foregroundDeletion"))
        out.push_back({"FieldValueInvalid",
                       "Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and foregroundDeletion "
                       "cannot be both set",
                       "metadata.finalizers"});
    if (!old || !deleting(*old)) return;
    const auto before = finalizers_of(*old);
    std::string added;
    for (const auto& name : finalizers)
        if (std::ranges::find(before, name) == before.end()) added += (added.empty() ? "" : ", ") + quoted(name);
    if (!added.empty())
        out.push_back({"FieldValueForbidden",
                       "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
                       "[]string{" +
                           added + "}",
                       "metadata.finalizers"});
}

void check_immutable(const Json& object, const Json& old, std::vector<Cause>& out) {
    for (const char* field : {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"}) {
        const auto now = api::find_text(object, {"metadata", field});
        if (now != api::find_text(old, {"metadata", field}))
            out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(now) + ": field is immutable",
                           std::string("metadata.") + field});
    }
}

}  // namespace

Result<void> tidy_metadata(Json& object, std::vector<std::string>& unknown) {
    auto* found = object.as_object().if_contains("metadata");
    if (!found || found->is_null()) {
        object.as_object()["metadata"] = json::object();
        return {};
    }
    if (!found->is_object()) return wrong_type(*found, "", "v1.ObjectMeta");
    auto& metadata = found->get_object();
    std::vector<std::string> drop;
    for (auto& [key, value] : metadata) {
        const auto known = std::ranges::find(known_fields, std::string_view(key), &Known::name);
        if (known == known_fields.end()) unknown.push_back("metadata." + std::string(key));
        if (known == known_fields.end() || value.is_null() || known->name == "selfLink") {
            drop.emplace_back(key);
            continue;
        }
        if (auto tidied = tidy_value(value, *known); !tidied) return tidied;
        // an empty managedFields means something: reset
        if (empty(value) && known->name != "managedFields") drop.emplace_back(key);
    }
    for (const auto& key : drop) metadata.erase(key);
    return {};
}

std::vector<Cause> validate_metadata(const Json& object, const Json* old, NameRule rule, bool namespaced) {
    std::vector<Cause> out;
    const auto name = api::find_text(object, {"metadata", "name"});
    const auto prefix = api::find_text(object, {"metadata", "generateName"});
    if (!old && !prefix.empty()) complain(out, "metadata.generateName", prefix, wrong_with_prefix(rule, prefix));
    if (name.empty())
        out.push_back({"FieldValueRequired", "Required value: name or generateName is required", "metadata.name"});
    else if (!old)
        complain(out, "metadata.name", name, wrong_with_name(rule, name));
    const auto namespace_ = api::find_text(object, {"metadata", "namespace"});
    if (!old && namespaced && !namespace_.empty())
        complain(out, "metadata.namespace", namespace_, wrong_with_name(NameRule::label, namespace_));
    if (const auto* labels = api::find(object, {"metadata", "labels"})) check_labels(labels->get_object(), out);
    if (const auto* annotations = api::find(object, {"metadata", "annotations"}))
        check_annotations(annotations->get_object(), out);
    if (const auto* owners = api::find(object, {"metadata", "ownerReferences"})) check_owners(owners->get_array(), out);
    check_finalizers(object, old, out);
    if (old) check_immutable(object, *old, out);
    return out;
}

namespace {

bool is_in_order(const json::object& fields) {
    constexpr std::array first{"apiVersion", "kind", "metadata"};
    if (fields.size() < first.size()) return false;
    for (std::size_t i = 0; i < first.size(); ++i)
        if (std::string_view((fields.begin() + i)->key()) != first[i]) return false;
    const auto* metadata = fields.at("metadata").if_object();
    if (!metadata) return true;
    auto known = known_fields.begin();
    return std::ranges::all_of(*metadata, [&](const auto& field) {
        known = std::ranges::find(known, known_fields.end(), std::string_view(field.key()), &Known::name);
        return known != known_fields.end();
    });
}

}  // namespace

void put_in_order(Json& object) {
    auto& fields = object.as_object();
    if (is_in_order(fields)) return;
    json::object ordered(fields.storage());
    const auto move = [](json::object& from, json::object& to, std::string_view key) {
        if (auto* value = from.if_contains(key)) to.insert_or_assign(key, std::move(*value)), from.erase(key);
    };
    for (const auto* key : {"apiVersion", "kind", "metadata"}) move(fields, ordered, key);
    for (auto& [key, value] : fields) ordered.insert_or_assign(key, std::move(value));
    if (auto* metadata = ordered["metadata"].if_object()) {
        json::object sorted(metadata->storage());
        for (const auto& known : known_fields) move(*metadata, sorted, known.name);
        *metadata = std::move(sorted);
    }
    fields = std::move(ordered);
}

bool same_content(const Json& a, const Json& b, bool with_status) {
    const auto counts = [&](std::string_view key) { return key != "metadata" && (with_status || key != "status"); };
    const auto covers = [&](const json::object& one, const json::object& other) {
        return std::ranges::all_of(one, [&](const auto& field) {
            if (!counts(field.key())) return true;
            const auto* same = other.if_contains(field.key());
            return same && *same == field.value();
        });
    };
    return covers(a.get_object(), b.get_object()) && covers(b.get_object(), a.get_object());
}

bool deleting(const Json& object) { return !api::find_text(object, {"metadata", "deletionTimestamp"}).empty(); }

std::vector<std::string> finalizers_of(const Json& object) {
    std::vector<std::string> out;
    const auto* list = api::find(object, {"metadata", "finalizers"});
    if (!list || !list->is_array()) return out;
    for (const auto& item : list->get_array())
        if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

void set_finalizers(Json& object, const std::vector<std::string>& finalizers) {
    auto& metadata = api::make_object(object, {"metadata"});
    if (finalizers.empty()) {
        metadata.erase("finalizers");
        return;
    }
    json::array list;
    for (const auto& name : finalizers) list.emplace_back(name);
    metadata["finalizers"] = std::move(list);
}

}  // namespace ocim::registry
