#include "api/patch.hpp"

#include "support/random_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::api {
namespace {

using testing::HasSubstr;

Json parsed(std::string_view text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value) << text;
    return value ? std::move(value->value) : Json();
}

TEST(MergePatch, Table) {
    const struct {
        const char* reason;
        const char* target;
        const char* patch;
        const char* result;
    } cases[] = {
        {"a field is replaced", R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
        {"a field is added", R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
        {"null removes", R"({"a":"b","b":"c","c":1})", R"({"a":null})", R"({"b":"c","c":1})"},
        {"null of what is absent is nothing", R"({"a":1})", R"({"b":null})", R"({"a":1})"},
        {"arrays are replaced as a whole", R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
        {"an object replaces a text", R"({"a":"c"})", R"({"a":{"b":1}})", R"({"a":{"b":1}})"},
        {"nested", R"({"a":{"b":"c","d":1}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d","d":1}})"},
        {"nulls inside what is new are not stored", R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
        {"nulls inside an array are values", R"({})", R"({"a":[null]})", R"({"a":[null]})"},
        {"a patch that is no object is the result", R"({"a":"b"})", R"(["c"])", R"(["c"])"},
        {"a target that is no object is dropped", R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
        {"an empty patch", R"({"a":1})", R"({})", R"({"a":1})"},
    };
    for (const auto& c : cases) {
        auto target = parsed(c.target);
        merge_patch(target, parsed(c.patch));
        EXPECT_EQ(to_text(target), c.result) << c.reason;
        const auto once = target;
        merge_patch(target, parsed(c.patch));
        EXPECT_EQ(target, once) << c.reason << ": twice is once";
    }
}

TEST(MergePatch, TwiceIsOnceWhateverThePatch) {
    auto random = make_seeded_random(23);
    for (int i = 0; i < 2000; ++i) {
        auto target = test::random_json(*random);
        const auto patch = test::random_json(*random);
        merge_patch(target, patch);
        const auto once = target;
        merge_patch(target, patch);
        ASSERT_EQ(target, once) << to_text(patch);
    }
}

TEST(JsonPatch, Table) {
    const struct {
        const char* reason;
        const char* target;
        const char* patch;
        const char* result;
    } cases[] = {
        {"add a field", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
         R"({"foo":"bar","baz":"qux"})"},
        {"add replaces a field", R"({"a":1})", R"([{"op":"add","path":"/a","value":null}])", R"({"a":null})"},
        {"add into an array", R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])", R"({"a":[1,2,3]})"},
        {"add at the end by its index", R"({"a":[1]})", R"([{"op":"add","path":"/a/1","value":2}])", R"({"a":[1,2]})"},
        {"add at the end by a dash", R"({"a":[]})", R"([{"op":"add","path":"/a/-","value":1}])", R"({"a":[1]})"},
        {"add the whole document", R"({"a":1})", R"([{"op":"add","path":"","value":[1]}])", R"([1])"},
        {"remove a field, others keep their order", R"({"a":1,"b":2,"c":3})", R"([{"op":"remove","path":"/a"}])",
         R"({"b":2,"c":3})"},
        {"remove an item", R"([1,2,3])", R"([{"op":"remove","path":"/1"}])", R"([1,3])"},
        {"replace", R"({"a":{"b":1}})", R"([{"op":"replace","path":"/a/b","value":[]}])", R"({"a":{"b":[]}})"},
        {"replace the whole document", R"({"a":1})", R"([{"op":"replace","path":"","value":{"b":2}}])", R"({"b":2})"},
        {"move", R"({"a":{"x":1},"b":{}})", R"([{"op":"move","from":"/a/x","path":"/b/y"}])",
         R"({"a":{},"b":{"y":1}})"},
        {"move within an array", R"([1,2,3])", R"([{"op":"move","from":"/0","path":"/2"}])", R"([2,3,1])"},
        {"move to itself", R"({"a":1})", R"([{"op":"move","from":"/a","path":"/a"}])", R"({"a":1})"},
        {"copy", R"({"a":{"x":1}})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":{"x":1},"b":{"x":1}})"},
        {"test holds", R"({"a":{"x":[1,"2"],"y":null}})",
         R"([{"op":"test","path":"/a","value":{"y":null,"x":[1,"2"]}},{"op":"add","path":"/b","value":1}])",
         R"({"a":{"x":[1,"2"],"y":null},"b":1})"},
        {"a slash and a tilde in names", R"({"a/b":1,"m~n":2})",
         R"([{"op":"replace","path":"/a~1b","value":3},{"op":"remove","path":"/m~0n"}])", R"({"a/b":3})"},
        {"~01 is ~1, not a slash", R"({"~1":1})", R"([{"op":"replace","path":"/~01","value":2}])", R"({"~1":2})"},
        {"an empty name", R"({"":1})", R"([{"op":"replace","path":"/","value":2}])", R"({"":2})"},
        {"digits are names in an object", R"({"0":1})", R"([{"op":"remove","path":"/0"}])", R"({})"},
        {"unknown members are ignored", R"({})", R"([{"op":"add","path":"/a","value":1,"x":2}])", R"({"a":1})"},
        {"each sees what came before", R"({})",
         R"([{"op":"add","path":"/a","value":{}},{"op":"add","path":"/a/b","value":1}])", R"({"a":{"b":1}})"},
    };
    for (const auto& c : cases) {
        auto target = parsed(c.target);
        const auto done = json_patch(target, parsed(c.patch));
        EXPECT_TRUE(done) << c.reason << ": " << (done ? "" : to_text(done.error().to_json()));
        EXPECT_EQ(to_text(target), c.result) << c.reason;
    }
}

TEST(JsonPatch, RefusedLeavesTheObjectAsItWas) {
    std::string deep;
    for (int i = 0; i < 60; ++i) deep += R"({"a":)";
    deep += "1" + std::string(60, '}');
    const struct {
        const char* reason;
        std::string patch;
        int code;
        const char* says;
    } cases[] = {
        {"not an array", R"({"op":"add"})", 400, "array of operations"},
        {"not an object", R"([1])", 400, "operation 0: not an object"},
        {"an unknown op", R"([{"op":"merge","path":"/a"}])", 400, "op must be one of"},
        {"no path", R"([{"op":"remove"}])", 400, "path must be a JSON pointer"},
        {"a path of another type", R"([{"op":"remove","path":1}])", 400, "path must be a JSON pointer"},
        {"no slash at the front", R"([{"op":"remove","path":"a"}])", 400, "path must be a JSON pointer"},
        {"a bad escape", R"([{"op":"remove","path":"/a~2"}])", 400, "path must be a JSON pointer"},
        {"an open escape", R"([{"op":"remove","path":"/a~"}])", 400, "path must be a JSON pointer"},
        {"no value", R"([{"op":"add","path":"/a"}])", 400, "value is missing"},
        {"no from", R"([{"op":"move","path":"/a"}])", 400, "from must be a JSON pointer"},
        {"the second is malformed", R"([{"op":"remove","path":"/a"},{"op":"x","path":""}])", 400, "operation 1"},
        {"a test that fails", R"([{"op":"remove","path":"/a"},{"op":"test","path":"/b","value":2}])", 422, "/b failed"},
        {"a test of what is absent", R"([{"op":"test","path":"/x","value":null}])", 422, "/x does not exist"},
        {"1 is not \"1\"", R"([{"op":"test","path":"/b","value":"1"}])", 422, "failed"},
        {"remove what is absent", R"([{"op":"remove","path":"/x"}])", 422, "/x does not exist"},
        {"remove all", R"([{"op":"remove","path":""}])", 422, "whole document"},
        {"replace what is absent", R"([{"op":"replace","path":"/x/y","value":1}])", 422, "/x does not exist"},
        {"a parent that is absent", R"([{"op":"add","path":"/x/y","value":1}])", 422, "/x does not exist"},
        {"a parent that is plain", R"([{"op":"add","path":"/b/y","value":1}])", 422, "neither an object nor an array"},
        {"beyond the end", R"([{"op":"add","path":"/list/3","value":1}])", 422, "no index"},
        {"a leading zero", R"([{"op":"remove","path":"/list/01"}])", 422, "does not exist"},
        {"a negative index", R"([{"op":"remove","path":"/list/-1"}])", 422, "does not exist"},
        {"a dash is for adding only", R"([{"op":"remove","path":"/list/-"}])", 422, "does not exist"},
        {"an index beyond all numbers", R"([{"op":"remove","path":"/list/99999999999999999999"}])", 422,
         "does not exist"},
        {"a name in an array", R"([{"op":"add","path":"/list/x","value":1}])", 422, "no index"},
        {"into itself", R"([{"op":"move","from":"/a","path":"/a/b"}])", 422, "into itself"},
        {"too deep by copies",
         R"([{"op":"add","path":"/x","value":)" + deep + R"(},{"op":"copy","from":"/x","path":"/x)" +
             [] {
                 std::string out;
                 for (int i = 0; i < 59; ++i) out += "/a";
                 return out;
             }() +
             R"("}])",
         422, "nested deeper"},
    };
    for (const auto& c : cases) {
        const auto before = parsed(R"({"a":{"c":1},"b":1,"list":[1,2]})");
        auto target = before;
        const auto done = json_patch(target, parsed(c.patch));
        ASSERT_FALSE(done) << c.reason;
        EXPECT_EQ(done.error().code, c.code) << c.reason;
        const auto text = to_text(done.error().to_json());
        EXPECT_THAT(text, HasSubstr(c.says)) << c.reason;
        if (c.code == 422)
            EXPECT_EQ(done.error().message, "the server rejected our request due to an error in our request");
        EXPECT_EQ(target, before) << c.reason;
    }
}

