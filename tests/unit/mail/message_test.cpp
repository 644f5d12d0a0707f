#include "mail/message.hpp"

#include "net/mail.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>

namespace ocim::mail {
namespace {

Message message() {
    Message out;
    out.from = "ocim@example.org";
    out.from_name = "Ocim";
    out.to = "ops@example.org";
    out.subject = "AppServer demo-1 failed";
    out.text = "It failed.\nLook at it.\n";
    out.date = *parse_rfc3339("2026-11-22T09:05:07Z");
    out.id = "uid-1.0.lab@example.org";
    return out;
}

TEST(Message, IsComposedAsItTravels) {
    const auto text = compose(message());
    ASSERT_TRUE(text);
    EXPECT_EQ(*text,
              "From: \"Ocim\" <ocim@example.org>\r\n"
              "To: <ops@example.org>\r\n"
              "Subject: AppServer demo-1 failed\r\n"
              "Date: Sun, 22 Nov 2026 09:05:07 +0000\r\n"
              "Message-ID: <uid-1.0.lab@example.org>\r\n"
              "Auto-Submitted: auto-generated\r\n"
              "MIME-Version: 1.0\r\n"
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: base64\r\n"
              "\r\n" +
                  runtime::base64("It failed.\r\nLook at it.\r\n") + "\r\n");
}

TEST(Message, AFileGoesAlongAsAPartOfItsOwn) {
    auto given = message();
    given.attachment = Attachment{"demo-1-log\"\r\nX: y.txt", "--=_ocim--\nTASK [one]\n"};
    const auto text = compose(given);
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("Content-Type: multipart/mixed; boundary=\"=_ocim\"\r\n\r\n--=_ocim\r\n"), std::string::npos);
    EXPECT_NE(text->find("\r\nContent-Disposition: attachment; filename=\"demo-1-logXy.txt\"\r\n"), std::string::npos);
    EXPECT_NE(text->find(runtime::base64("--=_ocim--\r\nTASK [one]\r\n")), std::string::npos)
        << "what it holds cannot end the part";
    EXPECT_TRUE(text->ends_with("\r\n--=_ocim--\r\n"));
}

TEST(Message, NoLineIsLongOrNotAscii) {
    auto given = message();
    given.subject = std::string(2000, 'x') + "ü";
    for (int n = 0; n < 200; ++n) given.text += "Zeile mit Umlaut ü und Emoji 🎓 ";
    given.attachment = Attachment{"log", std::string(70'000, 'y')};
    const auto text = compose(given);
    ASSERT_TRUE(text);
    std::size_t length = 0;
    for (const char c : *text) {
        length = c == '\n' ? 0 : length + 1;
        ASSERT_LE(length, 79u);
        ASSERT_GE(c, 0);
    }
}

TEST(Message, HeaderTextTable) {
    const struct {
        const char* reason;
        std::string given, wanted;
    } cases[] = {
        {"plain", "It failed", "It failed"},
        {"nothing", "", ""},
        {"a line end that would begin a header", "a\r\nBcc: evil@example.org", "a  Bcc: evil@example.org"},
        {"a zero byte", std::string("a\0b", 3), "a b"},
        {"not ASCII", "Über", "=?utf-8?B?w5xiZXI=?="},
        {"what looks like an encoded word", "=?utf-8?Q?x?=", "=?utf-8?B?PT91dGYtOD9RP3g/PQ==?="},
        {"no UTF-8 at all", "a\xff", "=?utf-8?B?Ye+/vQ==?="},
    };
    for (const auto& c : cases) EXPECT_EQ(header_text(c.given), c.wanted) << c.reason;
}

TEST(Message, ALongSubjectIsFoldedBetweenWholeCharacters) {
    std::string given;
    for (int n = 0; n < 60; ++n) given += "🎓";
    const auto text = header_text(given);
    std::string read;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find("?=", at + 10);
        ASSERT_NE(end, std::string::npos);
        ASSERT_EQ(text.substr(at, 10), "=?utf-8?B?");
        EXPECT_LE(end + 2 - at, 75u);
        const auto word = runtime::from_base64(text.substr(at + 10, end - at - 10));
        ASSERT_TRUE(word);
        EXPECT_EQ(word->size() % 4, 0u) << "a character is not cut";
        read += *word;
        at = end + 2;
        if (at < text.size()) {
            ASSERT_EQ(text.substr(at, 3), "\r\n ");
            at += 3;
        }
    }
    EXPECT_EQ(read, given);
}

TEST(Message, TheSendersNameIsQuoted) {
    auto given = message();
    given.from_name = "Ops \"the\\team\", <x@y>";
    const auto text = compose(given);
    ASSERT_TRUE(text);
    EXPECT_TRUE(text->starts_with("From: \"Ops \\\"the\\\\team\\\", <x@y>\" <ocim@example.org>\r\n"));
    given.from_name = "Bücher";
    EXPECT_TRUE(compose(given)->starts_with("From: =?utf-8?B?QsO8Y2hlcg==?= <ocim@example.org>\r\n"));
    given.from_name = "";
    EXPECT_TRUE(compose(given)->starts_with("From: <ocim@example.org>\r\n"));
}

TEST(Message, AddressTable) {
    const struct {
        const char* reason;
        std::string address;
        bool good;
    } cases[] = {
        {"usual", "ops@example.org", true},
        {"a tag", "ops+alerts_1@mail.example.org", true},
        {"a host without dots", "root@localhost", true},
        {"nothing", "", false},
        {"no domain", "ops@", false},
        {"no name", "@example.org", false},
        {"a second recipient", "a@example.org,b@example.org", false},
        {"an end of the path, and an option", "a@example.org> SIZE=1", false},
        {"a command", "a@example.org\r\nRCPT TO:<b@example.org>", false},
        {"a quoted name", "\"a b\"@example.org", false},
        {"dots together", "a..b@example.org", false},
        {"not ASCII", "ü@example.org", false},
        {"too long", std::string(300, 'a') + "@example.org", false},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(net::good_mail_address(c.address), c.good) << c.reason;
        auto given = message();
        given.to = c.address;
        const auto composed = compose(given);
        EXPECT_EQ(static_cast<bool>(composed), c.good) << c.reason;
        if (!composed) EXPECT_EQ(composed.error().error_class, ErrorClass::invalid) << c.reason;
    }
}

TEST(Message, DatesAreThoseOfMail) {
    EXPECT_EQ(mail_date(*parse_rfc3339("2024-02-29T23:59:59Z")), "Thu, 29 Feb 2024 23:59:59 +0000");
    EXPECT_EQ(mail_date(*parse_rfc3339("1970-01-01T00:00:00Z")), "Thu, 01 Jan 1970 00:00:00 +0000");
}

}  // namespace
}  // namespace ocim::mail
