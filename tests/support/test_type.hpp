#pragma once

#include "api/apply.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ocim::test {

/// A merge type made from a few words of OpenAPI: properties, additionalProperties, items, default of key fields,
/// x-kubernetes-list-type, -list-map-keys, -map-type and -preserve-unknown-fields.
class TestType final : public api::TypeNode {
public:
    explicit TestType(const api::Json& schema) {
        using api::find;
        using api::find_text;
        const auto type = find_text(schema, {"type"});
        if (type == "object" || type.empty()) {
            shape_ = find_text(schema, {"x-kubernetes-map-type"}) == "atomic" ? Shape::atomic_map : Shape::map;
            open_ = type.empty() || find(schema, {"x-kubernetes-preserve-unknown-fields"}) != nullptr;
        } else if (type == "array") {
            const auto list = find_text(schema, {"x-kubernetes-list-type"});
            shape_ = list == "set" ? Shape::set : list == "map" ? Shape::keyed : Shape::list;
        }
        if (const auto* properties = find(schema, {"properties"}))
            for (const auto& [name, field] : properties->get_object())
                fields_.emplace(name, std::make_unique<TestType>(field));
        if (const auto* other = find(schema, {"additionalProperties"})) other_ = std::make_unique<TestType>(*other);
        if (const auto* items = find(schema, {"items"})) items_ = std::make_unique<TestType>(*items);
        if (const auto* keys = find(schema, {"x-kubernetes-list-map-keys"}))
            for (const auto& key : keys->get_array()) {
                const std::string name(key.get_string());
                keys_.push_back(name);
                if (const auto* value = find(schema, {"items", "properties", name, "default"}))
                    defaults_[name] = *value;
            }
    }

    Shape shape() const override { return shape_; }
    const TypeNode* field(std::string_view name) const override {
        const auto found = fields_.find(std::string(name));
        if (found != fields_.end()) return found->second.get();
        if (other_) return other_.get();
        return open_ ? &api::deduced_type() : nullptr;
    }
    bool declares(std::string_view name) const override { return fields_.contains(std::string(name)); }
    const TypeNode* item() const override { return items_.get(); }
    const std::vector<std::string>& keys() const override { return keys_; }
    const api::Json* key_default(std::string_view key) const override {
        const auto found = defaults_.find(std::string(key));
        return found == defaults_.end() ? nullptr : &found->second;
    }

private:
    Shape shape_ = Shape::scalar;
    bool open_ = false;
    std::map<std::string, std::unique_ptr<TestType>> fields_;
    std::unique_ptr<TestType> other_, items_;
    std::vector<std::string> keys_;
    std::map<std::string, api::Json> defaults_;
};

/// A Widget has one of every shape.
inline const TestType& widget_type() {
    static const TestType type(api::parse_json(R"({"type":"object","properties":{
        "apiVersion":{"type":"string"},"kind":{"type":"string"},
        "metadata":{"type":"object","properties":{
            "name":{"type":"string"},"namespace":{"type":"string"},"uid":{"type":"string"},
            "resourceVersion":{"type":"string"},"generation":{"type":"integer"},"creationTimestamp":{"type":"string"},
            "labels":{"type":"object","additionalProperties":{"type":"string"}},
            "annotations":{"type":"object","additionalProperties":{"type":"string"}},
            "finalizers":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
            "managedFields":{"type":"array","items":{}}}},
        "spec":{"type":"object","properties":{
            "color":{"type":"string"},"size":{"type":"integer"},
            "sub":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}},
            "selector":{"type":"object","x-kubernetes-map-type":"atomic","additionalProperties":{"type":"string"}},
            "words":{"type":"object","additionalProperties":{"type":"string"}},
            "list":{"type":"array","items":{"type":"string"}},
            "tags":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
            "ports":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port","protocol"],
                "items":{"type":"object","properties":{"port":{"type":"integer"},
                    "protocol":{"type":"string","default":"TCP"},"name":{"type":"string"},"x":{"type":"integer"}}}},
            "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}},
        "status":{"type":"object","properties":{"phase":{"type":"string"},"conditions":{"type":"array",
            "x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["type"],
            "items":{"type":"object","properties":{"type":{"type":"string"},"status":{"type":"string"}}}}}}}})")
                                   ->value);
    return type;
}

}  // namespace ocim::test