TEST(JsonPatch, BoundsWhatAFewWordsCanMake) {
    json::array copies;
    for (int i = 0; i < 60; ++i) copies.push_back(parsed(R"({"op":"copy","from":"/a","path":"/a/-"})"));
    auto target = parsed(R"({"a":["0123456789"]})");
    const auto done = json_patch(target, copies);
    ASSERT_FALSE(done) << "each copy doubles the document";
    EXPECT_EQ(done.error().code, 422);

    json::array many(limits::patch_operations_max + 1, parsed(R"({"op":"test","path":"/a","value":1})"));
    const auto refused = json_patch(target, many);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 413);
    EXPECT_EQ(refused.error().message, "The allowed maximum operations in a JSON patch is 10000, got 10001");
}

TEST(StrategicMergePatch, Table) {
    const struct {
        const char* reason;
        const char* target;
        const char* patch;
        const char* result;
    } cases[] = {
        {"maps merge, null removes", R"({"data":{"a":"1","b":"2"}})", R"({"data":{"a":null,"c":"3"}})",
         R"({"data":{"b":"2","c":"3"}})"},
        {"finalizers are a set", R"({"metadata":{"finalizers":["a","b"]}})", R"({"metadata":{"finalizers":["b","c"]}})",
         R"({"metadata":{"finalizers":["a","b","c"]}})"},
        {"finalizers elsewhere are a plain list", R"({"x":{"finalizers":["a"]}})", R"({"x":{"finalizers":["b"]}})",
         R"({"x":{"finalizers":["b"]}})"},
        {"plain values are deleted by name", R"({"metadata":{"finalizers":["a","b","c"]}})",
         R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["b","x"],"finalizers":["d"]}})",
         R"({"metadata":{"finalizers":["a","c","d"]}})"},
        {"owners merge by uid", R"({"metadata":{"ownerReferences":[{"uid":"1","name":"a"},{"uid":"2","name":"b"}]}})",
         R"({"metadata":{"ownerReferences":[{"uid":"2","name":"c"},{"uid":"3","name":"d"}]}})",
         R"({"metadata":{"ownerReferences":[{"uid":"1","name":"a"},{"uid":"2","name":"c"},{"uid":"3","name":"d"}]}})"},
        {"an item is deleted by its key",
         R"({"metadata":{"ownerReferences":[{"uid":"1","name":"a"},{"uid":"2","name":"b"}]}})",
         R"({"metadata":{"ownerReferences":[{"$patch":"delete","uid":"1"},{"$patch":"delete","uid":"9"}]}})",
         R"({"metadata":{"ownerReferences":[{"uid":"2","name":"b"}]}})"},
        {"a list is replaced when an item says so", R"({"metadata":{"ownerReferences":[{"uid":"1"},{"uid":"2"}]}})",
         R"({"metadata":{"ownerReferences":[{"uid":"3"},{"$patch":"replace"}]}})",
         R"({"metadata":{"ownerReferences":[{"uid":"3"}]}})"},
        {"conditions merge by type", R"({"status":{"conditions":[{"type":"A","status":"True"}]}})",
         R"({"status":{"conditions":[{"type":"B","status":"False"},{"type":"A","reason":"x"}]}})",
         R"({"status":{"conditions":[{"type":"A","status":"True","reason":"x"},{"type":"B","status":"False"}]}})"},
        {"secrets of an account merge by name", R"({"secrets":[{"name":"a"}]})", R"({"secrets":[{"name":"b"}]})",
         R"({"secrets":[{"name":"a"},{"name":"b"}]})"},
        {"other lists are replaced", R"({"rules":[{"verbs":["get"]}]})", R"({"rules":[{"verbs":["list"]}]})",
         R"({"rules":[{"verbs":["list"]}]})"},
        {"a map is replaced", R"({"data":{"a":"1"}})", R"({"data":{"$patch":"replace","b":"2"}})",
         R"({"data":{"b":"2"}})"},
        {"a map is deleted", R"({"data":{"a":"1"},"x":1})", R"({"data":{"$patch":"delete"}})", R"({"x":1})"},
        {"a map merges when told so", R"({"data":{"a":"1"}})", R"({"data":{"$patch":"merge","b":"2"}})",
         R"({"data":{"a":"1","b":"2"}})"},
        {"the whole object is replaced", R"({"a":1})", R"({"$patch":"replace","b":2})", R"({"b":2})"},
        {"only some keys are kept", R"({"data":{"a":"1","b":"2","c":"3"}})",
         R"({"data":{"$retainKeys":["b","d"],"d":"4"}})", R"({"data":{"b":"2","d":"4"}})"},
        {"the order is set, what only the server has keeps its place", R"({"metadata":{"finalizers":["s","a","b"]}})",
         R"({"metadata":{"$setElementOrder/finalizers":["b","a"],"finalizers":["b"]}})",
         R"({"metadata":{"finalizers":["s","b","a"]}})"},
        {"the order of items by key", R"({"metadata":{"ownerReferences":[{"uid":"1"},{"uid":"2"}]}})",
         R"({"metadata":{"$setElementOrder/ownerReferences":[{"uid":"2"},{"uid":"1"}]}})",
         R"({"metadata":{"ownerReferences":[{"uid":"2"},{"uid":"1"}]}})"},
        {"directives and nulls are not stored in what is new", R"({})",
         R"({"metadata":{"x":null,"$retainKeys":["y"],"y":{"$patch":"replace","z":1},"finalizers":["a"]}})",
         R"({"metadata":{"y":{"z":1},"finalizers":["a"]}})"},
        {"another type is replaced", R"({"data":"x","metadata":{"finalizers":{"a":1}}})",
         R"({"data":{"a":"b"},"metadata":{"finalizers":["a"]}})",
         R"({"data":{"a":"b"},"metadata":{"finalizers":["a"]}})"},
    };
    for (const auto& c : cases) {
        auto target = parsed(c.target);
        const auto done = strategic_merge_patch(target, parsed(c.patch));
        EXPECT_TRUE(done) << c.reason << ": " << (done ? "" : done.error().message);
        EXPECT_EQ(to_text(target), c.result) << c.reason;
    }
}

