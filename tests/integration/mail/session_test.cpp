#include "mail/message.hpp"
#include "net/mail.hpp"
#include "support/door.hpp"
#include "support/mail.hpp"

#include <gtest/gtest.h>
#include <thread>

/// What goes over the wire, against a real SMTP server.
namespace ocim::mail {
namespace {

using namespace std::chrono_literals;
using net::MailServer;
using ocim::test::MailService;

constexpr Duration limit = 20s;

struct Server {
    explicit Server(const MailService& service, MailServer::Tls tls = MailServer::Tls::none) {
        settings.host = "127.0.0.1";
        settings.port = service.port;
        settings.tls = tls;
        settings.hello = "ocim.example.org";
        if (tls != MailServer::Tls::none) settings.ca_certificate = service.authority();
    }
    Result<std::string> send(net::Mail mail, Duration within = limit) const {
        return net::MailSession(settings, cancel).send(mail, within);
    }
    Result<void> probe() const { return net::MailSession(settings, cancel).probe(limit); }
    MailServer settings;
    std::shared_ptr<net::MailCancel> cancel = std::make_shared<net::MailCancel>();
};

Message message() {
    Message out;
    out.from = "ocim@example.org";
    out.from_name = "Ocim Überall";
    out.to = "ops@example.org";
    out.subject = "Ü: it failed\r\nBcc: evil@example.org " + std::string(100, 'x');
    out.text = ".\n..dots\nLook at it 🎓.\n";
    out.attachment = Attachment{"demo-1-log.txt", "TASK [site]\n.\nfatal\n" + std::string(60'000, 'y') + "\n"};
    out.date = *parse_rfc3339("2026-11-22T09:05:07Z");
    out.id = "uid-1.0.lab@example.org";
    return out;
}

net::Mail mail(const std::string& to = "ops@example.org") {
    auto given = message();
    given.to = to;
    return {"ocim@example.org", to, *compose(given)};
}

std::string text_at(const api::Json& mail, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(mail, path));
}

TEST(MailSession, WhatIsSentIsWhatAnotherProgramReads) {
    const MailService service;
    const Server server(service);
    const auto sent = server.send(mail());
    ASSERT_TRUE(sent) << sent.error().message;
    EXPECT_EQ(*sent, "250 2.0.0 taken  ");
    const auto mails = service.mails();
    ASSERT_EQ(mails.size(), 1u);
    const auto& got = mails[0];
    EXPECT_EQ(text_at(got, {"from"}), "ocim@example.org");
    EXPECT_EQ(api::to_text(*api::find(got, {"to"})), R"(["ops@example.org"])");
    EXPECT_EQ(text_at(got, {"hello"}), "ocim.example.org");
    EXPECT_EQ(text_at(got, {"headers", "Subject"}), "Ü: it failed  Bcc: evil@example.org " + std::string(100, 'x'));
    EXPECT_EQ(text_at(got, {"headers", "From"}), "Ocim Überall <ocim@example.org>");
    EXPECT_EQ(text_at(got, {"headers", "Auto-Submitted"}), "auto-generated");
    EXPECT_EQ(api::to_text(*api::find(got, {"names"})),
              R"(["From","To","Subject","Date","Message-ID","Auto-Submitted","MIME-Version","Content-Type"])")
        << "no header came in with the text";
    EXPECT_EQ(api::to_text(*api::find(got, {"defects"})), "[]");
    EXPECT_EQ(text_at(got, {"text"}), ".\n..dots\nLook at it 🎓.\n");
    const auto& files = api::find(got, {"files"})->as_array();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_EQ(text_at(files[0], {"name"}), "demo-1-log.txt");
    EXPECT_TRUE(text_at(files[0], {"text"}) == message().attachment->text);
}

TEST(MailSession, TlsAndLogIn) {
    for (const auto* kind : {"starttls", "implicit"}) {
        SCOPED_TRACE(kind);
        const MailService service(kind);
        service.behave(R"({"user": "ocim", "password": "s3cret pass"})");
        Server server(service,
                      kind == std::string("implicit") ? MailServer::Tls::implicit : MailServer::Tls::start_tls);
        const auto nobody = server.send(mail());
        ASSERT_FALSE(nobody);
        EXPECT_EQ(nobody.error().error_class, ErrorClass::auth) << nobody.error().message;
        server.settings.username = "ocim";
        server.settings.password = Secret("wrong");
        for (const auto& refused : {server.send(mail()), Result<std::string>(server.probe().error())}) {
            ASSERT_FALSE(refused);
            EXPECT_EQ(refused.error().error_class, ErrorClass::auth) << refused.error().message;
            EXPECT_EQ(refused.error().message.find("wrong"), std::string::npos);
        }
        server.settings.password = Secret("s3cret pass");
        EXPECT_TRUE(server.probe());
        const auto sent = server.send(mail());
        ASSERT_TRUE(sent) << sent.error().message;
        EXPECT_EQ(api::to_text(*api::find(service.mails().at(0), {"tls"})), "true");

        server.settings.ca_certificate.clear();
        const auto stranger = server.send(mail());
        ASSERT_FALSE(stranger) << "nobody knows who signed its certificate";
        EXPECT_EQ(stranger.error().error_class, ErrorClass::unreachable) << stranger.error().message;
        EXPECT_EQ(service.mails().size(), 1u);
    }
}

TEST(MailSession, NothingIsSentInTheClearWhereTlsIsAskedFor) {
    const MailService service;
    Server server(service, MailServer::Tls::start_tls);
    server.settings.ca_certificate.clear();
    server.settings.username = "ocim";
    server.settings.password = Secret("s3cret");
    const auto sent = server.send(mail());
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().error_class, ErrorClass::unreachable);
    EXPECT_NE(sent.error().message.find("does not speak TLS"), std::string::npos) << sent.error().message;
    EXPECT_TRUE(service.mails().empty());
}

TEST(MailSession, RefusalTable) {
    const MailService service;
    const Server server(service);
    const struct {
        const char* reason;
        std::string behaviour;
        ErrorClass error_class;
        bool outcome_unknown;
    } cases[] = {
        {"no such person", R"({"refuse": ["ops@example.org"]})", ErrorClass::invalid, false},
        {"come again, for this person", R"({"defer": ["ops@example.org"]})", ErrorClass::transient, false},
        {"come again", R"({"data": "defer"})", ErrorClass::transient, false},
        {"too much at a time", R"({"data": "limit"})", ErrorClass::transient, false},
        {"not that mail", R"({"data": "refuse"})", ErrorClass::invalid, false},
        {"taken, and no answer", R"({"data": "drop"})", ErrorClass::unreachable, true},
        {"no answer at all", R"({"data": "stall"})", ErrorClass::unreachable, true},
    };
    for (const auto& c : cases) {
        service.behave(c.behaviour);
        const bool stalls = c.behaviour == std::string(R"({"data": "stall"})");
        const auto sent = server.send(mail(), stalls ? 4s : limit);
        ASSERT_FALSE(sent) << c.reason;
        EXPECT_EQ(sent.error().error_class, c.error_class) << c.reason << ": " << sent.error().message;
        EXPECT_EQ(sent.error().outcome_unknown, c.outcome_unknown) << c.reason << ": " << sent.error().message;
    }
    service.behave("{}");
    EXPECT_TRUE(server.send(mail())) << "and then it is over";
}

TEST(MailSession, SeveralGoOverOneConnection) {
    const MailService service;
    ocim::test::Door door(service.port);
    Server server(service);
    server.settings.port = door.port();
    net::MailSession session(server.settings, server.cancel);
    for (int n = 0; n < 5; ++n) EXPECT_TRUE(session.send(mail("p" + std::to_string(n) + "@example.org"), limit));
    EXPECT_EQ(door.connections(), 1);
    service.behave(R"({"refuse": ["p5@example.org"]})");
    EXPECT_FALSE(session.send(mail("p5@example.org"), limit));
    EXPECT_TRUE(session.send(mail("p6@example.org"), limit)) << "one refusal is not the next one's";
    EXPECT_EQ(service.mails().size(), 6u);
}

TEST(MailSession, WhoGivesUpIsNotKeptWaiting) {
    const MailService service;
    service.behave(R"({"data": "stall"})");
    const Server server(service);
    std::chrono::steady_clock::time_point given_up;
    std::thread other([&] {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!service.stalls() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        given_up = std::chrono::steady_clock::now();
        server.cancel->give_up();
    });
    EXPECT_FALSE(server.send(mail()));
    const auto left = std::chrono::steady_clock::now();
    other.join();
    EXPECT_TRUE(service.stalls());
    EXPECT_LT(left - given_up, 10s);
}

}  // namespace
}  // namespace ocim::mail
