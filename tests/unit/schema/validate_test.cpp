#include "support.hpp"

#include <gmock/gmock.h>

namespace ocim::schema {
namespace {

using Texts = std::vector<std::string>;

TEST(Validate, SaysWhatIsWrongInKubernetesWords) {
    struct {
        const char* reason;
        const char* schema;
        const char* value;
        Texts wrong;
    } cases[] = {
        {"all is well", "{type: string}", "x", {}},
        {"a text for a number",
         "{type: integer}",
         "\"5\"",
         {"spec: Invalid value: \"string\": spec in body must be of type integer: \"string\" (FieldValueTypeInvalid)"}},
        {"a number for a text",
         "{type: string}",
         "5",
         {"spec: Invalid value: \"integer\": spec in body must be of type string: \"integer\" "
          "(FieldValueTypeInvalid)"}},
        {"a fraction for an integer",
         "{type: integer}",
         "1.5",
         {"spec: Invalid value: \"number\": spec in body must be of type integer: \"number\" (FieldValueTypeInvalid)"}},
        {"a whole float is an integer", "{type: integer}", "2.0", {}},
        {"a boolean for a formatted integer",
         "{type: integer, format: int32}",
         "true",
         {"spec: Invalid value: \"\": spec in body must be of type int32: \"\" (FieldValueTypeInvalid)"}},
        {"beyond int32",
         "{type: integer, format: int32}",
         "2147483648",
         {"spec: Invalid value: \"int64\": spec in body must be of type int32: \"int64\" (FieldValueTypeInvalid)"}},
        {"the end of int32", "{type: integer, format: int32}", "-2147483648", {}},
        {"beyond int64",
         "{type: integer, format: int64}",
         "9223372036854775808",
         {"spec: Invalid value: \"float64\": spec in body must be of type int64: \"float64\" (FieldValueTypeInvalid)"}},
        {"null where nothing allows it",
         "{type: array, items: {type: string}}",
         "[null]",
         {"spec[0]: Invalid value: \"null\": spec[0] in body must be of type string: \"null\" "
          "(FieldValueTypeInvalid)"}},
        {"null where it is allowed", "{type: array, items: {type: string, nullable: true}}", "[null]", {}},
        {"required",
         "{type: object, required: [a, b], properties: {a: {type: string}, b: {type: string}}}",
         "{b: x}",
         {"spec.a: Required value (FieldValueRequired)"}},
        {"enum",
         "{type: string, enum: [A, B]}",
         "X",
         {"spec: Unsupported value: \"X\": supported values: \"A\", \"B\" (FieldValueNotSupported)"}},
        {"enum of numbers",
         "{type: integer, enum: [1, 2]}",
         "3",
         {"spec: Unsupported value: 3: supported values: \"1\", \"2\" (FieldValueNotSupported)"}},
        {"a whole float is in an enum of integers", "{type: integer, enum: [1, 2]}", "1.0", {}},
        {"pattern",
         "{type: string, pattern: '^[a-z]+$'}",
         "X1",
         {"spec: Invalid value: \"X1\": spec in body should match '^[a-z]+$' (FieldValueInvalid)"}},
        {"a pattern matches anywhere", "{type: string, pattern: 'b'}", "abc", {}},
        {"maxLength counts characters", "{type: string, maxLength: 3}", "äöü", {}},
        {"maxLength",
         "{type: string, maxLength: 3}",
         "äöüß",
         {"spec: Too long: may not be more than 3 bytes (FieldValueTooLong)"}},
        {"maxLength of one",
         "{type: string, maxLength: 1}",
         "ab",
         {"spec: Too long: may not be more than 1 byte (FieldValueTooLong)"}},
        {"minLength",
         "{type: string, minLength: 1}",
         "\"\"",
         {"spec: Invalid value: \"\": spec in body should be at least 1 chars long (FieldValueInvalid)"}},
        {"minimum",
         "{type: integer, minimum: 1}",
         "0",
         {"spec: Invalid value: 0: spec in body should be greater than or equal to 1 (FieldValueInvalid)"}},
        {"exclusive minimum",
         "{type: integer, minimum: 1, exclusiveMinimum: true}",
         "1",
         {"spec: Invalid value: 1: spec in body should be greater than 1 (FieldValueInvalid)"}},
        {"exclusive before its bound", "{type: integer, exclusiveMinimum: true, minimum: 1}", "2", {}},
        {"maximum",
         "{type: integer, maximum: 65535}",
         "66666",
         {"spec: Invalid value: 66666: spec in body should be less than or equal to 65535 (FieldValueInvalid)"}},
        {"exclusive maximum of a float",
         "{type: number, maximum: 0.5, exclusiveMaximum: true}",
         "0.5",
         {"spec: Invalid value: 0.5: spec in body should be less than 0.5 (FieldValueInvalid)"}},
        {"large floats print as in Go",
         "{type: number, maximum: 1000000}",
         "2000000.5",
         {"spec: Invalid value: 2.0000005e+06: spec in body should be less than or equal to 1e+06 "
          "(FieldValueInvalid)"}},
        {"integers are compared exactly",
         "{type: integer, maximum: 9007199254740992}",
         "9007199254740993",
         {"spec: Invalid value: 9007199254740993: spec in body should be less than or equal to 9007199254740992 "
          "(FieldValueInvalid)"}},
        {"multipleOf",
         "{type: integer, multipleOf: 5}",
         "7",
         {"spec: Invalid value: 7: spec in body should be a multiple of 5 (FieldValueInvalid)"}},
        {"multipleOf of a float", "{type: number, multipleOf: 0.1}", "0.3", {}},
        {"too few items",
         "{type: array, minItems: 2, items: {type: integer}}",
         "[1]",
         {"spec: Invalid value: 1: spec in body should have at least 2 items (FieldValueInvalid)"}},
        {"too many items",
         "{type: array, maxItems: 1, items: {type: integer}}",
         "[1, 2]",
         {"spec: Too many: 2: must have at most 1 item (FieldValueTooMany)"}},
        {"too few properties",
         "{type: object, minProperties: 1, additionalProperties: {type: string}}",
         "{}",
         {"spec: Invalid value: 0: spec in body should have at least 1 properties (FieldValueInvalid)"}},
        {"too many properties",
         "{type: object, maxProperties: 1, additionalProperties: {type: string}}",
         "{a: b, c: d}",
         {"spec: Too many: 2: must have at most 1 item (FieldValueTooMany)"}},
        {"additional properties have a type",
         "{type: object, additionalProperties: {type: string}}",
         "{a: 1}",
         {"spec.a: Invalid value: \"integer\": spec.a in body must be of type string: \"integer\" "
          "(FieldValueTypeInvalid)"}},
        {"format",
         "{type: string, format: date-time}",
         "yesterday",
         {"spec: Invalid value: \"yesterday\": spec in body must be of type date-time: \"yesterday\" "
          "(FieldValueTypeInvalid)"}},
        {"a format that nobody knows", "{type: string, format: quantum}", "x", {}},
        {"int or string", "{x-kubernetes-int-or-string: true}", "80%", {}},
        {"neither int nor string",
         "{x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}",
         "true",
         {"spec: Invalid value: \"boolean\": spec in body must be of type integer,string: \"boolean\" "
          "(FieldValueTypeInvalid)"}},
        {"a set",
         "{type: array, x-kubernetes-list-type: set, items: {type: string}}",
         "[a, b, a, a]",
         {"spec[2]: Duplicate value: \"a\" (FieldValueDuplicate)"}},
        {"a map list",
         "{type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, "
         "required: [name], properties: {name: {type: string}}}}",
         "[{name: a}, {name: b}, {name: a}]",
         {"spec[2]: Duplicate value: {\"name\":\"a\"} (FieldValueDuplicate)"}},
        {"quotes and control characters are escaped",
         "{type: string, pattern: '^$'}",
         "\"a\\n\\\"\\u0007\\u00e9\"",
         {"spec: Invalid value: \"a\\n\\\"\\aé\": spec in body should match '^$' (FieldValueInvalid)"}},
    };
    for (const auto& c : cases) {
        const auto schema = compiled(with_spec(c.schema));
        const api::Json object = api::json::object{{"spec", yaml(c.value)}};
        EXPECT_EQ(texts(schema.validate(object, nullptr)), c.wrong) << c.reason;
    }
}

TEST(Validate, CombinesSchemas) {
    const auto object = [](std::string_view rules) {
        return "{type: object, properties: {a: {type: string}, b: {type: string}}, " + std::string(rules) + "}";
    };
    struct {
        const char* reason;
        std::string schema;
        const char* value;
        Texts wrong;
    } cases[] = {
        {"one of two", object("oneOf: [{required: [a]}, {required: [b]}]"), "{a: x}", {}},
        {"both of two",
         object("oneOf: [{required: [a]}, {required: [b]}]"),
         "{a: x, b: x}",
         {"<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid "
          "alternatives (FieldValueInvalid)"}},
        {"none of two",
         object("oneOf: [{required: [a]}, {required: [b]}]"),
         "{}",
         {"<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid "
          "(FieldValueInvalid)",
          "spec.a: Required value (FieldValueRequired)"}},
        {"none of any",
         object("anyOf: [{required: [a]}, {required: [b]}]"),
         "{}",
         {"<nil>: Invalid value: \"\": \"spec\" must validate at least one schema (anyOf) (FieldValueInvalid)",
          "spec.a: Required value (FieldValueRequired)"}},
        {"the alternative that fits best speaks",
         object("anyOf: [{required: [a]}, {properties: {b: {enum: [x]}}}]"),
         "{b: z}",
         {"<nil>: Invalid value: \"\": \"spec\" must validate at least one schema (anyOf) (FieldValueInvalid)",
          "spec.b: Unsupported value: \"z\": supported values: \"x\" (FieldValueNotSupported)"}},
        {"not all",
         object("allOf: [{required: [a]}, {required: [b]}]"),
         "{a: x}",
         {"spec.b: Required value (FieldValueRequired)",
          "<nil>: Invalid value: \"\": \"spec\" must validate all the schemas (allOf) (FieldValueInvalid)"}},
        {"not",
         object("not: {required: [a]}"),
         "{a: x}",
         {"<nil>: Invalid value: \"\": \"spec\" must not validate the schema (not) (FieldValueInvalid)"}},
        {"what is not there may be anything", object("not: {required: [a]}"), "{b: x}", {}},
    };
    for (const auto& c : cases) {
        const auto schema = compiled(with_spec(c.schema));
        const api::Json value = api::json::object{{"spec", yaml(c.value)}};
        EXPECT_EQ(texts(schema.validate(value, nullptr)), c.wrong) << c.reason;
    }
}

TEST(Validate, KeepsAtLeastOneFaultAndBoundsTheirNumber) {
    const auto schema = compiled(with_spec("{type: array, items: {type: string, pattern: '^$'}}"));
    api::json::array many(5000, "x");
    const api::Json object = api::json::object{{"spec", many}};
    const auto causes = schema.validate(object, nullptr);
    EXPECT_EQ(causes.size(), limits::causes_max + 1);
    EXPECT_EQ(causes.back().message,
              "Invalid value: there is more wrong than can be shown; correct the existing errors first");
    const std::string huge(limits::causes_bytes_max, 'x');
    const api::Json one = api::json::object{{"spec", api::json::array{huge, huge}}};
    EXPECT_EQ(schema.validate(one, nullptr).size(), 2u);
}

TEST(Validate, WhatWasThereBeforeAndIsUnchangedPasses) {
    const struct {
        const char *reason, *schema, *old, *now;
        std::vector<std::string> fields;  ///< of the causes
    } cases[] = {
        {"nothing was there", "{type: string, maxLength: 1}", "null", "long", {"spec"}},
        {"the value is as it was", "{type: string, maxLength: 1}", "long", "long", {}},
        {"it has changed", "{type: string, maxLength: 1}", "long", "longer", {"spec"}},
        {"another field has changed",
         "{type: object, properties: {a: {type: string, enum: [x]}, b: {type: integer}}}",
         "{a: y, b: 1}",
         "{a: y, b: 2}",
         {}},
        {"one of two has changed",
         "{type: object, properties: {a: {type: string, enum: [x]}, b: {type: integer, maximum: 0}}}",
         "{a: y, b: 1}",
         "{a: y, b: 2}",
         {"spec.b"}},
        {"a field became required, something beside it changed",
         "{type: object, required: [a], properties: {a: {type: string}, b: {type: integer}}}",
         "{b: 1}",
         "{b: 2}",
         {"spec.a"}},
        {"a field became required, nothing beside it changed",
         "{type: object, required: [a], properties: {a: {type: string}, b: {type: integer}}}",
         "{b: 1}",
         "{b: 1}",
         {}},
        {"an item of a keyed list is found by its key",
         "{type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, required: "
         "[k], properties: {k: {type: string}, v: {type: string, maxLength: 1}}}}",
         "[{k: a, v: long}]",
         "[{k: b, v: x}, {k: a, v: long}, {k: c, v: long}]",
         {"spec[2].v"}},
        {"an item of another list has no identity",
         "{type: array, items: {type: string, maxLength: 1}}",
         "[long]",
         "[long, x]",
         {"spec[0]"}},
        {"a whole list is as it was", "{type: array, items: {type: string, maxLength: 1}}", "[long]", "[long]", {}},
        {"a key of a map",
         "{type: object, additionalProperties: {type: string, maxLength: 1}}",
         "{a: long}",
         "{a: long, b: long}",
         {"spec.b"}},
        {"a map that is one value",
         "{type: object, x-kubernetes-map-type: atomic, additionalProperties: {type: string, maxLength: 1}}",
         "{a: long}",
         "{a: long, b: x}",
         {"spec.a"}},
        {"a set that held something twice already",
         "{type: array, x-kubernetes-list-type: set, items: {type: string}}",
         "[a, a]",
         "[a, a, b]",
         {}},
        {"a set that did not",
         "{type: array, x-kubernetes-list-type: set, items: {type: string}}",
         "[a]",
         "[a, a]",
         {"spec[1]"}},
        {"below allOf",
         "{type: object, properties: {a: {type: string}, b: {type: string}}, allOf: [{properties: {a: {maxLength: "
         "1}}}]}",
         "{a: long}",
         "{a: long, b: x}",
         {}},
        {"`not` holds as ever",
         "{type: object, properties: {a: {type: string}, b: {type: string}}, not: {properties: {a: {maxLength: 1}}}}",
         "{a: long}",
         "{a: long, b: x}",
         {}},
        {"a rule on what is unchanged",
         "{type: object, properties: {a: {type: string, x-kubernetes-validations: [{rule: self == 'x'}]}, b: {type: "
         "integer}}}",
         "{a: y, b: 1}",
         "{a: y, b: 2}",
         {}},
        {"a rule on what has changed",
         "{type: object, x-kubernetes-validations: [{rule: self.a == 'x'}], properties: {a: {type: string}, b: {type: "
         "integer}}}",
         "{a: y, b: 1}",
         "{a: y, b: 2}",
         {"spec"}},
        {"a rule on changes speaks of them",
         "{type: integer, x-kubernetes-validations: [{rule: self > oldSelf}]}",
         "1",
         "1",
         {"spec"}},
    };
    for (const auto& c : cases) {
        const auto schema = compiled(with_spec(c.schema));
        const api::Json now = api::json::object{{"spec", yaml(c.now)}, {"status", 1}};
        api::Json old = api::json::object{{"spec", yaml(c.old)}};
        if (old.at("spec").is_null()) old.as_object().erase("spec");
        std::vector<std::string> fields;
        for (const auto& cause : schema.validate(now, &old)) fields.push_back(cause.field);
        EXPECT_EQ(fields, c.fields) << c.reason;
        // these two have nothing to say of what is new
        const bool about_change = std::string_view(c.reason).starts_with("`") ||
                                  std::string_view(c.schema).find("oldSelf") != std::string_view::npos;
        EXPECT_EQ(schema.validate(now, nullptr).empty(), about_change) << c.reason << ": wrong when it is new";
    }
}

TEST(Validate, AnEmbeddedResourceIsOne) {
    const auto schema =
        compiled(with_spec("{type: array, items: {type: object, x-kubernetes-embedded-resource: true, "
                           "x-kubernetes-preserve-unknown-fields: true}}"));
    const struct {
        const char *reason, *value;
        std::vector<std::string> causes;
    } cases[] = {
        {"all there", "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {}}]", {}},
        {"the core group, no metadata", "[{apiVersion: v1, kind: Pod}]", {}},
        {"nothing",
         "[{}]",
         {"spec[0].apiVersion: Required value: must not be empty (FieldValueRequired)",
          "spec[0].kind: Required value: must not be empty (FieldValueRequired)"}},
        {"empty and of the wrong type",
         "[{apiVersion: '', kind: 1, metadata: x}]",
         {"spec[0].apiVersion: Invalid value: \"\": must not be empty (FieldValueInvalid)",
          "spec[0].kind: Invalid value: 1: must be a string (FieldValueInvalid)",
          "spec[0].metadata: Invalid value: \"x\": must be an object (FieldValueInvalid)"}},
        {"two slashes",
         "[{apiVersion: a/b/c, kind: X}]",
         {"spec[0].apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c (FieldValueInvalid)"}},
    };
    for (const auto& c : cases) {
        const api::Json object = api::json::object{{"spec", yaml(c.value)}};
        EXPECT_EQ(texts(schema.validate(object, nullptr)), c.causes) << c.reason;
    }
    const api::Json odd = api::json::object{{"spec", yaml("[{apiVersion: v1, kind: a_b}]")}};
    ASSERT_EQ(schema.validate(odd, nullptr).size(), 1u);
    EXPECT_EQ(schema.validate(odd, nullptr)[0].field, "spec[0].kind");
}

TEST(Validate, KnowsTheFormats) {
    struct {
        const char* format;
        std::vector<std::string> good, bad;
    } cases[] = {
        {"date-time",
         {"2026-11-22T10:00:00Z", "2026-11-22t10:00:00.123456+05:30", "2026-12-31T23:59:60Z"},
         {"2026-11-22", "2026-02-30T10:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:00:00", "x"}},
        {"date", {"2024-02-29"}, {"2026-02-29", "26-1-1", "2026-13-01"}},
        {"duration", {"1h30m", "0", "-1.5s", "2 weeks", "10 min", "500ms"}, {"", "1", "1x", "h", "one hour"}},
        {"byte", {"", "aGk=", "aGkh"}, {"aGk", "a b=", "====", "aGk=\n"}},
        {"uri", {"https://example.org/a?b#c", "/path", "urn:x:y"}, {"", "example.org", "https://a b", "/%zz"}},
        {"email", {"dana@example.org", "Dana <dana@example.org>"}, {"dana", "@x", "a@b@c", "Dana <dana@example.org"}},
        {"hostname", {"example.org", "a", "1a-b.c"}, {"", "-a", "a..b", "a_b", std::string(64, 'a')}},
        {"ipv4", {"198.51.100.7"}, {"198.51.100", "1.2.3.4.5", "256.1.1.1", "::1"}},
        {"ipv6", {"::1", "2001:db8::7"}, {"1.2.3.4", ":::", "x"}},
        {"cidr", {"198.51.100.0/24", "2001:db8::/32"}, {"198.51.100.0", "198.51.100.0/33", "x/8", "1.2.3.4/ 8"}},
        {"mac", {"00:00:5e:00:53:01", "00-00-5E-00-53-01"}, {"00:00:5e", "zz:00:5e:00:53:01"}},
        {"uuid", {"3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3F2504E04F8911D39A0C0305E82C3301"}, {"3f2504e0", ""}},
        {"uuid4", {"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}, {"3f2504e0-4f89-11d3-9a0c-0305e82c3301"}},
        {"isbn13", {"978-3-16-148410-0"}, {"978-3-16-148410-1"}},
        {"isbn10", {"0-306-40615-2"}, {"0-306-40615-3"}},
        {"creditcard", {"4111 1111 1111 1111"}, {"4111 1111 1111 1112"}},
        {"hexcolor", {"#fff", "00ff00"}, {"#ffff", "red"}},
        {"rgbcolor", {"rgb(0, 12,255)"}, {"rgb(0,12,256)"}},
        {"ssn", {"123-45-6789"}, {"123-45-678"}},
        {"bsonobjectid", {"507f1f77bcf86cd799439011"}, {"507f"}},
        {"k8s-short-name", {"a-b"}, {"a.b", "A"}},
        {"k8s-long-name", {"a-b.c"}, {"a..b", "-a"}},
    };
    for (const auto& c : cases) {
        const auto schema = compiled(with_spec("{type: string, format: " + std::string(c.format) + "}"));
        const auto holds = [&](const std::string& text) {
            return schema.validate(api::json::object{{"spec", text}}, nullptr).empty();
        };
        for (const auto& text : c.good) EXPECT_TRUE(holds(text)) << c.format << " " << text;
        for (const auto& text : c.bad) EXPECT_FALSE(holds(text)) << c.format << " " << text;
    }
}

TEST(Validate, APatternMatchesALongTextWithoutTroublingTheStack) {
    const auto schema = compiled(with_spec("{type: string, pattern: '^(a|b|ab)*c$'}"));
    const api::Json object = api::json::object{{"spec", std::string(1 << 20, 'a')}};
    EXPECT_EQ(schema.validate(object, nullptr).size(), 1u);
}

}  // namespace
}  // namespace ocim::schema
