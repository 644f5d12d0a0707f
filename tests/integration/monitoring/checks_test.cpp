#include "monitoring/check.hpp"

#include "base/async.hpp"
#include "monitoring/monitor.hpp"
#include "net/http_server.hpp"
#include "net/tls.hpp"
#include "support/mail.hpp"
#include "support/name_server.hpp"
#include "support/powerdns.hpp"
#include "support/scripted_peer.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <cstdlib>

/// What the prober finds out about real servers: BIND, Knot DNS, PowerDNS, and sockets with TLS and without.
namespace ocim::monitoring {
namespace {

using namespace std::chrono_literals;
using ocim::test::NameServerService;
using ocim::test::RawSocket;
using ocim::test::ScriptedPeer;
using Object = crd::Monitor;
using Dns = Object::Spec::Dns;

class Checks : public ::testing::Test {
protected:
    /// What one probe finds.
    Outcome find(const Object& object) {
        const auto actions = Monitor::diff(object, inputs, {});
        EXPECT_EQ(actions.size(), 1u) << Monitor::report(object, inputs, {}).verdict.message;
        if (actions.empty()) return {};
        Senses senses{fetcher, talker};
        return loop.run(check(senses, loop.clock(), *random, actions[0].probe));
    }
    static Object monitor() {
        Object out;
        out.metadata.name = "m";
        out.metadata.namespace_ = "campus";
        out.metadata.uid = "uid-1";
        out.spec.service_ref.name = "builtin";
        return out;
    }
    static Object question(std::uint16_t port, const std::string& name, Dns::Type type = Dns::Type::a) {
        auto out = monitor();
        auto& dns = out.spec.dns.emplace();
        dns.name = name;
        dns.type = type;
        dns.servers = {"127.0.0.1:" + std::to_string(port)};
        return out;
    }
    static Object connection(std::uint16_t port) {
        auto out = monitor();
        out.spec.tcp.emplace().address = "127.0.0.1:" + std::to_string(port);
        return out;
    }
    /// The same, over both protocols.
    void expect(Object object, const std::string& message) {
        using Protocol = Dns::Protocol;
        for (const auto protocol : {Protocol::udp, Protocol::tcp}) {
            object.spec.dns->protocol = protocol;
            const auto found = find(object);
            const auto server = message == "answers as expected" ? "" : object.spec.dns->servers.back() + ": ";
            EXPECT_EQ(found.message, server + message) << (protocol == Protocol::tcp ? "TCP" : "UDP");
            EXPECT_EQ(found.up, server.empty());
        }
    }
    /// What holds of every name server that serves example.org with its NS and the address of ns1.
    void judge(std::uint16_t port) {
        auto object = question(port, "ns1.example.org");
        expect(object, "answers as expected");
        object.spec.dns->expect = Dns::Expect{{}, {"127.0.0.1"}, {}};
        expect(object, "answers as expected");
        object.spec.dns->expect->values = {"192.0.2.1"};
        expect(object, "answers 127.0.0.1, expected 192.0.2.1");
        object = question(port, "nowhere.example.org");
        expect(object, "answers NXDOMAIN, expected NOERROR");
        object.spec.dns->expect = Dns::Expect{Dns::Expect::Rcode::nxdomain, {}, {}};
        expect(object, "answers as expected");
        expect(question(port, "ns1.example.org", Dns::Type::mx), "answers no MX record");
        object = question(port, "Example.ORG", Dns::Type::ns);
        object.spec.dns->expect = Dns::Expect{{}, {}, {"NS1.example.org"}};
        expect(object, "answers as expected");
        expect(question(port, "www.another.example"), "answers REFUSED, expected NOERROR");
    }

