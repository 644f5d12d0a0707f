#include "registry/text.hpp"
#include "registry/metadata.hpp"
#include "registry/ownership.hpp"
#include "support/world.hpp"

#include <gmock/gmock.h>

namespace ocim::registry {
namespace {

using api::Json;
using test::json_of;
using testing::ElementsAre;
using testing::HasSubstr;

/// Any JSON, with the characters that a scanner could trip over.
Json draw(Random& random, int depth) {
    static const std::vector<std::string> texts{
        "", "a", "\"", "\\", "\\\"", "{", "}]", ",\"", "\n\u0001", "ä\xF0\x9F\x98\x80", "a:b", "[", "metadata"};
    switch (random.below(depth <= 0 ? 4 : 6)) {
        case 0: return Json(texts[random.below(texts.size())]);
        case 1: return Json(static_cast<std::int64_t>(random.below(1000)) - 500);
        case 2: return Json(random.below(2) == 0);
        case 3: return Json();
        case 4: {
            boost::json::array out;
            for (auto n = random.below(4); n > 0; --n) out.push_back(draw(random, depth - 1));
            return out;
        }
        default: {
            boost::json::object out;
            for (auto n = random.below(5); n > 0; --n) out[texts[random.below(texts.size())]] = draw(random, depth - 1);
            return out;
        }
    }
}

TEST(Text, FindsWhatTheParserFinds) {
    const auto random = make_seeded_random(3);
    for (int round = 0; round < 3000; ++round) {
        Json object = boost::json::object();
        for (const char* name : {"a", "b", "metadata", "c"})
            if (random->below(4) != 0) object.as_object()[name] = draw(*random, 4);
        const auto text = api::to_text(object);
        for (const auto& path : std::vector<std::vector<std::string_view>>{
                 {"a"}, {"b"}, {"c"}, {"metadata"}, {"metadata", "a"}, {"b", "metadata"}, {"c", "a", "a"}, {"nope"}}) {
            const Json* found = &object;
            for (const auto step : path) found = found ? api::find(*found, {step}) : nullptr;
            const auto raw = raw_at(text, path);
            ASSERT_EQ(raw.has_value(), found != nullptr) << text;
            if (!raw) continue;
            ASSERT_EQ(std::string(*raw), api::to_text(*found)) << text;
            if (found->is_string()) ASSERT_EQ(text_at(text, path), std::string(found->get_string())) << text;
        }
    }
}

TEST(Text, LabelsAndRevision) {
    const auto object =
        json_of(R"({"kind":"X","metadata":{"name":"a","resourceVersion":"12","labels":{"a/b":"c","d":""}}})");
    const auto text = api::to_text(object);
    EXPECT_EQ(labels_of(text), (std::map<std::string, std::string>{{"a/b", "c"}, {"d", ""}}));
    EXPECT_TRUE(labels_of("{}").empty());
    EXPECT_THAT(with_revision(text, 345), HasSubstr(R"("resourceVersion":"345","labels")"));
    EXPECT_EQ(with_revision("{}", 3), "{}");
}

TEST(Names, Table) {
    const struct {
        const char* reason;
        std::vector<std::string> wrong;
        bool right;
    } cases[] = {
        {"a subdomain", wrong_with_name(NameRule::subdomain, "a.b-c.0"), true},
        {"capitals", wrong_with_name(NameRule::subdomain, "A"), false},
        {"a dash at the end", wrong_with_name(NameRule::subdomain, "a-"), false},
        {"an empty part", wrong_with_name(NameRule::subdomain, "a..b"), false},
        {"empty", wrong_with_name(NameRule::subdomain, ""), false},
        {"a newline", wrong_with_name(NameRule::subdomain, "a\nb"), false},
        {"253 bytes", wrong_with_name(NameRule::subdomain, std::string(253, 'a')), true},
        {"254 bytes", wrong_with_name(NameRule::subdomain, std::string(254, 'a')), false},
        {"a label", wrong_with_name(NameRule::label, "a-1"), true},
        {"a label with a dot", wrong_with_name(NameRule::label, "a.b"), false},
        {"a label of 64 bytes", wrong_with_name(NameRule::label, std::string(64, 'a')), false},
        {"a role", wrong_with_name(NameRule::path_segment, "system:Node_x"), true},
        {"a slash in a role", wrong_with_name(NameRule::path_segment, "a/b"), false},
        {"dots only", wrong_with_name(NameRule::path_segment, ".."), false},
        {"a prefix may end in a dash", wrong_with_prefix(NameRule::subdomain, "web-"), true},
        {"a qualified name", wrong_with_qualified_name("example.com/My_Name.1"), true},
        {"without a prefix", wrong_with_qualified_name("kubernetes"), true},
        {"two slashes", wrong_with_qualified_name("a/b/c"), false},
        {"an empty prefix", wrong_with_qualified_name("/a"), false},
        {"an empty name", wrong_with_qualified_name("a/"), false},
        {"a label value may be empty", wrong_with_label_value(""), true},
        {"a label value with a space", wrong_with_label_value("a b"), false},
        {"a long label value", wrong_with_label_value(std::string(64, 'a')), false},
        {"a file name as key", wrong_with_config_key("app.conf"), true},
        {"a way out of a folder as key", wrong_with_config_key(".."), false},
        {"a 1035 label starts with a letter", wrong_with_1035_label("1a"), false},
    };
    for (const auto& c : cases) EXPECT_EQ(c.wrong.empty(), c.right) << c.reason;
}

TEST(Ownership, FollowsReferences) {
    const auto with = [](const std::string& owners) {
        return R"({"metadata":{"name":"x","ownerReferences":)" + owners + "}}";
    };
    Ownership all;
    EXPECT_FALSE(all.put("a", R"({"metadata":{"name":"a"}})"));
    EXPECT_TRUE(
        all.put("a", with(R"([{"apiVersion":"v1","kind":"K","name":"o","uid":"1","blockOwnerDeletion":true}])")));
    EXPECT_FALSE(
        all.put("a", with(R"([{"apiVersion":"v1","kind":"K","name":"o","uid":"1","blockOwnerDeletion":true}])")))
        << "the same again";
    EXPECT_TRUE(all.put("b", with(R"([{"uid":"1"},{"uid":"2"}])")));
    EXPECT_THAT(all.dependents("1"), ElementsAre("a", "b"));
    ASSERT_EQ(all.owners("a").size(), 1u);
    EXPECT_TRUE(all.owners("a")[0].blocks);
    EXPECT_TRUE(all.put("b", with(R"([{"uid":"2"}])")));
    EXPECT_THAT(all.dependents("1"), ElementsAre("a"));
    all.erase("a");
    EXPECT_TRUE(all.dependents("1").empty());
    EXPECT_TRUE(all.put("b", R"({"metadata":{}})"));
    EXPECT_TRUE(all.owners("b").empty());
}

TEST(Metadata, IsPutInOrder) {
    auto object = json_of(R"({"spec":{},"metadata":{"managedFields":[],"labels":{},"uid":"u","name":"n"},"kind":"K",)"
                          R"("apiVersion":"v1"})");
    put_in_order(object);
    EXPECT_EQ(api::to_text(object), R"({"apiVersion":"v1","kind":"K","metadata":{"name":"n","uid":"u","labels":{},)"
                                    R"("managedFields":[]},"spec":{}})");
}

}  // namespace
}  // namespace ocim::registry
