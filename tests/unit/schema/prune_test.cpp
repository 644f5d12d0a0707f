#include "support.hpp"

#include <gmock/gmock.h>

namespace ocim::schema {
namespace {

TEST(Defaults, FillInWhatIsAbsentAndDropNulls) {
    struct {
        const char* reason;
        const char* schema;
        const char* before;
        const char* after;
    } cases[] = {
        {"absent", "{type: object, properties: {a: {type: integer, default: 1}}}", "{}", "{a: 1}"},
        {"present", "{type: object, properties: {a: {type: integer, default: 1}}}", "{a: 2}", "{a: 2}"},
        {"null takes the default", "{type: object, properties: {a: {type: integer, default: 1}}}", "{a: null}",
         "{a: 1}"},
        {"null stays where it is allowed",
         "{type: object, properties: {a: {type: integer, nullable: true, default: 1}}}", "{a: null}", "{a: null}"},
        {"null without a default goes", "{type: object, properties: {a: {type: integer}}}", "{a: null, b: 1}",
         "{b: 1}"},
        {"a null value of a map goes", "{type: object, additionalProperties: {type: string}}", "{a: null, b: x}",
         "{b: x}"},
        {"a default is filled in further",
         "{type: object, properties: {a: {type: object, default: {}, properties: {b: {type: integer, default: 2}}}}}",
         "{}", "{a: {b: 2}}"},
        {"an absent object is not made",
         "{type: object, properties: {a: {type: object, properties: {b: {type: integer, default: 2}}}}}", "{}", "{}"},
        {"in items", "{type: array, items: {type: object, properties: {p: {type: string, default: TCP}}}}",
         "[{}, {p: UDP}]", "[{p: TCP}, {p: UDP}]"},
        {"in values of a map",
         "{type: object, additionalProperties: {type: object, properties: {p: {type: string, default: TCP}}}}",
         "{a: {}}", "{a: {p: TCP}}"},
    };
    for (const auto& c : cases) {
        const auto schema = compiled(with_spec(c.schema));
        api::Json object = api::json::object{{"spec", yaml(c.before)}};
        schema.apply_defaults(object);
        EXPECT_EQ(object.at("spec"), yaml(c.after)) << c.reason;
        const auto once = object;
        schema.apply_defaults(object);
        EXPECT_EQ(object, once) << "twice: " << c.reason;
    }
}

TEST(Prune, RemovesAndNamesWhatIsNotDeclared) {
    struct {
        const char* reason;
        const char* schema;
        const char* before;
        const char* after;
        std::vector<std::string> unknown;
    } cases[] = {
        {"declared", "{type: object, properties: {a: {type: string}}}", "{a: x}", "{a: x}", {}},
        {"unknown", "{type: object, properties: {a: {type: string}}}", "{b: {c: 1}, a: x}", "{a: x}", {"spec.b"}},
        {"in items",
         "{type: object, properties: {ports: {type: array, items: {type: object, properties: {p: {type: integer}}}}}}",
         "{ports: [{zz: 1, p: 1}, {p: 2}]}",
         "{ports: [{p: 1}, {p: 2}]}",
         {"spec.ports[0].zz"}},
        {"any key of a map",
         "{type: object, additionalProperties: {type: string}}",
         "{a: x, b: y}",
         "{a: x, b: y}",
         {}},
        {"below a key of a map",
         "{type: object, additionalProperties: {type: object, properties: {a: {type: string}}}}",
         "{k: {a: x, b: y}}",
         "{k: {a: x}}",
         {"spec.k.b"}},
        {"kept on request",
         "{type: object, x-kubernetes-preserve-unknown-fields: true}",
         "{a: {b: [{c: 1}]}}",
         "{a: {b: [{c: 1}]}}",
         {}},
        {"declared ones are pruned even where others are kept",
         "{type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: object, properties: {b: "
         "{type: string}}}}}",
         "{a: {b: x, c: y}, d: {e: 1}}",
         "{a: {b: x}, d: {e: 1}}",
         {"spec.a.c"}},
        {"an embedded resource has its metadata",
         "{type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}",
         "{apiVersion: v1, kind: X, metadata: {name: n, zz: 1}, spec: {}, data: {}}",
         "{apiVersion: v1, kind: X, metadata: {name: n}, spec: {}}",
         {"spec.metadata.zz", "spec.data"}},
    };
    for (const auto& c : cases) {
        const auto schema = compiled(with_spec(c.schema));
        api::Json object = api::json::object{{"spec", yaml(c.before)}};
        EXPECT_EQ(schema.prune(object), c.unknown) << c.reason;
        EXPECT_EQ(object.at("spec"), yaml(c.after)) << c.reason;
        EXPECT_TRUE(schema.prune(object).empty()) << "twice: " << c.reason;
    }
}

TEST(Prune, KeepsWhatEveryObjectHas) {
    const auto schema = compiled(with_spec("{type: object}"));
    auto object = yaml(
        "{apiVersion: a/v1, kind: K, metadata: {name: n, labels: {a: b}, bogus: 1, ownerReferences: [{uid: u, own: "
        "1}]}, spec: {}, status: {}}");
    EXPECT_EQ(schema.prune(object),
              (std::vector<std::string>{"metadata.bogus", "metadata.ownerReferences[0].own", "status"}));
    EXPECT_EQ(
        object,
        yaml(
            "{apiVersion: a/v1, kind: K, metadata: {name: n, labels: {a: b}, ownerReferences: [{uid: u}]}, spec: {}}"));
}

TEST(Prune, KeepsTheOrderOfKeys) {
    const auto schema = compiled(with_spec("{type: object, properties: {a: {type: string}, c: {type: string}}}"));
    auto object = yaml("{spec: {c: x, b: y, a: z}}");
    schema.prune(object);
    EXPECT_EQ(api::to_text(object), R"({"spec":{"c":"x","a":"z"}})");
}

}  // namespace
}  // namespace ocim::schema
