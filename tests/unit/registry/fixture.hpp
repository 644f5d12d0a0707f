#pragma once

#include "support/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::registry {

using api::Json;
using test::json_of;
using test::World;

inline constexpr const char* widget_crd = R"({
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "widgets.lab.example.com"},
  "spec": {"group": "lab.example.com", "scope": "Namespaced",
    "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
    "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
      "selectableFields": [{"jsonPath": ".spec.color"}],
      "schema": {"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
          "color": {"type": "string", "enum": ["red", "green", "blue"]},
          "size": {"type": "integer", "default": 1, "minimum": 0},
          "note": {"type": "string"},
          "tags": {"type": "object", "additionalProperties": {"type": "string"}},
          "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"],
              "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}}}},
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}}}]}})";

inline constexpr const char* gadget_crd = R"({
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "gadgets.lab.example.com"},
  "spec": {"group": "lab.example.com", "scope": "Cluster", "names": {"kind": "Gadget", "plural": "gadgets"},
    "versions": [{"name": "v1", "served": true, "storage": true,
      "schema": {"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}})";

/// A registry that serves Widget (namespaced, status sub-resource) and Gadget (cluster scope, none).
class RegistryTest : public testing::Test {
protected:
    explicit RegistryTest(store::Store::Settings history = {}) : world(history) {
        install(widget_crd);
        install(gadget_crd);
    }

    void install(const char* crd) {
        const auto installed = world.loop.run(world.registry().install(json_of(crd)));
        ASSERT_TRUE(installed) << installed.error().message;
    }
    const Resource& resource(const char* plural, const char* group = "lab.example.com") {
        const auto* found = world.registry().resource(group, "v1", plural);
        if (!found) throw std::runtime_error(std::string(plural) + " is not served");
        return *found;
    }
    const Resource& widgets() { return resource("widgets"); }

    static WriteOptions options(std::string manager = "test", std::string subresource = "") {
        WriteOptions out;
        out.field_manager = std::move(manager);
        out.subresource = std::move(subresource);
        return out;
    }
    static api::Parsed parsed(Json value) {
        api::Parsed out;
        out.value = std::move(value);
        return out;
    }
    static Json widget(const std::string& name, const std::string& spec = "{}") {
        auto out = json_of("{'apiVersion':'lab.example.com/v1','kind':'Widget','spec':" + spec + "}");
        api::make_object(out, {"metadata"})["name"] = name;
        return out;
    }

    Outcome<Written> create(const Resource& r, Json object, std::string ns = "default", WriteOptions o = options()) {
        return world.loop.run(world.registry().create(r, std::move(ns), "", parsed(std::move(object)), std::move(o)));
    }
    Outcome<Written> update(const Resource& r, Json object, WriteOptions o = options()) {
        const std::string name(api::find_text(object, {"metadata", "name"}));
        const std::string ns(r.namespaced ? "default" : "");
        return world.loop.run(world.registry().update(r, ns, name, parsed(std::move(object)), std::move(o)));
    }
    Outcome<Written> merge(const Resource& r, std::string name, const std::string& patch, WriteOptions o = options()) {
        return world.loop.run(world.registry().patch(r, r.namespaced ? "default" : "", std::move(name),
                                                     PatchType::merge, parsed(json_of(patch)), std::move(o)));
    }
    Outcome<Written> apply(const Resource& r, Json object, std::string manager, bool force = false,
                           std::string subresource = "") {
        const std::string name(api::find_text(object, {"metadata", "name"}));
        return world.loop.run(world.registry().apply(r, r.namespaced ? "default" : "", name, parsed(std::move(object)),
                                                     force, options(std::move(manager), std::move(subresource))));
    }
    Outcome<Written> remove(const Resource& r, std::string name, DeleteOptions o = {}, std::string ns = "default") {
        return world.loop.run(
            world.registry().remove(r, r.namespaced ? std::move(ns) : "", std::move(name), std::move(o)));
    }
    Outcome<StoredObject> get(const Resource& r, const std::string& name, const std::string& ns = "default") {
        return world.registry().get(r, r.namespaced ? ns : "", name);
    }
    /// The object as it is now; null when it is not there.
    Json now(const Resource& r, const std::string& name, const std::string& ns = "default") {
        const auto found = get(r, name, ns);
        return found ? found->parsed() : Json();
    }
    bool exists(const Resource& r, const std::string& name, const std::string& ns = "default") {
        return static_cast<bool>(get(r, name, ns));
    }
    /// What the collectors do meanwhile.
    void settle(Duration time = std::chrono::seconds(5)) { world.loop.advance(time); }

    World world;
};

inline std::string text(const Json& object, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(object, path);
    if (!found) return "(absent)";
    return found->is_string() ? std::string(found->get_string()) : api::to_text(*found);
}

}  // namespace ocim::registry