TEST(StrategicMergePatch, RefusedLeavesTheObjectAsItWas) {
    const struct {
        const char* reason;
        const char* patch;
    } cases[] = {
        {"not an object", "[]"},
        {"an unknown directive", R"({"a":2,"b":{"$patch":"swap"}})"},
        {"a directive of another type", R"({"a":2,"b":{"$patch":1}})"},
        {"an item without its key", R"({"a":2,"metadata":{"ownerReferences":[{"name":"x"}]}})"},
        {"an item that is no object", R"({"a":2,"metadata":{"ownerReferences":["x"]}})"},
        {"an object in a plain list", R"({"a":2,"metadata":{"finalizers":[{}]}})"},
        {"what to delete is no list", R"({"a":2,"$deleteFromPrimitiveList/x":1})"},
        {"the order is no list", R"({"a":2,"$setElementOrder/x":1})"},
        {"what to keep is no list", R"({"a":2,"$retainKeys":1})"},
    };
    for (const auto& c : cases) {
        auto target = parsed(R"({"a":1})");
        const auto done = strategic_merge_patch(target, parsed(c.patch));
        ASSERT_FALSE(done) << c.reason;
        EXPECT_EQ(done.error().code, 400) << c.reason;
        EXPECT_EQ(to_text(target), R"({"a":1})") << c.reason;
    }
}

}  // namespace
}  // namespace ocim::api
