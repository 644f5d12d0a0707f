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
        {"münchen.example.org", NameRule::record, true, "an international name"},
        {"*.bücher.example.org", NameRule::record, true, "a wildcard below one"},
        {"_dmarc.bücher.example.org", NameRule::record, true, "a service of one"},
        {"a\xcc\x80\xff.example.org", NameRule::record, false, "not UTF-8"},
        {"\xe2\x80\x8b.example.org", NameRule::record, false, "an invisible character"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(wrong_with_name(row.name, row.rule).empty(), row.good) << row.name << ": " << row.reason;
}

TEST(DnsName, HasOneForm) {
    EXPECT_EQ(canonical_name("WWW.Example.org."), "www.example.org");
    EXPECT_EQ(canonical_name("BÜCHER.example.org"), "xn--bcher-kva.example.org");
    EXPECT_EQ(canonical_name("*.bücher.example.org."), "*.xn--bcher-kva.example.org");
    EXPECT_EQ(canonical_name("_dmarc.MÜNCHEN.example.org"), "_dmarc.xn--mnchen-3ya.example.org");
    EXPECT_EQ(canonical_name("xn--bcher-kva.example.org"), "xn--bcher-kva.example.org");
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
        {"CNAME", "bücher.example.com", "xn--bcher-kva.example.com", "an international name"},
        {"NS", "NS1.example.com.", "ns1.example.com", "as of a CNAME"},
        {"NS", ".", std::nullopt, "nobody serves nothing"},
        {"MX", "010  Mail.example.com.", "10 mail.example.com", "one form of the number and of the name"},
        {"MX", "0 .", "0 .", "no mail at all (RFC 7505)"},
        {"MX", "mail.example.com", std::nullopt, "no preference"},
        {"MX", "65536 mail.example.com", std::nullopt, "out of range"},
        {"MX", "-1 mail.example.com", std::nullopt, "below zero"},
        {"MX", "10 mail example.com", std::nullopt, "two names"},
        {"SRV", "0 5 5060 SIP.example.com", "0 5 5060 sip.example.com", "priority, weight, port, target"},
        {"SRV", "0 0 0 .", "0 0 0 .", "the service is not there (RFC 2782)"},
        {"SRV", "0 5 sip.example.com", std::nullopt, "a number is missing"},
        {"SRV", "0 5 70000 sip.example.com", std::nullopt, "no port"},
        {"CAA", "0 issue letsencrypt.org", "0 issue \"letsencrypt.org\"", "the quotes may be left out"},
        {"CAA", "128 Issue \"ca.example.net; account=1\"", "128 issue \"ca.example.net; account=1\"", "quoted"},
        {"CAA", "0 issue \";\"", "0 issue \";\"", "nobody may"},
        {"CAA", "256 issue \"a\"", std::nullopt, "flags out of range"},
        {"CAA", "0 is-sue \"a\"", std::nullopt, "no tag"},
        {"CAA", "0 issue", std::nullopt, "nothing said"},
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

TEST(DnsMark, IsWrittenAsExternalDnsWritesIts) {
    Mark mark{"prod", "campus/www", "uid-1", false};
    EXPECT_EQ(mark_text(mark),
              "heritage=external-dns,external-dns/owner=ocim-prod,external-dns/resource=dnsrecord/campus/www,"
              "ocim/uid=uid-1");
    for (const bool retained : {false, true}) {
        mark.retained = retained;
        EXPECT_EQ(parse_mark_text(mark_text(mark)), mark);
        EXPECT_EQ(parse_mark_text(mark.text()), mark) << "as in a comment";
    }
    for (const auto* text :
         {"", "heritage=external-dns", "heritage=external-dns,external-dns/owner=default",
          "heritage=external-dns,external-dns/owner=prod,external-dns/resource=dnsrecord/a/b,ocim/uid=u",
          "external-dns/owner=ocim-prod,external-dns/resource=dnsrecord/a/b,ocim/uid=u",
          "heritage=external-dns,external-dns/owner=ocim-prod,external-dns/resource=dnsrecord/a b,ocim/uid=u"})
        EXPECT_EQ(parse_mark_text(text), std::nullopt) << text;
}

TEST(DnsMark, OfExternalDnsIsNotedOnWhatItHolds) {
    const std::string text = "heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/a/b";
    struct {
        ExternalDns external;
        Key key;
        std::string name;
        bool found;
        const char* reason;
    } const rows[] = {
        {{}, {"www.example.org", "A"}, "a-www.example.org", true, "as it comes"},
        {{}, {"www.example.org", "A"}, "www.example.org", true, "as it did before release 0.12"},
        {{}, {"www.example.org", "AAAA"}, "a-www.example.org", false, "another type's"},
        {{}, {"*.example.org", "CNAME"}, "cname-*.example.org", true, "a wildcard"},
        {{"", "", "any"}, {"*.example.org", "CNAME"}, "cname-any.example.org", true, "whose name was replaced"},
        {{"xdns-", "", ""}, {"www.example.org", "A"}, "xdns-a-www.example.org", true, "a prefix"},
        {{"%{record_type}.x.", "", ""}, {"example.org", "MX"}, "mx.x.example.org", true, "a prefix with the type"},
        {{"", "-xdns", ""}, {"www.example.org", "A"}, "a-www-xdns.example.org", true, "a suffix"},
        {{"xdns-", "", ""}, {"www.example.org", "A"}, "a-www.example.org", false, "another prefix than is said"},
    };
    for (const auto& row : rows) {
        Snapshot seen{{row.key, {{"192.0.2.1"}, 300, std::nullopt}}, {{row.name, "TXT"}, {{text}, 300, std::nullopt}}};
        (void)fold_marks(seen, row.external);
        const auto& external = seen.at(row.key).external;
        ASSERT_EQ(external.has_value(), row.found) << row.name << ": " << row.reason;
        if (external) EXPECT_EQ(*external, (Registration{"default", {row.name}})) << row.reason;
        EXPECT_EQ(seen.size(), 2U) << "the registry stays a thing of the zone";
    }
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
    seen[{"_ocim.a.heir.example.org", "TXT"}] = {{mark_text(mark)}, 300, std::nullopt};
    EXPECT_TRUE(fold_marks(seen));
    const Snapshot folded{
        {www, {{"192.0.2.1"}, 300, mark}},
        {gone, {{}, 0, mark}},
        {{"heir.example.org", "A"}, {{}, 0, mark}},
        {{"_ocim.a.other.example.org", "TXT"}, {{"a person's text"}, 300, std::nullopt}},
    };
    EXPECT_EQ(seen, folded);
    EXPECT_FALSE(fold_marks(seen)) << "nothing is left to fold";
}

}  // namespace
}  // namespace ocim::dns
