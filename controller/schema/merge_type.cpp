#include "schema/merge_type.hpp"

#include <boost/container/flat_map.hpp>

namespace ocim::schema {
namespace {

using api::TypeNode;

class MergeType final : public TypeNode {
public:
    explicit MergeType(Shape shape) : shape_(shape) {}

    Shape shape() const override { return shape_; }
    const TypeNode* field(std::string_view name) const override {
        const auto found = fields.find(name);
        if (found != fields.end()) return found->second.get();
        if (additional) return additional.get();
        return open ? &api::deduced_type() : nullptr;
    }
    bool declares(std::string_view name) const override { return fields.contains(name); }
    const TypeNode* item() const override { return items ? items.get() : &api::deduced_type(); }
    const std::vector<std::string>& keys() const override { return list_keys; }
    const Json* key_default(std::string_view key) const override {
        const auto found = key_defaults.find(key);
        return found == key_defaults.end() ? nullptr : &found->second;
    }

    boost::container::flat_map<std::string, TypePtr, std::less<>> fields;
    TypePtr additional;
    TypePtr items;
    bool open = false;  // fields that nobody declared are kept
    std::vector<std::string> list_keys;
    boost::container::flat_map<std::string, Json, std::less<>> key_defaults;

private:
    Shape shape_;
};

using Shape = TypeNode::Shape;

std::shared_ptr<MergeType> make(Shape shape) { return std::make_shared<MergeType>(shape); }

/// Most fields are one; they are all alike.
const TypePtr& scalar() {
    static const TypePtr one = make(Shape::scalar);
    return one;
}

/// metav1.ObjectMeta.
TypePtr metadata_type() {
    auto out = make(Shape::map);
    for (const auto name : {"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
                            "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"})
        out->fields[name] = scalar();
    for (const auto name : {"labels", "annotations"}) {
        auto texts = make(Shape::map);
        texts->additional = scalar();
        out->fields[name] = std::move(texts);
    }
    auto finalizers = make(Shape::set);
    finalizers->items = scalar();
    out->fields["finalizers"] = std::move(finalizers);
    auto owners = make(Shape::keyed);
    owners->list_keys = {"uid"};
    owners->items = make(Shape::atomic_map);
    out->fields["ownerReferences"] = std::move(owners);
    out->fields["managedFields"] = make(Shape::list);
    return out;
}

TypePtr type_of(const Node& node, bool root);

Shape list_shape(const Node& node) {
    switch (node.list_type.value_or(Node::ListType::atomic)) {
        case Node::ListType::atomic: return Shape::list;
        case Node::ListType::set: return Shape::set;
        case Node::ListType::map: return Shape::keyed;
    }
    return Shape::list;
}

TypePtr list_type(const Node& node) {
    auto out = make(list_shape(node));
    out->items = type_of(*node.items, false);
    out->list_keys = node.list_keys;
    for (const auto& key : node.list_keys)
        if (const auto* field = node.items->property(key); field && field->default_value)
            out->key_defaults[key] = *field->default_value;
    return out;
}

TypePtr map_type(const Node& node, bool root) {
    auto out = make(node.atomic_map ? Shape::atomic_map : Shape::map);
    out->fields.reserve(node.properties.size() + 3);
    for (const auto& [name, field] : node.properties) out->fields[name] = type_of(field, false);
    if (root || node.embedded) {
        out->fields["apiVersion"] = scalar();
        out->fields["kind"] = scalar();
        static const TypePtr metadata = metadata_type();
        out->fields["metadata"] = metadata;
    }
    if (node.additional) out->additional = type_of(*node.additional, false);
    out->open = node.preserve_unknown || node.additional_anything;
    return out;
}

TypePtr type_of(const Node& node, bool root) {
    if (root || node.type == Type::object) return map_type(node, root);
    if (node.type == Type::array && node.items) return list_type(node);
    if (node.type == Type::any && !node.int_or_string) return {TypePtr(), &api::deduced_type()};
    return scalar();
}

}  // namespace

TypePtr merge_type(const Node& root) { return type_of(root, true); }

}  // namespace ocim::schema
