#include "dns/values.hpp"

#include "dns/ownership.hpp"

#include <gtest/gtest.h>

namespace ocim::dns {
namespace {

using namespace std::string_literals;

TEST(DnsName, IsChecked) {
    struct {
        std::string name;
        NameRule rule;
        bool good;
        const char* reason;
    } const rows[] = {
        {"www.example.org", NameRule::record, true, "the usual"},
        {"www.example.org.", NameRule::record, true, "a trailing dot is how DNS writes it"},
        {"WWW.Example.org", NameRule::record, true, "case means nothing"},
        {"_acme-challenge.example.org", NameRule::record, true, "underscores are used for services"},
        {"*.example.org", NameRule::record, true, "a wildcard"},
        {"*", NameRule::record, false, "a wildcard of nothing"},
        {"a.*.example.org", NameRule::record, false, "a wildcard must be the first label"},
        {"*a.example.org", NameRule::record, false, "a wildcard is a label by itself"},
        {"*.example.org", NameRule::target, false, "nothing can point at a wildcard"},
        {"", NameRule::record, false, "empty"},
        {".", NameRule::record, false, "the root"},
        {"a..b", NameRule::record, false, "an empty label"},
        {".a", NameRule::record, false, "an empty first label"},
        {"-a.example.org", NameRule::record, false, "a leading hyphen"},
        {"a-.example.org", NameRule::record, false, "a trailing hyphen"},
        {std::string(63, 'a') + ".org", NameRule::record, true, "the longest label"},
        {std::string(64, 'a') + ".org", NameRule::record, false, "a label too long"},
        {std::string(126, 'a').replace(63, 1, ".") + "." + std::string(126, 'b').replace(63, 1, "."), NameRule::record,
         true, "253 characters"},
        {std::string(126, 'a').replace(63, 1, ".") + "." + std::string(127, 'b').replace(63, 1, "."), NameRule::record,
         false, "254 characters"},
        {"a b.example.org", NameRule::record, false, "a space"},
        {"a\nb.example.org", NameRule::record, false, "a newline"},
        {"a\"b.example.org", NameRule::record, false, "a quote"},
        {"a\0b.example.org"s, NameRule::record, false, "a NUL"},
        {"a\x01.example.org", NameRule::record, false, "a control character"},
        {"a\\b.example.org", NameRule::record, false, "a backslash"},
        {"a;b.example.org", NameRule::record, false, "a comment sign of zone files"},
        {"a/b.example.org", NameRule::record, false, "a slash"},
        {"münchen.example.org", NameRule::record, false, "not ASCII"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(wrong_with_name(row.name, row.rule).empty(), row.good) << row.name << ": " << row.reason;
}

TEST(DnsName, BelongsToAZoneByWholeLabels) {
    EXPECT_TRUE(in_zone("example.org", "example.org"));
    EXPECT_TRUE(in_zone("a.b.example.org", "example.org"));
    EXPECT_FALSE(in_zone("badexample.org", "example.org"));
    EXPECT_FALSE(in_zone("example.com", "example.org"));
    EXPECT_FALSE(in_zone("org", "example.org"));
}

TEST(DnsValue, HasOneForm) {
    struct {
        const char* type;
        std::string written;
        std::optional<std::string> canonical;
        const char* reason;
    } const rows[] = {
        {"A", "192.0.2.1", "192.0.2.1", "as it is"},
        {"A", "192.0.2.256", std::nullopt, "out of range"},
        {"A", "192.0.2", std::nullopt, "three parts"},
        {"A", "192.0.2.1 ", std::nullopt, "a space"},
        {"A", "192.0.2.1\0x"s, std::nullopt, "a NUL hides the rest"},
        {"A", "2001:db8::1", std::nullopt, "the other family"},
        {"A", "www.example.org", std::nullopt, "a name"},
        {"AAAA", "2001:DB8:0:0::1", "2001:db8::1", "the shortest form, lower case"},
        {"AAAA", "::ffff:192.0.2.1", "::ffff:192.0.2.1", "a mapped address"},
        {"AAAA", "2001:db8::1%eth0", std::nullopt, "a scope"},
        {"AAAA", "192.0.2.1", std::nullopt, "the other family"},
        {"CNAME", "LB1.Example.com.", "lb1.example.com", "lower case, no dot"},
        {"CNAME", "lb1.example.com", "lb1.example.com", "as it is"},
        {"CNAME", "a\nb", std::nullopt, "a newline"},
        {"CNAME", "192.0.2.1;", std::nullopt, "not a name"},
        {"TXT", "say \"hi\" \\ ünïcode", "say \"hi\" \\ ünïcode", "text stays as it is"},
        {"TXT", "", std::nullopt, "nothing to say"},
        {"TXT", "a\nb", std::nullopt, "a newline"},
        {"TXT", "a\0b"s, std::nullopt, "a NUL"},
        {"TXT", "a\x7f", std::nullopt, "DEL"},
        {"TXT", std::string(4096, 'x'), std::string(4096, 'x'), "the longest"},
        {"TXT", std::string(4097, 'x'), std::nullopt, "too long"},
    };
    for (const auto& row : rows) {
        const auto canonical = canonical_value(row.type, row.written);
        ASSERT_EQ(bool(canonical), row.canonical.has_value()) << row.written << ": " << row.reason;
        if (canonical) EXPECT_EQ(*canonical, *row.canonical) << row.reason;
        if (!canonical) EXPECT_EQ(canonical.error().error_class, ErrorClass::invalid) << row.reason;
        // what goes out and comes back compares equal
        if (canonical)
            EXPECT_EQ(from_presentation(row.type, to_presentation(row.type, *canonical)), *canonical) << row.reason;
    }
}

TEST(DnsText, IsQuotedAndRead) {
    EXPECT_EQ(quote_text("plain"), R"("plain")");
    EXPECT_EQ(quote_text(R"(a "b" \c)"), R"("a \"b\" \\c")");
    EXPECT_EQ(quote_text("\xc3\xbc"), R"("\195\188")");
    EXPECT_EQ(quote_text("a\nb"), R"("a\010b")") << "even what we refuse cannot break out";
    EXPECT_EQ(quote_text(std::string(256, 'a')), "\"" + std::string(255, 'a') + "\" \"a\"");
    EXPECT_EQ(quote_text(""), "\"\"");
    struct {
        const char* content;
        const char* text;
        const char* reason;
    } const rows[] = {
        {R"("a" "b")", "ab", "parts are joined"},          {R"("a""b")", "ab", "also without a space between"},
        {"challenge", "challenge", "without quotes"},      {R"("a b")", "a b", "a space inside"},
        {R"("\195\188")", "\xc3\xbc", "bytes as numbers"}, {R"("a\"b")", "a\"b", "an escaped quote"},
        {R"("a\)", "a", "cut off in an escape"},           {"\"\xc3\xbc\"", "\xc3\xbc", "bytes as they are"},
    };
    for (const auto& row : rows) EXPECT_EQ(unquote_text(row.content), row.text) << row.reason;
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    EXPECT_EQ(unquote_text(quote_text(all + all)), all + all) << "every byte survives";
}

TEST(DnsMark, HasItsOwnNameBesideWhatItMarks) {
    struct {
        Key key;
        const char* name;
    } const rows[] = {
        {{"www.example.org", "A"}, "_ocim.a.www.example.org"},
        {{"example.org", "TXT"}, "_ocim.txt.example.org"},
        {{"*.example.org", "CNAME"}, "_ocim.cname._wildcard.example.org"},
        {{"_wildcards.example.org", "A"}, "_ocim.a._wildcards.example.org"},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(mark_name(row.key), row.name);
        EXPECT_EQ(marked_key(row.name), row.key) << row.name;
    }
    for (const auto* name : {"www.example.org", "_ocim", "_ocim.a", "_ocimx.a.example.org", "_ocim..example.org"})
        EXPECT_EQ(marked_key(name), std::nullopt) << name;
    EXPECT_EQ(mark_name({std::string(247, 'a'), "A"}), std::nullopt) << "too long";
}

TEST(DnsMark, IsFoldedIntoWhatItMarks) {
    const Mark mark{"prod", "campus/www", "uid-1", false};
    const Key www{"www.example.org", "A"}, gone{"gone.example.org", "AAAA"};
    Snapshot seen{
        {www, {{"192.0.2.1"}, 300, std::nullopt}},
        {{"_ocim.a.www.example.org", "TXT"}, {{mark.text()}, 300, std::nullopt}},
        {{"_ocim.aaaa.gone.example.org", "TXT"}, {{mark.text()}, 300, std::nullopt}},
        {{"_ocim.a.other.example.org", "TXT"}, {{"a person's text"}, 300, std::nullopt}},
    };
    EXPECT_TRUE(fold_marks(seen));
    const Snapshot folded{
        {www, {{"192.0.2.1"}, 300, mark}},
        {gone, {{}, 0, mark}},
        {{"_ocim.a.other.example.org", "TXT"}, {{"a person's text"}, 300, std::nullopt}},
    };
    EXPECT_EQ(seen, folded);
    EXPECT_FALSE(fold_marks(seen)) << "nothing is left to fold";
}

}  // namespace
}  // namespace ocim::dns
