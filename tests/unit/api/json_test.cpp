#include "api/json.hpp"

#include "base/utf8.hpp"

#include "support/random_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseJson, ReadsAndPrintsAsGoDoes) {
    const struct {
        const char* reason;
        std::string text;
        const char* again;
    } cases[] = {
        {"order of keys is kept", R"({"b":1,"a":2})", R"({"b":1,"a":2})"},
        {"space goes", " { \"a\" :\n[ 1 , 2 ]\t} \r\n", R"({"a":[1,2]})"},
        {"a tenth", "0.1", "0.1"},
        {"a whole number is an integer however written", "[1.0, 1e2, -0, -0.0, 10E-1]", "[1,100,0,0,1]"},
        {"large numbers get an exponent at 1e21", "[1e20,1e21,1.5e300]", "[100000000000000000000,1e+21,1.5e+300]"},
        {"small ones below 1e-6", "[0.000001,0.0000001,1.5e-10]", "[0.000001,1e-7,1.5e-10]"},
        {"the largest integer", "9223372036854775807", "9223372036854775807"},
        {"the least integer", "-9223372036854775808", "-9223372036854775808"},
        {"larger than int64 becomes a float", "18446744073709551615", "18446744073709552000"},
        {"exactly rounded", "[0.3,2.2250738585072014e-308,123456789.123456789]",
         "[0.3,2.2250738585072014e-308,123456789.12345679]"},
        {"too small is nothing", "1e-400", "0"},
        {"escapes", R"("\u0041\n\t\r\b\f\/\"\\\u001f")", R"("A\n\t\r\u0008\u000c/\"\\\u001f")"},
        {"surrogates become UTF-8", R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""},
        {"a zero byte in a string", R"("a\u0000b")", R"("a\u0000b")"},
        {"words", "[true,false,null]", "[true,false,null]"},
        {"empty ones", R"({"a":{},"b":[],"c":""})", R"({"a":{},"b":[],"c":""})"},
        {"the last of two keys wins", R"({"a":1,"a":2})", R"({"a":2})"},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_json(c.text);
        ASSERT_TRUE(parsed) << c.reason << ": " << parsed.error().message;
        EXPECT_EQ(to_text(parsed->value), c.again) << c.reason;
    }
}

TEST(ParseJson, Refuses) {
    const struct {
        const char* reason;
        std::string text;
        const char* says;
    } cases[] = {
        {"nothing", "", "ends too early"},
        {"only space", "  \n", "ends too early"},
        {"half an object", "{\"a\":", "ends too early"},
        {"two values", "1 2", "line 1, column 3: there is something after"},
        {"a word", "{\n  \"a\": yes\n}", "line 2, column "},
        {"single quotes", "{'a':1}", "invalid JSON"},
        {"a trailing comma", "[1,]", "invalid JSON"},
        {"a comment", "[1] // one", "there is something after"},
        {"not finite", "1e400", "the number 1e400 is too large"},
        {"not finite, negative", "[-1e999]", "too large"},
        {"an infinity of digits", std::string(400, '9'), "too large"},
        {"NaN", "NaN", "invalid JSON"},
        {"Infinity", "Infinity", "invalid JSON"},
        {"a leading zero", "010", "invalid JSON"},
        {"a plus", "+1", "invalid JSON"},
        {"bad UTF-8", "\"\xff\"", "invalid JSON"},
        {"UTF-8 of a surrogate", "\"\xed\xa0\x80\"", "invalid JSON"},
        {"an overlong form", "\"\xc0\x80\"", "invalid JSON"},
        {"half a surrogate", R"("\ud800")", "invalid JSON"},
        {"a raw newline in a string", "\"a\nb\"", "invalid JSON"},
        {"a zero byte", std::string("[1]\0", 4), "invalid JSON"},
        {"too deep", std::string(101, '[') + std::string(101, ']'), "nested deeper than 100 levels"},
        {"far too deep", std::string(10'000'000, '['), "nested deeper than 100 levels"},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_json(c.text);
        ASSERT_FALSE(parsed) << c.reason;
        EXPECT_EQ(parsed.error().error_class, ErrorClass::invalid) << c.reason;
        EXPECT_THAT(parsed.error().message, HasSubstr(c.says)) << c.reason;
    }
    EXPECT_TRUE(parse_json(std::string(100, '[') + std::string(100, ']'))) << "the limit itself is allowed";
}

TEST(ParseJson, NamesKeysThatCameTwice) {
    const auto parsed = parse_json(R"({"a":1,"spec":{"color":1,"ports":[{"x":1},{"y":[{"z":0,"z":1}],"y":2}],"color":2},
                                       "a":{"b":1,"b":1}})");
    ASSERT_TRUE(parsed);
    EXPECT_THAT(parsed->duplicates, ElementsAre("spec.ports[1].y[0].z", "spec.ports[1].y", "spec.color", "a", "a.b"));
    EXPECT_TRUE(parse_json(R"([{"a":1},{"a":2},{"b":{"a":1}}])")->duplicates.empty());
}

TEST(Json, TextReadsBackAsTheSameValue) {
    auto random = make_seeded_random(11);
    for (int i = 0; i < 1500; ++i) {
        const auto value = test::random_json(*random);
        const auto text = to_text(value);
        const auto parsed = parse_json(text);
        ASSERT_TRUE(parsed) << parsed.error().message << "\n" << text;
        ASSERT_EQ(parsed->value, value) << text;
        ASSERT_EQ(to_text(parsed->value), text);
    }
}

TEST(Json, BytesThatAreNoTextArePrintedSoThatTheyCanBeRead) {
    for (const std::string text : {"acc\xe8s", "cut \xc3", "\xff\xfe", "\xed\xa0\x80", "fine ü 日 \U0001F600"}) {
        const auto parsed = parse_json(to_text(Json{{text, text}}));
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(parsed->value, (Json{{valid_utf8(text), valid_utf8(text)}}));
    }
}

TEST(Json, FindsByPath) {
    const auto value = parse_json(R"({"spec":{"name":"x","list":[1],"none":null}})")->value;
    EXPECT_EQ(find_text(value, {"spec", "name"}), "x");
    EXPECT_EQ(find(value, {}), &value);
    EXPECT_TRUE(find(value, {"spec", "none"})->is_null());
    EXPECT_EQ(find(value, {"spec", "list", "0"}), nullptr) << "an array has no field names";
    EXPECT_EQ(find(value, {"spec", "absent", "deeper"}), nullptr);
    EXPECT_EQ(find_text(value, {"spec", "list"}), "") << "not a string";
}

TEST(Json, MakesObjectsOnTheWay) {
    Json value;
    make_object(value, {"metadata", "labels"})["a"] = "b";
    EXPECT_EQ(to_text(value), R"({"metadata":{"labels":{"a":"b"}}})");
    value = parse_json(R"({"metadata":{"name":"x","labels":"wrong"}})")->value;
    make_object(value, {"metadata", "labels"})["a"] = "b";
    EXPECT_EQ(to_text(value), R"({"metadata":{"name":"x","labels":{"a":"b"}}})");
}

}  // namespace
}  // namespace ocim::api
