#include "gitops/wire.hpp"

#include <gtest/gtest.h>

namespace ocim::gitops {
namespace {

const std::string a(40, 'a'), b(40, 'b'), c(40, 'c');

std::string line(const std::string& text) {
    char length[5];
    std::snprintf(length, sizeof length, "%04zx", text.size() + 4);
    return length + text;
}

std::string told() {
    return line(a + " HEAD" + std::string(1, '\0') +
                "side-band-64k shallow symref=HEAD:refs/heads/main agent=git/2\n") +
           line(a + " refs/heads/main\n") + line(b + " refs/tags/v1\n") + line(c + " refs/tags/v1^{}\n") + "0000";
}

Refs refs() {
    std::string_view rest;
    return *read_refs(told(), rest);
}

TEST(Wire, RefsAreReadWithAndWithoutTheHeadingOfHttp) {
    std::string_view rest;
    const auto text = told() + "rest";
    const auto plain = read_refs(text, rest);
    ASSERT_TRUE(plain) << plain.error().message;
    EXPECT_EQ(rest, "rest");
    EXPECT_EQ(plain->head, "refs/heads/main");
    EXPECT_EQ(plain->tips.at("refs/tags/v1"), c);
    EXPECT_EQ(plain->own.at("refs/tags/v1"), b);
    EXPECT_TRUE(plain->capabilities.contains("shallow"));
    const auto over_http = line("# service=git-upload-pack\n") + "0000" + told();
    EXPECT_EQ(*read_refs(over_http, rest), *plain);
}

TEST(Wire, WhatIsNoAnswerOfGitIsRefused) {
    std::string_view rest;
    const auto text = told();
    for (std::size_t length = 0; length < text.size(); ++length)
        EXPECT_FALSE(read_refs(text.substr(0, length), rest)) << length;
    for (const auto& wrong : {std::string("<html></html>"), std::string("0001"), line("hello\n") + "0000"}) {
        const auto read = read_refs(wrong, rest);
        ASSERT_FALSE(read) << wrong;
        EXPECT_EQ(read.error().error_class, ErrorClass::invalid) << wrong;
    }
    const auto sha256 = read_refs(line(a + " HEAD" + std::string(1, '\0') + "object-format=sha256\n") + "0000", rest);
    ASSERT_FALSE(sha256);
    EXPECT_NE(sha256.error().message.find("sha256"), std::string::npos);
    const auto missing = read_refs(line("ERR repository not found"), rest);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().error_class, ErrorClass::not_found);
}

TEST(Wire, ATargetIsWhatIsAskedForAndWhatItMeans) {
    EXPECT_EQ(*target_of(refs(), {.branch = "main"}), (Target{a, a, "main at " + a}));
    EXPECT_EQ(*target_of(refs(), {.tag = "v1"}), (Target{b, c, "v1 at " + c}));
    EXPECT_EQ(*target_of(refs(), {.commit = c}), (Target{c, c, c}));
    EXPECT_EQ(*target_of(refs(), {}), (Target{a, a, "main at " + a}));
    EXPECT_FALSE(target_of(refs(), {.branch = "v1"}));
    EXPECT_FALSE(target_of({}, {}));
}

TEST(Wire, ARequestWantsOneCommitWithoutItsPastWhereItMay) {
    EXPECT_EQ(request_for(refs(), {a, a, ""}),
              line("want " + a + " side-band-64k shallow agent=ocim\n") + line("deepen 1") + "0000" + line("done\n"));
    EXPECT_EQ(request_for({}, {a, a, ""}), line("want " + a + " agent=ocim\n") + "0000" + line("done\n"));
}

TEST(Wire, APackIsTakenOutOfItsParts) {
    const auto head = line("shallow " + a) + "0000" + line("NAK\n");
    const auto whole = head + line("\1PACK") + line("\2counting") + line("\1more") + "0000";
    EXPECT_EQ(*read_pack(whole, refs()), "PACKmore");
    EXPECT_EQ(*read_pack(line("NAK\n") + "PACKraw", {}), "PACKraw");
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_FALSE(read_pack(whole.substr(0, length), refs())) << length;
    const auto fatal = read_pack(head + line("\3no space\n"), refs());
    ASSERT_FALSE(fatal);
    EXPECT_EQ(fatal.error().message, "the server says: no space");
    EXPECT_FALSE(read_pack(line("ERR upload-pack: not our ref"), refs()));
    EXPECT_FALSE(read_pack(head + line("\7x") + "0000", refs()));
}

}  // namespace
}  // namespace ocim::gitops
