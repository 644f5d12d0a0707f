#pragma once

#include "api/json.hpp"
#include "api/kind.hpp"

#include <array>
#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// Objects as plain structs, and the codec between them and JSON.
///
/// A described struct lists its members with BOOST_DESCRIBE_CLASS and their names on the wire, in the same
/// order, in a static constexpr array `wire_names`. crd-schemas/generate.py writes both from a CRD.
namespace ocim::api {

struct Condition {
    std::string type, status, reason, message;
    std::string last_transition_time;
    std::optional<std::int64_t> observed_generation;
    bool operator==(const Condition&) const = default;
    static constexpr std::array wire_names{std::string_view("type"),
                                           std::string_view("status"),
                                           std::string_view("reason"),
                                           std::string_view("message"),
                                           std::string_view("lastTransitionTime"),
                                           std::string_view("observedGeneration")};
    BOOST_DESCRIBE_CLASS(Condition, (), (type, status, reason, message, last_transition_time, observed_generation), (),
                         ())
};

/// An object of a kind that the field's description names; in the same namespace unless it says otherwise.
struct LocalRef {
    std::string name;
    bool operator==(const LocalRef&) const = default;
    static constexpr std::array wire_names{std::string_view("name")};
    BOOST_DESCRIBE_CLASS(LocalRef, (), (name), (), ())
};

/// One key of a Secret.
struct SecretKeyRef {
    std::string name, key;
    bool operator==(const SecretKeyRef&) const = default;
    static constexpr std::array wire_names{std::string_view("name"), std::string_view("key")};
    BOOST_DESCRIBE_CLASS(SecretKeyRef, (), (name, key), (), ())
};

struct OwnerReference {
    std::string api_version, kind, name, uid;
    std::optional<bool> controller, block_owner_deletion;
    bool operator==(const OwnerReference&) const = default;
    static constexpr std::array wire_names{std::string_view("apiVersion"), std::string_view("kind"),
                                           std::string_view("name"),       std::string_view("uid"),
                                           std::string_view("controller"), std::string_view("blockOwnerDeletion")};
    BOOST_DESCRIBE_CLASS(OwnerReference, (), (api_version, kind, name, uid, controller, block_owner_deletion), (), ())
};

struct Metadata {
    std::string name, namespace_, uid, resource_version;
    std::optional<std::int64_t> generation;
    std::string creation_timestamp;
    /// Set once deletion was asked for; the object goes when its finalizers are gone.
    std::string deletion_timestamp;
    std::map<std::string, std::string> labels, annotations;
    std::vector<std::string> finalizers;
    std::vector<OwnerReference> owner_references;
    bool operator==(const Metadata&) const = default;
    static constexpr std::array wire_names{std::string_view("name"),
                                           std::string_view("namespace"),
                                           std::string_view("uid"),
                                           std::string_view("resourceVersion"),
                                           std::string_view("generation"),
                                           std::string_view("creationTimestamp"),
                                           std::string_view("deletionTimestamp"),
                                           std::string_view("labels"),
                                           std::string_view("annotations"),
                                           std::string_view("finalizers"),
                                           std::string_view("ownerReferences")};
    BOOST_DESCRIBE_CLASS(Metadata, (),
                         (name, namespace_, uid, resource_version, generation, creation_timestamp, deletion_timestamp,
                          labels, annotations, finalizers, owner_references),
                         (), ())

    bool deleting() const { return !deletion_timestamp.empty(); }
    /// "namespace/name", or "name" in cluster scope.
    std::string key() const { return namespace_.empty() ? name : namespace_ + "/" + name; }
};

// --- codec. An error is invalid and names the path.

template <class T>
concept Described = boost::describe::has_describe_members<T>::value && requires { T::wire_names; };
/// An enum with a function found by ADL: enum_names(T) -> array of {value, wire name}.
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T t) { enum_names(t); };

Result<void> decode(const Json& value, std::string& out, const std::string& path);
Result<void> decode(const Json& value, bool& out, const std::string& path);
Result<void> decode(const Json& value, std::int32_t& out, const std::string& path);
Result<void> decode(const Json& value, std::int64_t& out, const std::string& path);
inline Result<void> decode(const Json& value, Json& out, const std::string&) {
    out = value;
    return {};
}
template <NamedEnum T>
Result<void> decode(const Json& value, T& out, const std::string& path) {
    if (value.is_string())
        for (auto [item, name] : enum_names(T{}))
            if (name == std::string_view(value.get_string())) {
                out = item;
                return {};
            }
    return Error{ErrorClass::invalid, path + ": unknown value " + to_text(value)};
}
template <Described T>
Result<void> decode(const Json& value, T& out, const std::string& path);
template <class T>
Result<void> decode(const Json& value, std::optional<T>& out, const std::string& path);
template <class T>
Result<void> decode(const Json& value, std::vector<T>& out, const std::string& path);
template <class T>
Result<void> decode(const Json& value, std::map<std::string, T>& out, const std::string& path);

