#include "net/fetch.hpp"

#include "base/async.hpp"
#include "net/http_server.hpp"
#include "net/tls.hpp"
#include "support/scripted_peer.hpp"
#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::net {
namespace {

using namespace std::chrono_literals;
using test::RawSocket;
using test::ScriptedPeer;

class FetchTest : public ::testing::Test {
protected:
    ~FetchTest() override {
        if (server) loop.run(server->stop(loop.clock().now()));
    }
    void start_server(std::optional<TlsSettings> tls = {}) {
        auto opened = serve(loop.executor(), loop.clock(), {.tls = std::move(tls)},
                            [this](ServerRequest request, Responder& responder) -> awaitable<void> {
                                return answer(std::move(request), responder);
                            });
        ASSERT_TRUE(opened) << opened.error().message;
        server = *std::move(opened);
    }
    awaitable<void> answer(ServerRequest request, Responder& responder) {
        ServerReply reply;
        reply.status = request.path == "/moved" ? 302 : 200;
        reply.body = std::string(100'000, 'x');
        asked = request.method + " " + request.path + "?" + request.query + " " + std::string(request.header("host")) +
                " " + std::string(request.header("x-test"));
        co_await responder.reply(std::move(reply));
    }
    Result<Fetched> fetch(Fetch what) { return loop.run(fetcher->fetch(std::move(what))); }
    Error failure(Fetch what) {
        const auto answer = fetch(std::move(what));
        return answer ? Error{ErrorClass::conflict, "answered " + std::to_string(answer->status)} : answer.error();
    }
    std::string here() const { return "127.0.0.1:" + std::to_string(server->port()); }

    test::RealLoop loop;
    std::unique_ptr<Fetcher> fetcher = make_fetcher(loop.executor(), loop.clock());
    std::unique_ptr<HttpServer> server;
    std::string asked;
};

TEST_F(FetchTest, AsksForOneHostAtTheAddressOfAnother) {
    start_server();
    Fetch what;
    what.url = "http://demo.example.org:8123/moved?a=b%20c#part";
    what.connect_to = here();
    what.headers["X-Test"] = Secret("yes");
    const auto answer = fetch(what);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 302u) << "a redirect is an answer";
    EXPECT_EQ(asked, "GET /moved?a=b%20c demo.example.org:8123 yes");
    what = {};
    what.url = "http://localhost:" + std::to_string(server->port());
    EXPECT_EQ(fetch(what)->status, 200u) << "a name is looked up, and the path may be left out";
}

TEST_F(FetchTest, ChecksCertificatesUnlessToldNotTo) {
    const auto ca = make_ca("test", loop.clock().wall());
    ASSERT_TRUE(ca);
    CertificateRequest request;
    request.common_name = "demo.example.org";
    request.dns_names = {"demo.example.org"};
    request.server = true;
    const auto own = issue_certificate(*ca, request, loop.clock().wall());
    ASSERT_TRUE(own);
    start_server(TlsSettings{own->certificate, own->private_key});
    Fetch what;
    what.url = "https://demo.example.org/";
    what.connect_to = here();
    const auto refused = failure(what);
    EXPECT_EQ(refused.error_class, ErrorClass::unreachable);
    EXPECT_NE(refused.message.find("TLS is refused: certificate verify failed"), std::string::npos) << refused.message;
    what.verify = false;
    const auto answer = fetch(what);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200u);
    EXPECT_EQ(answer->certificate_expires, *certificate_expiry(own->certificate));
}

TEST_F(FetchTest, ReadsAsMuchOfTheBodyAsItIsAskedFor) {
    start_server();
    Fetch what;
    what.url = "http://" + here() + "/";
    EXPECT_EQ(fetch(what)->body, "") << "nothing unless asked";
    EXPECT_EQ(fetch(what)->certificate_expires, std::nullopt);
    what.body_max = 1'000'000;
    EXPECT_EQ(fetch(what)->body, std::string(100'000, 'x'));
    what.body_max = 10;
    EXPECT_EQ(fetch(what)->body, "xxxxxxxxxx");
    const auto says = [](std::string text) {
        return [text = std::move(text)](RawSocket& socket, int) {
            socket.read_until("\r\n\r\n");
            socket.send(text);
        };
    };
    ScriptedPeer plain(says("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    ScriptedPeer cut(says("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"));
    ScriptedPeer endless([](RawSocket& socket, int) {
        socket.read_until("\r\n\r\n");
        socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while (socket.send("10000\r\n" + std::string(0x10000, 'y') + "\r\n")) {}
    });
    what.body_max = 300'000;
    what.url = plain.url();
    EXPECT_EQ(fetch(what)->body, "until the end");
    what.url = endless.url();
    EXPECT_EQ(fetch(what)->body, std::string(300'000, 'y'));
    what.url = cut.url();
    EXPECT_EQ(failure(what).message, "the body broke off: partial message") << "half a page is none";
}

TEST_F(FetchTest, SaysTheSameOfTheSameFailure) {
    ScriptedPeer silent([](RawSocket& socket, int) { socket.read_all(); });
    ScriptedPeer garbage([](RawSocket& socket, int) {
        socket.read_until("\r\n\r\n");
        socket.send("220 smtp.example.org ready\r\n");
    });
    ScriptedPeer closing([](RawSocket& socket, int) { socket.read_until("\r\n\r\n"); });
    ScriptedPeer endless([](RawSocket& socket, int) {
        socket.send("HTTP/1.1 200 OK\r\n");
        while (socket.send("X-More: " + std::string(1000, 'x') + "\r\n")) {}
    });
    const struct {
        const char* reason;
        std::string url, says;
    } cases[] = {
        {"nobody listens", "http://127.0.0.1:" + std::to_string(test::free_port()) + "/",
         "no connection: Connection refused"},
        {"nobody answers", silent.url(), "the answer took longer than 300 ms"},
        {"TLS with who does not speak it", "https://127.0.0.1:" + std::to_string(garbage.port()),
         "the answer took longer than 300 ms"},
        {"not HTTP", garbage.url(), "no answer in HTTP: bad version"},
        {"it closes", closing.url(), "no answer in HTTP: end of stream"},
        {"a head without end", endless.url(), "no answer in HTTP: header limit exceeded"},
        {"no such name", "http://nowhere.invalid/", "its name is unknown: Name or service not known"},
    };
    for (const auto& c : cases) {
        Fetch what;
        what.url = c.url;
        what.timeout = c.says.starts_with("the answer took") ? 300ms : 20'000ms;
        for (int twice = 0; twice < 2; ++twice) {
            const auto error = failure(what);
            EXPECT_EQ(error.error_class, ErrorClass::unreachable) << c.reason;
            EXPECT_EQ(error.message, c.says) << c.reason;
        }
    }
}

TEST_F(FetchTest, CanBeLeftAtAnyTime) {
    ScriptedPeer silent([](RawSocket& socket, int) { socket.read_all(); });
    TaskGroup group(loop.executor());
    for (int i = 0; i < 3; ++i) {
        Fetch what;
        what.url = silent.url();
        group.spawn("fetch", [](Fetcher& with, Fetch fetch) -> awaitable<void> {
            (void)co_await with.fetch(std::move(fetch));
        }(*fetcher, what));
    }
    loop.run(loop.clock().sleep(50ms));
    EXPECT_EQ(group.running(), 3u);
    loop.run(group.stop());
    EXPECT_EQ(group.running(), 0u);
}

}  // namespace
}  // namespace ocim::net
