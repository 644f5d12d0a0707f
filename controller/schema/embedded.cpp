#include "base/limits.hpp"
#include "schema/message.hpp"
#include "schema/node.hpp"

#include <re2/re2.h>
#include <algorithm>

/// What x-kubernetes-embedded-resource asks of a value beyond its schema: that it is a resource.
namespace ocim::schema {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

bool is_label(const std::string& text) {
    static const re2::RE2 pattern("[a-z]([-a-z0-9]*[a-z0-9])?");
    return text.size() <= 63 && re2::RE2::FullMatch(text, pattern);
}

/// The text of a field that every resource has, if it is one.
const api::json::string* text_of(const api::json::object& resource, const char* name, const std::string& at,
                                 std::vector<Cause>& out) {
    const auto* value = resource.if_contains(name);
    if (!value)
        out.push_back(required(at, "must not be empty"));
    else if (!value->is_string())
        out.push_back(invalid(at, *value, "must be a string"));
    else if (value->get_string().empty())
        out.push_back(invalid(at, *value, "must not be empty"));
    else
        return &value->get_string();
    return nullptr;
}

void check_resource(const api::json::object& resource, const std::string& path, std::vector<Cause>& out) {
    const auto version_at = child(path, "apiVersion"), kind_at = child(path, "kind");
    if (const auto* version = text_of(resource, "apiVersion", version_at, out);
        version && std::ranges::count(*version, '/') > 1)
        out.push_back(invalid(version_at, Json(*version), "unexpected GroupVersion string: " + std::string(*version)));
    if (const auto* kind = text_of(resource, "kind", kind_at, out); kind && !is_label(lower(*kind)))
        out.push_back(invalid(kind_at, Json(*kind),
                              "may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower "
                              "case alphanumeric characters or '-', start with an alphabetic character, and end with "
                              "an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
                              "'[a-z]([-a-z0-9]*[a-z0-9])?')"));
    const auto* metadata = resource.if_contains("metadata");
    if (metadata && !metadata->is_object())
        out.push_back(invalid(child(path, "metadata"), *metadata, "must be an object"));
}

}  // namespace

bool mark_embedded(Node& node) {
    node.embeds = node.embedded;
    for (auto& [name, field] : node.properties) node.embeds |= mark_embedded(field);
    if (node.additional) node.embeds |= mark_embedded(*node.additional);
    if (node.items) node.embeds |= mark_embedded(*node.items);
    return node.embeds;
}

void validate_embedded(const Node& node, const Json& value, Path& path, std::vector<Cause>& out) {
    if (!node.embeds || out.size() >= limits::causes_max) return;
    if (const auto* array = value.if_array(); array && node.items) {
        for (std::size_t i = 0; i < array->size(); ++i) {
            const auto scope = path.enter(i);
            validate_embedded(*node.items, (*array)[i], path, out);
        }
    } else if (const auto* object = value.if_object()) {
        if (node.embedded) check_resource(*object, path.text(), out);
        for (const auto& member : *object) {
            const Node* declared = node.property(member.key());
            const Node* field = declared ? declared : node.additional.get();
            if (!field) continue;
            const auto scope = declared ? path.enter(member.key()) : path.enter_key(member.key());
            validate_embedded(*field, member.value(), path, out);
        }
    }
}

}  // namespace ocim::schema