template <class T>
Result<void> decode(const Json& value, std::optional<T>& out, const std::string& path) {
    if (value.is_null()) {
        out.reset();
        return {};
    }
    return decode(value, out.emplace(), path);
}
template <class T>
Result<void> decode(const Json& value, std::vector<T>& out, const std::string& path) {
    if (value.is_null()) return {};
    const auto* items = value.if_array();
    if (!items) return Error{ErrorClass::invalid, path + ": not an array"};
    out.clear();
    for (const auto& item : *items) {
        const auto here = path + "[" + std::to_string(out.size()) + "]";
        if (auto result = decode(item, out.emplace_back(), here); !result) return result;
    }
    return {};
}
template <class T>
Result<void> decode(const Json& value, std::map<std::string, T>& out, const std::string& path) {
    if (value.is_null()) return {};
    const auto* fields = value.if_object();
    if (!fields) return Error{ErrorClass::invalid, path + ": not an object"};
    out.clear();
    for (const auto& [key, item] : *fields) {
        const std::string name(key);
        if (auto result = decode(item, out[name], path + "." + name); !result) return result;
    }
    return {};
}
template <Described T>
Result<void> decode(const Json& value, T& out, const std::string& path) {
    const auto* fields = value.if_object();
    if (!fields) return Error{ErrorClass::invalid, path + ": not an object"};
    Result<void> result;
    std::size_t index = 0;
    using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
    boost::mp11::mp_for_each<Members>([&](auto member) {
        const auto wire = T::wire_names[index++];
        const auto* field = fields->if_contains(wire);
        if (!field || !result) return;
        // null means absent, as in Kubernetes
        if (field->is_null() && !std::is_same_v<std::decay_t<decltype(out.*member.pointer)>, Json>) return;
        result = decode(*field, out.*member.pointer, (path.empty() ? "" : path + ".") + std::string(wire));
    });
    return result;
}

// --- encoding: what is absent or empty (optionals, strings that are not required, lists, maps) is left out of
// the object; everything else is there. `Json{}` (null) means "leave out".

inline Json encode(const std::string& value) { return Json(value); }
inline Json encode(bool value) { return Json(value); }
inline Json encode(std::int32_t value) { return Json(static_cast<std::int64_t>(value)); }
inline Json encode(std::int64_t value) { return Json(value); }
inline Json encode(const Json& value) { return value; }
template <NamedEnum T>
Json encode(T value) {
    for (auto [item, name] : enum_names(T{}))
        if (item == value) return Json(name);
    return Json();
}
template <Described T>
Json encode(const T& value);
template <class T>
Json encode(const std::optional<T>& value);
template <class T>
Json encode(const std::vector<T>& value);
template <class T>
Json encode(const std::map<std::string, T>& value);

template <class T>
Json encode(const std::optional<T>& value) {
    return value ? encode(*value) : Json();
}
template <class T>
Json encode(const std::vector<T>& value) {
    if (value.empty()) return Json();
    json::array out;
    for (const auto& item : value) out.push_back(encode(item));
    return out;
}
template <class T>
Json encode(const std::map<std::string, T>& value) {
    if (value.empty()) return Json();
    json::object out;
    for (const auto& [key, item] : value) out[key] = encode(item);
    return out;
}
template <Described T>
Json encode(const T& value) {
    json::object out;
    std::size_t index = 0;
    using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
    boost::mp11::mp_for_each<Members>([&](auto member) {
        const auto wire = T::wire_names[index++];
        const auto& field = value.*member.pointer;
        // an empty string that is not optional is an absent one: required strings have minLength in our CRDs
        if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::string>) {
            if (field.empty()) return;
        }
        auto encoded = encode(field);
        if (!encoded.is_null()) out[wire] = std::move(encoded);
    });
    return out;
}

/// A generated type: `static constexpr Kind kind`, `metadata`, `spec`, `status`.
template <class T>
concept Object = requires(T t) {
    { T::kind } -> std::convertible_to<Kind>;
    t.metadata;
    t.spec;
    t.status;
};

/// The whole object. `status` is not written: it goes by its own way.
template <Object T>
Json encode_object(const T& object) {
    json::object out;
    out["apiVersion"] = T::kind.api_version();
    out["kind"] = T::kind.name;
    out["metadata"] = encode(object.metadata);
    out["spec"] = encode(object.spec);
    return out;
}
template <Object T>
Result<T> decode_object(const Json& value) {
    T out;
    if (const auto* metadata = find(value, {"metadata"}))
        if (auto result = decode(*metadata, out.metadata, "metadata"); !result) return std::move(result).error();
    if (const auto* spec = find(value, {"spec"}))
        if (auto result = decode(*spec, out.spec, "spec"); !result) return std::move(result).error();
    if (const auto* status = find(value, {"status"}))
        if (auto result = decode(*status, out.status, "status"); !result) return std::move(result).error();
    return out;
}

}  // namespace ocim::api
