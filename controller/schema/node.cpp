#include "schema/node.hpp"

#include "schema/rule.hpp"

#include <algorithm>

namespace ocim::schema {

// here, where Rule is complete
Node::Node() = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

std::string_view name_of(Type type) {
    switch (type) {
        case Type::any: return "";
        case Type::object: return "object";
        case Type::array: return "array";
        case Type::string: return "string";
        case Type::integer: return "integer";
        case Type::number: return "number";
        case Type::boolean: return "boolean";
    }
    return "";
}

const Node* Node::property(std::string_view name) const {
    const auto name_of = [this](std::uint32_t place) -> std::string_view { return properties[place].name; };
    const auto found = std::ranges::lower_bound(by_name, name, {}, name_of);
    return found == by_name.end() || name_of(*found) != name ? nullptr : &properties[*found].node;
}

void Node::declare(std::string name, Node node) {
    const auto name_of = [this](std::uint32_t place) -> std::string_view { return properties[place].name; };
    const auto place = std::ranges::lower_bound(by_name, std::string_view(name), {}, name_of);
    by_name.insert(place, static_cast<std::uint32_t>(properties.size()));
    properties.push_back({std::move(name), std::move(node)});
}

const Node::Bounds& Node::bounds() const {
    static const Bounds none;
    return bounds_ ? *bounds_ : none;
}

Node::Bounds& Node::set_bounds() {
    if (!bounds_) bounds_ = std::make_unique<Bounds>();
    return *bounds_;
}

const Node* Node::field(std::string_view name) const {
    const auto* declared = property(name);
    return declared ? declared : additional.get();
}

Path::Scope Path::enter(std::string_view name) {
    const auto before = text_.size();
    if (before != 0) text_ += '.';
    text_ += name;
    return {text_, before};
}

Path::Scope Path::enter(std::size_t index) {
    const auto before = text_.size();
    text_ += '[' + std::to_string(index) + ']';
    return {text_, before};
}

Path::Scope Path::enter_key(std::string_view key) {
    const auto before = text_.size();
    text_.append("[").append(key).append("]");
    return {text_, before};
}

bool is_meta_field(std::string_view name) { return name == "apiVersion" || name == "kind" || name == "metadata"; }

namespace {

/// Removes members and keeps the order of the rest, in linear time.
template <class Unwanted>
void erase_members(api::json::object& object, Unwanted unwanted) {
    const auto is_unwanted = [&](const auto& member) { return unwanted(member); };
    if (std::ranges::none_of(object, is_unwanted)) return;
    api::json::object kept(object.storage());
    for (auto& member : object)
        if (!unwanted(member)) kept.emplace(member.key(), std::move(member.value()));
    object = std::move(kept);
}

bool is_unwanted_null(const Json& value, const Node* node) { return value.is_null() && node && !node->nullable; }

bool is_object_meta_field(std::string_view name) {
    static constexpr std::string_view known[] = {
        "name",       "generateName",      "namespace",    "selfLink",
        "uid",        "resourceVersion",   "generation",   "creationTimestamp",
        "labels",     "deletionTimestamp", "annotations",  "deletionGracePeriodSeconds",
        "finalizers", "ownerReferences",   "managedFields"};
    return std::ranges::find(known, name) != std::end(known);
}

bool is_owner_reference_field(std::string_view name) {
    static constexpr std::string_view known[] = {"apiVersion", "kind",       "name",
                                                 "uid",        "controller", "blockOwnerDeletion"};
    return std::ranges::find(known, name) != std::end(known);
}

class Pruner {
public:
    std::vector<std::string> unknown;

    void prune(const Node* node, Json& value, bool keep_meta) {
        if (auto* object = value.if_object())
            prune_object(node, *object, keep_meta);
        else if (auto* array = value.if_array())
            for (std::size_t i = 0; i < array->size(); ++i) {
                const auto scope = path_.enter(i);
                prune_item(node, (*array)[i]);
            }
    }

private:
    void prune_item(const Node* list, Json& item) {
        const Node* items = list ? list->items.get() : nullptr;
        // inside a list that keeps what nobody declared, its items do as well
        if (list && list->preserve_unknown && !items) return;
        prune(items, item, items && items->embedded);
    }

    void prune_object(const Node* node, api::json::object& object, bool keep_meta) {
        for (auto& member : object) {
            const auto scope = path_.enter(member.key());
            if (keep_meta && member.key() == "metadata") prune_metadata(member.value());
            if (keep_meta && is_meta_field(member.key())) continue;
            const Node* field = node ? node->field(member.key()) : nullptr;
            if (field || (node && node->additional_anything))
                prune(field, member.value(), field && field->embedded);
            else if (!node || !node->preserve_unknown)
                record();
        }
        if (node && (node->preserve_unknown || node->additional || node->additional_anything)) return;
        erase_members(object, [&](const auto& member) {
            return !(keep_meta && is_meta_field(member.key())) && !(node && node->property(member.key()));
        });
    }

    void prune_metadata(Json& metadata) {
        if (auto* fields = metadata.if_object()) {
            keep(*fields, is_object_meta_field);
            auto* owners = fields->if_contains("ownerReferences");
            if (!owners || !owners->is_array()) return;
            const auto scope = path_.enter("ownerReferences");
            for (std::size_t i = 0; i < owners->get_array().size(); ++i) {
                const auto item = path_.enter(i);
                if (auto* owner = owners->get_array()[i].if_object()) keep(*owner, is_owner_reference_field);
            }
        }
    }

    void keep(api::json::object& fields, bool (*is_known)(std::string_view)) {
        for (const auto& member : fields) {
            const auto scope = path_.enter(member.key());
            if (!is_known(member.key())) record();
        }
        erase_members(fields, [&](const auto& member) { return !is_known(member.key()); });
    }

    /// More names than a person reads, or longer ones, are not worth their memory.
    void record() {
        bytes_ += path_.text().size();
        if (unknown.size() < limits::causes_max && bytes_ < limits::causes_bytes_max) unknown.push_back(path_.text());
    }

    Path path_;
    std::size_t bytes_ = 0;
};

}  // namespace

std::vector<std::string> prune(const Node& node, Json& value, bool root) {
    Pruner pruner;
    pruner.prune(&node, value, root || node.embedded);
    return std::move(pruner.unknown);
}

void drop_nulls(const Node& node, Json& value) {
    if (auto* object = value.if_object()) {
        erase_members(*object, [&](const auto& member) {
            const Node* field = node.field(member.key());
            return is_unwanted_null(member.value(), field) && !field->default_value;
        });
        for (auto& member : *object)
            if (const Node* field = node.field(member.key())) drop_nulls(*field, member.value());
    } else if (auto* array = value.if_array(); array && node.items) {
        for (auto& item : *array) drop_nulls(*node.items, item);
    }
}

void apply_defaults(const Node& node, Json& value) {
    const auto replace_null = [](const Node& field, Json& here) {
        if (is_unwanted_null(here, &field) && field.default_value) here = *field.default_value;
    };
    if (auto* object = value.if_object()) {
        for (const auto& [name, field] : node.properties)
            if (field.default_value && !object->contains(name)) object->emplace(name, *field.default_value);
        for (auto& member : *object)
            if (const Node* field = node.field(member.key())) {
                replace_null(*field, member.value());
                apply_defaults(*field, member.value());
            }
    } else if (auto* array = value.if_array(); array && node.items) {
        for (auto& item : *array) {
            replace_null(*node.items, item);
            apply_defaults(*node.items, item);
        }
    }
}

}  // namespace ocim::schema
