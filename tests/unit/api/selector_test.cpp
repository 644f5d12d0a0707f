#include "api/selector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocim::api {
namespace {

using Labels = std::map<std::string, std::string>;
using testing::HasSubstr;

Json object_with(const Labels& labels) {
    Json out;
    auto& fields = make_object(out, {"metadata", "labels"});
    for (const auto& [key, value] : labels) fields[key] = value;
    return out;
}

TEST(LabelSelector, Table) {
    const Labels labels{{"app", "web"}, {"tier", "front"},      {"n", "5"},
                        {"none", ""},   {"example.org/x", "y"}, {"in", "notin"}};
    const struct {
        const char* reason;
        const char* text;
        bool matches;
    } cases[] = {
        {"empty selects all", "", true},
        {"space selects all", "  ", true},
        {"equal", "app=web", true},
        {"equal in two signs", "app == web", true},
        {"not equal", "app!=web", false},
        {"not equal holds where the label is absent", "absent!=web", true},
        {"all must hold", "app=web,tier=back", false},
        {"all hold", "app=web , tier = front", true},
        {"in", "tier in (front,back)", true},
        {"not in the list", "tier in (back)", false},
        {"in needs the label", "absent in (a)", false},
        {"notin", "tier notin (back, side)", true},
        {"notin holds where the label is absent", "absent notin (a)", true},
        {"exists", "tier", true},
        {"does not exist", "absent", false},
        {"not exists", "!absent", true},
        {"not exists but does", "!tier", false},
        {"greater", "n>4", true},
        {"not greater than itself", "n>5", false},
        {"less", "n<6", true},
        {"greater needs the label", "absent>1", false},
        {"greater needs a number", "app>1", false},
        {"an empty value", "none=", true},
        {"an empty value in a list", "none in (,a)", true},
        {"an empty value before a comma", "none=,app=web", true},
        {"a prefix", "example.org/x=y", true},
        {"keywords are keys too", "in in (notin)", true},
        {"and values", "in=notin", true},
    };
    for (const auto& c : cases) {
        const auto selector = LabelSelector::parse(c.text);
        ASSERT_TRUE(selector) << c.reason << ": " << selector.error().message;
        EXPECT_EQ(selector->matches(labels), c.matches) << c.reason;
        EXPECT_EQ(selector->matches(object_with(labels)), c.matches) << c.reason;
    }
    EXPECT_TRUE(LabelSelector::parse("!a")->matches(Json(nullptr))) << "an object without labels";
    EXPECT_TRUE(LabelSelector::parse("")->empty());
    EXPECT_FALSE(LabelSelector::parse("a")->empty());
}

TEST(LabelSelector, Refuses) {
    const struct {
        const char* reason;
        std::string text;
        const char* names;
    } cases[] = {
        {"no key", "=a", "="},
        {"a comma at the end", "a=b,", "found '', expected: identifier"},
        {"a comma at the front", ",a=b", "found ',', expected: identifier"},
        {"an open list", "a in (b", "expected: ',' or ')'"},
        {"no list", "a in b", "found 'b', expected: '('"},
        {"an unknown word", "a is b", "is"},
        {"two values", "a=b c", "c"},
        {"two signs", "a=b=c", "="},
        {"not a number", "a>b", "b"},
        {"a bad key", "a b/c=d", "b/c"},
        {"a bad prefix", "-x/c=d", "-x/c"},
        {"a bad value", "a=b/c", "b/c"},
        {"a long value", "a=" + std::string(64, 'x'), "63"},
        {"not not", "!!a", "!"},
        {"a negated comparison", "!a=b", "="},
        {"control characters", "a=\x01", "\\u0001"},
    };
    for (const auto& c : cases) {
        const auto selector = LabelSelector::parse(c.text);
        ASSERT_FALSE(selector) << c.reason;
        EXPECT_EQ(selector.error().error_class, ErrorClass::invalid) << c.reason;
        EXPECT_THAT(selector.error().message, HasSubstr(c.names)) << c.reason;
    }
}

TEST(LabelSelector, FromJson) {
    const Labels labels{{"app", "web"}, {"tier", "front"}};
    const struct {
        const char* reason;
        const char* text;
        int matches;  ///< -1: refused
    } cases[] = {
        {"empty selects all", "{}", 1},
        {"null selects all", "null", 1},
        {"labels", R"({"matchLabels":{"app":"web"}})", 1},
        {"both must hold", R"({"matchLabels":{"app":"web"},"matchExpressions":[{"key":"tier","operator":"Exists"}]})",
         1},
        {"NotIn", R"({"matchExpressions":[{"key":"tier","operator":"NotIn","values":["front"]}]})", 0},
        {"DoesNotExist", R"({"matchExpressions":[{"key":"x","operator":"DoesNotExist"}]})", 1},
        {"In", R"({"matchExpressions":[{"key":"tier","operator":"In","values":["back","front"]}]})", 1},
        {"In without values", R"({"matchExpressions":[{"key":"tier","operator":"In"}]})", -1},
        {"Exists with values", R"({"matchExpressions":[{"key":"tier","operator":"Exists","values":["a"]}]})", -1},
        {"an unknown operator", R"({"matchExpressions":[{"key":"tier","operator":"Like"}]})", -1},
        {"a wrong value", R"({"matchLabels":{"app":1}})", -1},
        {"no key", R"({"matchExpressions":[{"operator":"Exists"}]})", -1},
        {"not an object", "[]", -1},
    };
    for (const auto& c : cases) {
        const auto selector = LabelSelector::from_json(parse_json(c.text)->value);
        EXPECT_EQ(selector ? static_cast<int>(selector->matches(labels)) : -1, c.matches) << c.reason;
    }
}

TEST(FieldSelector, Table) {
    const auto object =
        parse_json(R"({"metadata":{"name":"x"},"spec":{"n":5,"on":true,"text":"a,b=c\\","none":null}})")->value;
    const struct {
        const char* reason;
        const char* text;
        int matches;  ///< -1: refused
    } cases[] = {
        {"empty selects all", "", 1},
        {"equal", "metadata.name=x", 1},
        {"equal in two signs", "metadata.name==x", 1},
        {"not equal", "metadata.name!=x", 0},
        {"both", "metadata.name=x,spec.n=5", 1},
        {"a number by its text", "spec.n=5", 1},
        {"a boolean", "spec.on=true", 1},
        {"absent is empty", "spec.absent.deep=", 1},
        {"absent differs", "spec.absent!=a", 1},
        {"null is empty", "spec.none=", 1},
        {"escapes", R"(spec.text=a\,b\=c\\)", 1},
        {"an empty term is ignored, as in Kubernetes", "metadata.name=x,", 1},
        {"no sign", "metadata.name", -1},
        {"no path", "=x", -1},
        {"a lone bang", "metadata.name!x", -1},
        {"a bad escape", R"(metadata.name=\x)", -1},
        {"an open escape", R"(metadata.name=x\)", -1},
        {"a sign in the value", "metadata.name=x=y", -1},
    };
    for (const auto& c : cases) {
        const auto selector = FieldSelector::parse(c.text);
        EXPECT_EQ(selector ? static_cast<int>(selector->matches(object)) : -1, c.matches) << c.reason;
    }
}

}  // namespace
}  // namespace ocim::api
