#include "support.hpp"

#include <gmock/gmock.h>

namespace ocim::schema {
namespace {

TEST(Compile, RefusesWithPathAndReason) {
    struct {
        const char* schema;
        const char* refusal;
    } cases[] = {
        {"{properties: {}}", "s.type: Required value: must not be empty at the root"},
        {"{type: array, items: {type: string}}", "s.type: Invalid value: \"array\": must be object at the root"},
        {"{type: object, properties: {a: {}}}",
         "s.properties[a].type: Required value: must not be empty for specified object fields"},
        {"{type: object, properties: {a: {type: array, items: {}}}}",
         "s.properties[a].items.type: Required value: must not be empty for specified array items"},
        {"{type: object, properties: {a: {type: array}}}", "s.properties[a].items: Required value: must be specified"},
        {"{type: object, properties: {a: {type: text}}}",
         "s.properties[a].type: Unsupported value: \"text\": supported values: \"object\", \"array\", \"string\", "
         "\"integer\", \"number\", \"boolean\""},
        {"{type: object, properties: {a: {type: string, bogus: 1}}}",
         "s.properties[a].bogus: Forbidden: this keyword is not understood"},
        {"{type: object, properties: {a: {$ref: x}}}", "s.properties[a].$ref: Forbidden: $ref is not supported"},
        {"{type: object, properties: {a: {type: object, patternProperties: {x: {type: string}}}}}",
         "s.properties[a].patternProperties: Forbidden: patternProperties is not supported"},
        {"{type: object, properties: {a: {type: array, uniqueItems: true, items: {type: string}}}}",
         "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
         "becomes quadratic"},
        {"{type: object, properties: {a: {type: array, items: [{type: string}]}}}",
         "s.properties[a].items: Forbidden: items must be a schema object and not an array"},
        {"{type: object, properties: {a: {type: array}}}", "s.properties[a].items: Required value: must be specified"},
        {"{type: object, properties: {a: {description: x}}}",
         "s.properties[a].type: Required value: must not be empty for specified object fields"},
        {"{type: object, properties: {a: {type: object, x-kubernetes-preserve-unknown-fields: false}}}",
         "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"},
        {"{type: object, properties: {a: {x-kubernetes-int-or-string: true, x-kubernetes-preserve-unknown-fields: "
         "true}}}",
         "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if "
         "x-kubernetes-int-or-string is true"},
        {"{type: object, properties: {a: {type: object, x-kubernetes-embedded-resource: true}}}",
         "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true "
         "without x-kubernetes-preserve-unknown-fields"},
        {"{type: object, properties: {a: {type: string, not: {nullable: true}}}}",
         "s.properties[a].not.nullable: Forbidden: must be empty to be structural"},
        {"{type: object, properties: {a: {type: string, oneOf: [{x-kubernetes-validations: [{rule: 'true'}]}]}}}",
         "s.properties[a].oneOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural"},
        {"{type: object, properties: {kind: {type: string, default: X}}}",
         "s.properties[kind].default: Forbidden: must not be set in top-level kind"},
        {"{type: object, properties: {a: {type: array, x-kubernetes-list-type: set, items: {type: string, nullable: "
         "true}}}}",
         "s.properties[a].items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set"},
        {"{type: object, properties: {a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], "
         "items: {type: object, required: [k], properties: {k: {type: string, nullable: true}}}}}}",
         "s.properties[a].items.properties[k].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so "
         "it cannot be nullable"},
        {"{type: object, properties: {a: {type: string, pattern: '('}}}",
         "s.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: missing ): ("},
        {"{type: object, properties: {a: {type: integer, default: x}}}",
         "s.properties[a].default: Invalid value: \"string\": s.properties[a].default in body must be of type integer: "
         "\"string\""},
        {"{type: object, properties: {a: {type: object, default: {b: 1}, properties: {c: {type: string}}}}}",
         "s.properties[a].default: Invalid value: {\"b\":1}: must not have unknown fields: b"},
        {"{type: object, properties: {a: {type: object, allOf: [{required: [b], properties: {b: {minLength: 1}}}]}}}",
         "s.properties[a].properties[b]: Required value: because it is defined in "
         "s.properties[a].allOf[0].properties[b]"},
        {"{type: object, properties: {a: {type: string, anyOf: [{type: string}]}}}",
         "s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"},
        {"{type: object, properties: {a: {type: object, additionalProperties: false}}}",
         "s.properties[a].additionalProperties: Forbidden: cannot be set to false"},
        {"{type: object, additionalProperties: {type: string}}",
         "s.additionalProperties: Forbidden: must not be used at the root"},
        {"{type: object, properties: {a: {type: object, properties: {b: {type: string}}, additionalProperties: {type: "
         "string}}}}",
         "s.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"},
        {"{type: object, properties: {metadata: {type: object, properties: {labels: {type: object}}}}}",
         "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata "
         "is implicitly specified"},
        {"{type: object, properties: {a: {type: string, x-kubernetes-list-type: set}}}",
         "s.properties[a].type: Invalid value: \"string\": must be array if x-kubernetes-list-type is specified"},
        {"{type: object, properties: {a: {type: array, x-kubernetes-list-type: bag, items: {type: string}}}}",
         "s.properties[a].x-kubernetes-list-type: Unsupported value: \"bag\": supported values: \"atomic\", \"map\", "
         "\"set\""},
        {"{type: object, properties: {a: {type: array, x-kubernetes-list-type: map, items: {type: object}}}}",
         "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is "
         "map"},
        {"{type: object, properties: {a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], "
         "items: {type: object, properties: {k: {type: string}}}}}}",
         "s.properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, "
         "so it must have a default or be a required property"},
        {"{type: object, properties: {a: {type: string, x-kubernetes-embedded-resource: true}}}",
         "s.properties[a].type: Invalid value: \"string\": must be object if x-kubernetes-embedded-resource is true"},
        {"{type: object, properties: {a: {type: integer, multipleOf: 0}}}",
         "s.properties[a].multipleOf: Invalid value: 0: must be greater than 0"},
        {"{type: object, properties: {a: {type: string, maxLength: -1}}}",
         "s.properties[a].maxLength: Invalid value: -1: must be a whole number that is not negative"},
        {"{type: object, nullable: true}", "s.nullable: Forbidden: nullable cannot be true at the root"},
        {"[]", "s: Invalid value: []: must be an object"},
        {"{type: object, properties: {a: {type: object, nullable: 1}}}",
         "s.properties[a].nullable: Invalid value: 1: must be true or false"},
    };
    for (const auto& c : cases) {
        const auto schema = Schema::compile(yaml(c.schema), "s");
        ASSERT_FALSE(schema) << c.schema;
        EXPECT_EQ(schema.error().message, c.refusal);
        EXPECT_EQ(schema.error().error_class, ErrorClass::invalid);
    }
}

TEST(Compile, AcceptsWhatKubernetesAccepts) {
    const struct {
        const char *reason, *spec;
    } cases[] = {
        {"words for people, in parts of a combination too",
         "{type: string, example: x, externalDocs: {url: y}, anyOf: [{example: z, minLength: 1}]}"},
        {"an open object with some known fields",
         "{type: object, properties: {a: {type: string}}, additionalProperties: true}"},
        {"a key that is a number or a text",
         "{type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [port], items: {type: object, "
         "required: [port], properties: {port: {x-kubernetes-int-or-string: true}}}}"},
        {"an int-or-string as others write it",
         "{x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}"},
        {"and with more to say",
         "{x-kubernetes-int-or-string: true, allOf: [{anyOf: [{type: integer}, {type: string}]}, {pattern: '^1'}]}"},
        {"what is said not to be so", "{type: array, uniqueItems: false, items: {type: string}}"},
        {"a resource in a resource",
         "{type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}"},
        {"a default far down",
         "{type: object, properties: {a: {type: object, default: {}, properties: {b: {type: object, default: {c: 1}, "
         "properties: {c: {type: integer, default: 2, maximum: 3}}}}}}}"},
    };
    for (const auto& c : cases) {
        const auto schema = Schema::compile(with_spec(c.spec), "s");
        EXPECT_TRUE(schema) << c.reason << ": " << (schema ? "" : schema.error().message);
    }
}

TEST(Compile, RefusesASchemaThatIsNestedTooDeep) {
    api::Json schema = api::json::object{{"type", "string"}};
    for (std::size_t i = 0; i < limits::json_depth_max + 5; ++i)
        schema = api::json::object{{"type", "array"}, {"items", std::move(schema)}};
    const auto result = Schema::compile(api::json::object{{"type", "object"}, {"properties", {{"a", schema}}}}, "s");
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, testing::EndsWith("nested too deep"));
}

TEST(Type, SaysHowPlacesMerge) {
    using Shape = api::TypeNode::Shape;
    const auto schema = compiled(with_spec(R"(
type: object
properties:
  text: {type: string}
  atomic: {type: array, items: {type: string}}
  set: {type: array, x-kubernetes-list-type: set, items: {type: string}}
  ports:
    type: array
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [port, protocol]
    items:
      type: object
      required: [port]
      properties: {port: {type: integer}, protocol: {type: string, default: TCP}}
  whole: {type: object, x-kubernetes-map-type: atomic, properties: {a: {type: string}}}
  labels: {type: object, additionalProperties: {type: string}}
  free: {type: object, x-kubernetes-preserve-unknown-fields: true}
  port: {x-kubernetes-int-or-string: true}
)"));
    const auto& root = schema.type();
    EXPECT_EQ(root.shape(), Shape::map);
    EXPECT_EQ(root.field("status"), nullptr);
    const auto* spec = root.field("spec");
    ASSERT_NE(spec, nullptr);
    const std::pair<const char*, Shape> shapes[] = {
        {"text", Shape::scalar},      {"atomic", Shape::list}, {"set", Shape::set},  {"ports", Shape::keyed},
        {"whole", Shape::atomic_map}, {"labels", Shape::map},  {"free", Shape::map}, {"port", Shape::scalar}};
    for (const auto& [name, shape] : shapes) EXPECT_EQ(spec->field(name)->shape(), shape) << name;
    EXPECT_EQ(spec->field("bogus"), nullptr);
    EXPECT_EQ(spec->field("labels")->field("any")->shape(), Shape::scalar);
    EXPECT_NE(spec->field("free")->field("any"), nullptr);
    const auto* ports = spec->field("ports");
    EXPECT_EQ(ports->keys(), (std::vector<std::string>{"port", "protocol"}));
    ASSERT_NE(ports->key_default("protocol"), nullptr);
    EXPECT_EQ(*ports->key_default("protocol"), "TCP");
    EXPECT_EQ(ports->key_default("port"), nullptr);
    EXPECT_EQ(ports->item()->shape(), Shape::map);
    const auto* metadata = root.field("metadata");
    EXPECT_EQ(metadata->field("labels")->shape(), Shape::map);
    EXPECT_EQ(metadata->field("finalizers")->shape(), Shape::set);
    EXPECT_EQ(metadata->field("ownerReferences")->keys(), std::vector<std::string>{"uid"});
    EXPECT_EQ(metadata->field("managedFields")->shape(), Shape::list);
    EXPECT_EQ(metadata->field("bogus"), nullptr);
}

}  // namespace
}  // namespace ocim::schema
