#include "apiserver/openapi.hpp"
#include "apiserver/openapi_protobuf.hpp"

#include <gtest/gtest.h>

using namespace ocim;

namespace {

api::Json parsed(const std::string& text) { return api::parse_json(text)->value; }

std::string v2_schema(const std::string& v3) {
    const auto document = parsed(R"({"paths":{},"components":{"schemas":{"A":)" + v3 + "}}}");
    return api::to_text(*api::find(apiserver::open_api_v2({document}), {"definitions", "A"}));
}

TEST(OpenApi, SaysInVersion2WhatItCanSay) {
    const struct {
        const char *reason, *v3, *v2;
    } cases[] = {
        {"plain keywords stay", R"({"type":"string","maxLength":3,"enum":["a",null]})",
         R"({"type":"string","maxLength":3,"enum":["a",null]})"},
        {"a field may be called like a keyword", R"({"properties":{"allOf":{"type":"string"}},"type":"object"})",
         R"({"properties":{"allOf":{"type":"string"}},"type":"object"})"},
        {"no word for alternatives", R"({"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"}]})",
         R"({"x-kubernetes-int-or-string":true})"},
        {"a reference", R"({"items":{"$ref":"#/components/schemas/B"},"type":"array"})",
         R"({"items":{"$ref":"#/definitions/B"},"type":"array"})"},
        {"a reference by allOf", R"({"description":"d","default":{},"allOf":[{"$ref":"#/components/schemas/B"}]})",
         R"({"$ref":"#/definitions/B","description":"d","default":{}})"},
        {"what may be null has no type", R"({"type":"array","nullable":true,"items":{"type":"string"}})", "{}"},
        {"and is not required",
         R"({"type":"object","required":["a","b"],"properties":{"a":{"type":"string","nullable":true},"b":{}}})",
         R"({"type":"object","required":["b"],"properties":{"a":{},"b":{}}})"},
        {"more may come than is told",
         R"({"type":"object","properties":{"a":{}},"x-kubernetes-preserve-unknown-fields":true})",
         R"({"type":"object","x-kubernetes-preserve-unknown-fields":true})"},
        {"an array of anything", R"({"type":"array","x-kubernetes-preserve-unknown-fields":true})",
         R"({"x-kubernetes-preserve-unknown-fields":true})"},
    };
    for (const auto& c : cases) EXPECT_EQ(v2_schema(c.v3), c.v2) << c.reason;
}

TEST(OpenApi, WritesTheProtobufThatKubectlReads) {
    const auto document = parsed(
        R"({"swagger":"2.0","info":{"title":"T","version":"v"},"paths":{"/p":{"get":{"operationId":"i",)"
        R"("parameters":[{"name":"q","in":"query","type":"string"}],"responses":{"200":{"description":"d"}},)"
        R"("x-a":1}}},"definitions":{"A":{"type":"object","required":["r"],"properties":{"r":{"$ref":"#/d"}}}}})");
    // field numbers and lengths by hand, from the published definition
    const std::string query = std::string("\x12\x05query") + "\x22\x01q" + "\x32\x06string";
    const auto wrapped = [](const std::string& tag, const std::string& inside) {
        return tag + static_cast<char>(inside.size()) + inside;
    };
    const auto item = wrapped("\x0a", wrapped("\x12", wrapped("\x1a", query)));
    const auto response =
        wrapped("\x0a", wrapped("\x0a", "200") + wrapped("\x12", wrapped("\x0a", wrapped("\x0a", "d"))));
    const auto extension = wrapped("\x0a", "x-a") + wrapped("\x12", wrapped("\x12", "1\n"));
    const auto get =
        wrapped("\x2a", "i") + wrapped("\x42", item) + wrapped("\x4a", response) + wrapped("\x6a", extension);
    const auto paths = wrapped("\x12", wrapped("\x0a", "/p") + wrapped("\x12", wrapped("\x12", get)));
    const auto property = wrapped("\x0a", "r") + wrapped("\x12", wrapped("\x0a", "#/d"));
    const auto schema = wrapped("\x9a\x01", "r") + wrapped("\xb2\x01", wrapped("\x0a", "object")) +
                        wrapped("\xca\x01", wrapped("\x0a", property));
    const auto definitions = wrapped("\x0a", wrapped("\x0a", "A") + wrapped("\x12", schema));
    const auto expected = wrapped("\x0a", "2.0") + wrapped("\x12", wrapped("\x0a", "T") + wrapped("\x12", "v")) +
                          wrapped("\x42", paths) + wrapped("\x4a", definitions);
    EXPECT_EQ(apiserver::open_api_v2_protobuf(document), expected);
}

}  // namespace
