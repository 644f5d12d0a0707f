#include "storage/s3_text.hpp"
#include "storage/swift_text.hpp"
#include "unit/storage/sample.hpp"

#include <gtest/gtest.h>

namespace ocim::storage {
namespace {

TEST(Xml, IsReadAsItIsWritten) {
    const auto root = parse_xml(
        "<?xml version=\"1.0\"?>\n<!-- x --><s3:A xmlns:s3=\"u\"> <B/><C a='1'>x &amp; &#x263a;"
        " &lt;y&gt;</C>\n<C></C> </s3:A>\n");
    ASSERT_TRUE(root) << root.error().message;
    EXPECT_EQ(root->name, "A");
    ASSERT_EQ(root->children.size(), 3U);
    EXPECT_EQ(root->of("C"), "x & ☺ <y>");
    EXPECT_EQ(root->of("B"), "");
    EXPECT_EQ(root->child("D"), nullptr);
    const std::string odd = "a<b>&\"c'\n\t\r";
    const auto back = parse_xml("<A>" + xml_text(odd) + "</A>");
    ASSERT_TRUE(back);
    EXPECT_EQ(back->text, odd);
}

TEST(Xml, IsRefusedWhenItIsNone) {
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "<a>";
    for (const std::string& text : {std::string(), std::string("x"), std::string("<a>"), std::string("<a></b>"),
                                    std::string("<a></a><b/>"), std::string("<a>&who;</a>"), std::string("<a>&</a>"),
                                    std::string("<a>&#xd800;</a>"), std::string("<!DOCTYPE a><a/>"), std::string("<>"),
                                    std::string("<a><b></a></b>"), std::string("[{\"name\":\"demo\",\"typ"), deep}) {
        const auto parsed = parse_xml(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().error_class, ErrorClass::unreachable);
    }
}

Access all_of_it() {
    return {Access::Everybody::objects_and_listing,
            {"arn:aws:iam::1:user/r", "arn:aws:iam::2:root"},
            {"arn:aws:iam::1:user/w"}};
}

TEST(Policy, SaysWhatIsWantedAndIsReadBack) {
    EXPECT_EQ(write_policy("b", Access()), "");
    for (auto access : {all_of_it(), Access{Access::Everybody::objects, {}, {}},
                        Access{Access::Everybody::nothing, {"arn:aws:iam::1:user/r"}, {}},
                        Access{Access::Everybody::nothing, {}, {"arn:aws:iam::1:user/w"}}}) {
        Access back;
        EXPECT_TRUE(read_policy("b", write_policy("b", access), back));
        EXPECT_EQ(back, access);
    }
}

TEST(Policy, WhatWeWouldNotWriteIsStrange) {
    const std::string head = R"({"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":)",
                      everybody = R"("Principal":"*",)";
    const struct {
        const char* reason;
        std::string policy;
        bool ours;
    } cases[] = {
        {"ours, in other words",
         head + R"("Allow",)" + R"("Principal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]})",
         true},
        {"another bucket's",
         head + R"("Allow",)" + everybody + R"("Action":"s3:GetObject","Resource":"arn:aws:s3:::c/*"}]})", false},
        {"everybody writes",
         head + R"("Allow",)" + everybody + R"("Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]})", false},
        {"a denial", head + R"("Deny",)" + everybody + R"("Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]})",
         false},
        {"a condition",
         head + R"("Allow",)" + everybody +
             R"("Condition":{},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]})",
         false},
        {"a listing without reading",
         head + R"("Allow",)" + everybody + R"("Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}]})", false},
        {"no policy", "[]", false},
        {"no JSON", "<a/>", false},
    };
    for (const auto& c : cases) {
        Access access;
        EXPECT_EQ(read_policy("b", c.policy, access), c.ours) << c.reason;
    }
}

TEST(S3Text, ComesBackAsItWent) {
    const Tags tags{{"a", "1"}, {"b&<", ""}};
    const auto back = read_tags(write_tags(tags));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, tags);
    Cors cors, seen;
    cors.origins = {"*", "https://a.example.com"};
    cors.expose_headers = {"ETag"};
    cors.max_age_seconds = 60;
    const auto same = read_cors(write_cors(cors), seen);
    ASSERT_TRUE(same);
    EXPECT_TRUE(*same);
    EXPECT_EQ(seen, cors);
    for (const bool on : {true, false}) {
        const auto versioning = read_versioning(write_versioning(on));
        ASSERT_TRUE(versioning);
        EXPECT_EQ(*versioning, on);
    }
    EXPECT_FALSE(read_tags("<Other/>"));
}

TEST(SwiftText, ComesBackAsItWent) {
    Thing thing;
    thing.mark = test::mark();
    thing.access = {Access::Everybody::objects_and_listing, {"p:r", "p:r2"}, {"p:w"}};
    thing.cors = Cors{{"https://a.example.com", "https://b.example.com"}, {"ETag"}, 60};
    thing.versioning = true;
    const auto headers = write_headers(thing, Thing());
    EXPECT_EQ(headers.at("x-container-read"), ".r:*,.rlistings,p:r,p:r2,p:w");
    EXPECT_EQ(read_headers(headers), thing);
    auto plain = thing;
    plain.access = {};
    plain.cors.reset();
    plain.versioning = false;
    const auto removal = write_headers(plain, thing);
    EXPECT_TRUE(removal.contains("x-remove-container-read"));
    EXPECT_TRUE(removal.contains("x-remove-container-write"));
    EXPECT_TRUE(removal.contains("x-remove-container-meta-access-control-allow-origin"));
    EXPECT_EQ(removal.at("x-versions-enabled"), "false");
}

TEST(SwiftText, ListsWeWouldNotWriteAreStrange) {
    const struct {
        const char *reason, *read, *write;
        bool strange;
    } cases[] = {
        {"nothing", "", "", false},
        {"everybody", ".r:*", "", false},
        {"as people write it", " .r:* , .rlistings", "", false},
        {"a listing without reading", ".rlistings", "", true},
        {"a referrer", ".r:example.com", "", true},
        {"one who writes and may not read", "", "p:w", true},
        {"one who writes", "p:w", "p:w", false},
    };
    for (const auto& c : cases)
        EXPECT_EQ(read_headers({{"x-container-read", c.read}, {"x-container-write", c.write}}).strange, c.strange)
            << c.reason;
}

TEST(StoredMark, IsKeptInShortWords) {
    auto mark = test::mark();
    EXPECT_EQ(read_mark(mark_words(mark)), mark);
    mark.retained = true;
    EXPECT_EQ(read_mark(mark_words(mark)), mark);
    auto words = mark_words(mark);
    words.erase("ocim-uid");
    EXPECT_FALSE(read_mark(words)) << "half a mark is none";
    EXPECT_FALSE(read_mark({}));
}

}  // namespace
}  // namespace ocim::storage