    test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    runtime::Inputs inputs;
    std::shared_ptr<net::Fetcher> fetcher = net::make_fetcher(loop.executor(), loop.clock());
    std::shared_ptr<net::Talker> talker = net::make_talker(loop.executor(), loop.clock());
};

TEST_F(Checks, BindAnswersAsExpectedOrItIsSaid) {
    NameServerService server("example.org");
    judge(server.port);
    std::string many;
    for (int n = 1; n < 100; ++n) many += "update add many.example.org 60 A 192.0.2." + std::to_string(n) + "\n";
    ASSERT_EQ(server.change(many), "");
    auto object = question(server.port, "many.example.org");
    object.spec.dns->expect = Dns::Expect{{}, {}, {"192.0.2.99", "192.0.2.1"}};
    expect(object, "answers as expected");  // by TCP where it is too long for UDP
    ASSERT_EQ(server.change("update add text.example.org 60 TXT \"v=spf1 \" \"-all\""), "");
    object = question(server.port, "text.example.org", Dns::Type::txt);
    object.spec.dns->expect = Dns::Expect{{}, {"v=spf1 -all"}, {}};
    expect(object, "answers as expected");

    // another server does not know what this one does
    NameServerService second("example.org");
    object = question(server.port, "text.example.org", Dns::Type::txt);
    object.spec.dns->servers.push_back("127.0.0.1:" + std::to_string(second.port));
    expect(object, "answers NXDOMAIN, expected NOERROR");
}

TEST_F(Checks, KnotAnswersAsExpectedOrItIsSaid) {
    NameServerService server("example.org", NameServerService::Kind::knot);
    judge(server.port);
}

TEST_F(Checks, PowerDnsAnswersAsExpectedOrItIsSaid) {
    ocim::test::PowerDnsService server("example.org");
    const auto made = server.call("PATCH", "/zones/example.org.",
                                  R"({"rrsets":[{"name":"ns1.example.org.","type":"A","ttl":60,"changetype":"REPLACE",)"
                                  R"("records":[{"content":"127.0.0.1","disabled":false}]}]})");
    ASSERT_NE(made.find("204"), std::string::npos) << made;
    judge(server.dns_port);
}

TEST_F(Checks, ANameServerThatIsInTroubleIsDownForTheReasonThatItShows) {
    NameServerService server("example.org");
    auto object = question(server.port, "ns1.example.org");
    expect(object, "answers as expected");
    server.service->freeze();
    object.spec.timeout_seconds = 1;
    for (const auto protocol : {Dns::Protocol::udp, Dns::Protocol::tcp}) {
        object.spec.dns->protocol = protocol;
        EXPECT_EQ(find(object).message, "the answer took longer than 1000 ms");
    }
    server.service->thaw();
    object.spec.timeout_seconds = 30;
    expect(object, "answers as expected");
    server.service->stop();
    expect(object, "no connection: Connection refused");

    const struct {
        const char* reason;
        std::string said, message;
    } cases[] = {
        {"it closes", "", "it closed before it answered: End of file"},
        {"half an answer", std::string("\x02\x00half", 6), "the answer was cut off: End of file"},
        {"somebody else", std::string("\x00\x1cHTTP/1.1 400 Bad Request\r\n\r\n", 30),
         "what answers is not a name server"},
    };
    for (const auto& c : cases) {
        ScriptedPeer peer([&](RawSocket& socket, int) {
            (void)ocim::test::read_message(socket);
            socket.send(c.said);
        });
        object = question(peer.port(), "ns1.example.org");
        object.spec.dns->protocol = Dns::Protocol::tcp;
        EXPECT_EQ(find(object).message, object.spec.dns->servers[0] + ": " + c.message) << c.reason;
    }
}

/// Trusts one authority of its own, because what a visitor trusts is the system's.
class TlsChecks : public Checks {
protected:
    ~TlsChecks() override {
        if (server) loop.run(server->stop(loop.clock().now()));
        ::unsetenv("SSL_CERT_FILE");
    }
    void serve(std::chrono::seconds valid_for, std::chrono::hours ago) {
        const auto ca = net::make_ca("test", loop.clock().wall() - 1000h);
        ASSERT_TRUE(ca);
        net::CertificateRequest request;
        request.common_name = "demo.example.org";
        request.dns_names = {"demo.example.org"};
        request.server = true;
        request.valid_for = valid_for;
        const auto own = net::issue_certificate(*ca, request, loop.clock().wall() - ago);
        ASSERT_TRUE(own);
        expires = *net::certificate_expiry(own->certificate);
        ocim::test::write_file(directory.file("ca.crt"), ca->certificate);
        ::setenv("SSL_CERT_FILE", directory.file("ca.crt").c_str(), 1);
        talker = net::make_talker(loop.executor(), loop.clock());
        auto opened =
            net::serve(loop.executor(), loop.clock(), {.tls = net::TlsSettings{own->certificate, own->private_key}},
                       [](net::ServerRequest, net::Responder& responder) -> awaitable<void> {
                           net::ServerReply reply;
                           reply.status = 418;
                           co_await responder.reply(std::move(reply));
                       });
        ASSERT_TRUE(opened) << opened.error().message;
        server = *std::move(opened);
    }
    Object secured() {
        auto out = connection(server->port());
        out.spec.tcp->tls = true;
        out.spec.tcp->server_name = "demo.example.org";
        return out;
    }
    ocim::test::TempDir directory;
    std::unique_ptr<net::HttpServer> server;
    WallTime expires{};
};

TEST_F(TlsChecks, LooksAtTheCertificateAndTalksBehindIt) {
    serve(24h, 0h);
    auto object = secured();
    auto found = find(object);
    EXPECT_EQ(found.message, "takes connections");
    EXPECT_TRUE(found.up);
    EXPECT_EQ(found.certificate_expires, expires);
    object.spec.tcp->query_response = {{std::nullopt, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
                                       {"HTTP/1.1 418", std::nullopt}};
    EXPECT_EQ(find(object).message, "answers as expected");
    object.spec.tcp->query_response[1].expect = "HTTP/1.1 200";
    object.spec.timeout_seconds = 1;
    EXPECT_FALSE(find(object).up);
    object = secured();
    object.spec.tcp->server_name = "other.example.org";
    EXPECT_EQ(find(object).message,
              "TLS is refused: certificate verify failed (SSL routines): unspecified certificate verification error");
    object.spec.tls.insecure_skip_verify = true;
    EXPECT_TRUE(find(object).up);
}

TEST_F(TlsChecks, ACertificateThatHasEndedMakesItDownUnlessItIsNotLookedAt) {
    serve(1h, 48h);
    auto object = secured();
    const auto found = find(object);
    EXPECT_FALSE(found.up);
    EXPECT_EQ(found.message, "TLS is refused: certificate verify failed (SSL routines): certificate has expired");
    object.spec.tls.insecure_skip_verify = true;
    EXPECT_TRUE(find(object).up);
    EXPECT_EQ(find(object).certificate_expires, expires);
}

TEST_F(Checks, MailServersAreTalkedToUntilTlsBegins) {
    ocim::test::MailService mail("starttls");
    auto object = connection(mail.port);
    auto& steps = object.spec.tcp->query_response;
    steps = {{"220 mail.test", "EHLO probe.example.org\r\n"},
             {"STARTTLS", std::nullopt},
             {"\r\n", "STARTTLS\r\n"},
             {"220", std::nullopt, true},
             {std::nullopt, "EHLO probe.example.org\r\n"},
             {"250", "QUIT\r\n"},
             {"221", std::nullopt}};
    object.spec.tls.insecure_skip_verify = true;
    const auto found = find(object);
    EXPECT_EQ(found.message, "answers as expected");
    EXPECT_TRUE(found.certificate_expires);
    object.spec.tls.insecure_skip_verify = false;
    EXPECT_TRUE(find(object).message.starts_with("TLS is refused: ")) << find(object).message;
}

TEST_F(Checks, AConnectionThatFailsIsDownForTheReasonThatItShows) {
    ScriptedPeer silent([](RawSocket& socket, int) { socket.read_all(); });
    ScriptedPeer closing([](RawSocket&, int) {});
    ScriptedPeer other([](RawSocket& socket, int) { socket.send("SSH-2.0-OpenSSH_9.2\r\n"); });
    ScriptedPeer endless([](RawSocket& socket, int) {
        while (socket.send(std::string(10'000, 'x'))) {}
    });
    const struct {
        const char* reason;
        std::uint16_t port;
        bool tls;
        std::string says;
    } cases[] = {
        {"nobody listens", ocim::test::free_port(), false, "no connection: Connection refused"},
        {"nobody speaks", silent.port(), false, "the answer took longer than 1000 ms"},
        {"it closes", closing.port(), false, "it closed before it said what is expected"},
        {"somebody else", other.port(), false, "it closed before it said what is expected"},
        {"without end", endless.port(), false, "what it says does not hold what is expected"},
        {"TLS with who does not speak it", other.port(), true, "TLS is refused: wrong version number (SSL routines)"},
        {"TLS with who is silent", silent.port(), true, "the answer took longer than 1000 ms"},
    };
    for (const auto& c : cases) {
        auto object = connection(c.port);
        object.spec.tcp->tls = c.tls;
        object.spec.tcp->query_response = {{"220 ", std::nullopt}};
        object.spec.timeout_seconds = 1;
        for (int twice = 0; twice < 2; ++twice) {
            const auto found = find(object);
            EXPECT_FALSE(found.up) << c.reason;
            EXPECT_EQ(found.message, c.says) << c.reason;
        }
    }
    auto object = connection(closing.port());
    EXPECT_TRUE(find(object).up) << "that a connection is taken is enough where nothing is asked for";
    object.spec.tcp->address = "nowhere.invalid:25";
    EXPECT_EQ(find(object).message, "its name is unknown: Name or service not known");
}

TEST_F(Checks, ManyGoOnAtOnceAndCanBeLeft) {
    ScriptedPeer silent([](RawSocket& socket, int) { socket.read_all(); });
    TaskGroup group(loop.executor());
    for (int i = 0; i < 30; ++i) {
        auto object = i % 2 == 0 ? connection(silent.port()) : question(silent.port(), "a.example.org");
        if (object.spec.dns) object.spec.dns->protocol = Dns::Protocol::tcp;
        if (object.spec.tcp) object.spec.tcp->query_response = {{"220 ", std::nullopt}};
        group.spawn("check", [](Senses senses, Clock& clock, Random& chance, Probe probe) -> awaitable<void> {
            (void)co_await check(std::move(senses), clock, chance, std::move(probe));
        }({fetcher, talker}, loop.clock(), *random, Monitor::diff(object, inputs, {}).at(0).probe));
    }
    loop.run(loop.clock().sleep(50ms));
    EXPECT_EQ(group.running(), 30u);
    loop.run(group.stop());
    EXPECT_EQ(group.running(), 0u);
}

}  // namespace
}  // namespace ocim::monitoring
