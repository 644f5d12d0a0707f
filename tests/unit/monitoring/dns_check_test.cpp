#include "monitoring/dns_check.hpp"

#include <gtest/gtest.h>

namespace ocim::monitoring {
namespace {

DnsCheck asked(const std::string& type = "A") {
    DnsCheck out;
    out.name = "WWW.example.org";
    out.type = type;
    return out;
}

/// The answer to `check` with those records, each as it is on the wire after a name that is the question's.
std::string answer(const DnsCheck& check, unsigned rcode, const std::vector<std::string>& records) {
    auto out = *dns_question(check, 0x1234);
    out[2] = static_cast<char>(0x81);
    out[3] = static_cast<char>(0x80 | rcode);
    out[7] = static_cast<char>(records.size());
    for (const auto& record : records) out += "\xc0\x0c" + record;
    return out;
}
const std::string one("\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01", 14);
const std::string two("\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x02", 14);
const std::string text(
    "\0\x10\0\x01\0\0\0\x3c\0\x0a\x04v=sp\x04"
    "f1 a",
    20);
const std::string alias("\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x10", 12);

TEST(DnsCheck, JudgesAnswers) {
    const struct {
        const char* reason;
        std::string type, rcode;
        std::vector<std::string> values, contains;
        unsigned answered;
        std::vector<std::string> records;
        std::string wrong;
    } cases[] = {
        {"there is one", "A", "NOERROR", {}, {}, 0, {one}, ""},
        {"there is none", "A", "NOERROR", {}, {}, 0, {}, "answers no A record"},
        {"of another type", "A", "NOERROR", {}, {}, 0, {text}, "answers no A record"},
        {"behind an alias", "A", "NOERROR", {"192.0.2.1"}, {}, 0, {alias, one}, ""},
        {"all of them, in any order", "A", "NOERROR", {"192.0.2.1", "192.0.2.2"}, {}, 0, {two, one}, ""},
        {"one too many",
         "A",
         "NOERROR",
         {"192.0.2.1"},
         {},
         0,
         {two, one},
         "answers 192.0.2.1, 192.0.2.2, expected 192.0.2.1"},
        {"among them", "A", "NOERROR", {}, {"192.0.2.2"}, 0, {two, one}, ""},
        {"not among them",
         "A",
         "NOERROR",
         {},
         {"192.0.2.2"},
         0,
         {one},
         "answers 192.0.2.1, expected 192.0.2.2 among it"},
        {"no such name", "A", "NOERROR", {}, {}, 3, {}, "answers NXDOMAIN, expected NOERROR"},
        {"as it should", "A", "NXDOMAIN", {}, {}, 3, {}, ""},
        {"there should be none", "A", "NXDOMAIN", {}, {}, 0, {one}, "answers NOERROR, expected NXDOMAIN"},
        {"strings that belong together", "TXT", "NOERROR", {"v=spf1 a"}, {}, 0, {text}, ""},
    };
    for (const auto& c : cases) {
        auto check = asked(c.type);
        check.rcode = c.rcode;
        check.values = c.values;
        check.contains = c.contains;
        EXPECT_EQ(wrong_with_answer(check, answer(check, c.answered, c.records)), c.wrong) << c.reason;
    }
}

TEST(DnsCheck, BelievesNoAnswerToAnotherQuestion) {
    const auto check = asked();
    auto other = check;
    other.name = "mail.example.org";
    const std::string wrong = "what answers is not a name server";
    EXPECT_EQ(wrong_with_answer(check, answer(other, 0, {one})), wrong);
    EXPECT_EQ(wrong_with_answer(check, answer(asked("AAAA"), 0, {one})), wrong);
    EXPECT_EQ(wrong_with_answer(check, *dns_question(check, 1)), wrong) << "an echo";
    EXPECT_EQ(wrong_with_answer(check, "HTTP/1.1 400 Bad Request\r\n\r\n"), wrong);
    const auto good = answer(check, 0, {one, two});
    EXPECT_EQ(wrong_with_answer(check, good), "");
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_EQ(wrong_with_answer(check, good.substr(0, size)), wrong) << "cut off after " << size;
}

TEST(DnsCheck, KnowsAnAnswerThatWasTooLong) {
    auto cut = answer(asked(), 0, {one});
    EXPECT_FALSE(is_truncated(cut));
    cut[2] = static_cast<char>(0x83);
    EXPECT_TRUE(is_truncated(cut));
    EXPECT_TRUE(is_truncated(cut.substr(0, cut.size() - 3))) << "in the middle of a record";
    EXPECT_FALSE(is_truncated(""));
}

TEST(DnsCheck, OneFormOfAValue) {
    const struct {
        std::string type, written, canonical;  // canonical "": refused
    } cases[] = {
        {"A", "192.0.2.1", "192.0.2.1"},
        {"A", "192.0.2.256", ""},
        {"A", "www.example.org", ""},
        {"AAAA", "2001:DB8:0::1", "2001:db8::1"},
        {"CNAME", "WWW.Example.ORG", "www.example.org."},
        {"CNAME", "www.example.org.", "www.example.org."},
        {"MX", "10 Mail.example.org", "10 mail.example.org."},
        {"MX", "mail.example.org", ""},
        {"CAA", "0 issue \"letsencrypt.org\"", "0 issue \"letsencrypt.org\""},
        {"TXT", "any text; \"quotes\" too", "any text; \"quotes\" too"},
    };
    for (const auto& c : cases) {
        const auto found = canonical_dns_value(c.type, c.written);
        EXPECT_EQ(found ? *found : "", c.canonical) << c.type << " " << c.written;
    }
}

}  // namespace
}  // namespace ocim::monitoring
