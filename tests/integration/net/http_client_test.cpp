#include "net/http_client.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
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

/// Takes the loop thread's share of a client's life: each request in, its echo out.
class HttpClientTest : public ::testing::Test {
protected:
    void TearDown() override {
        client_.reset();
        if (server_) loop_.run(server_->stop(loop_.clock().now()));
    }

    HttpClient& client(HttpSettings settings) {
        auto made = make_http_client(loop_.executor(), loop_.clock(), metrics_, std::move(settings));
        EXPECT_TRUE(made) << made.error().message;
        client_ = *std::move(made);
        return *client_;
    }
    Result<HttpReply> send(HttpRequest request) { return loop_.run(client_->send(std::move(request))); }
    Error failure(HttpRequest request = {}) {
        const auto reply = send(std::move(request));
        return reply ? Error{ErrorClass::invalid, "answered " + std::to_string(reply->status)} : reply.error();
    }

    void start_server(std::optional<TlsSettings> tls = {}) {
        auto opened =
            serve(loop_.executor(), loop_.clock(), {.tls = std::move(tls)},
                  [this](ServerRequest request, Responder& responder) { return echo(std::move(request), responder); });
        ASSERT_TRUE(opened) << opened.error().message;
        server_ = *std::move(opened);
    }
    awaitable<void> echo(ServerRequest request, Responder& responder) {
        ServerReply reply;
        if (request.path.starts_with("/status/"))
            reply.status = static_cast<unsigned>(std::stoi(request.path.substr(8)));
        reply.headers.emplace("X-Echo", std::string(request.header("x-test")));
        reply.headers.emplace("X-Twice", "a");
        reply.headers.emplace("X-Twice", "b");
        reply.headers.emplace("Location", "http://127.0.0.1:1/elsewhere");
        reply.body = request.method + " " + request.path + "?" + request.query + " [" +
                     std::string(request.header("content-type")) + "] " + request.body;
        seen_.push_back(std::move(request));
        co_await responder.reply(std::move(reply));
    }
    std::string url(const std::string& scheme = "http", const std::string& host = "127.0.0.1") const {
        return scheme + "://" + host + ":" + std::to_string(server_->port());
    }

    test::RealLoop loop_;
    Metrics metrics_;
    std::unique_ptr<HttpClient> client_;
    std::unique_ptr<HttpServer> server_;
    std::vector<ServerRequest> seen_;
};

std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// --- against a good server

TEST_F(HttpClientTest, CarriesARequestAndItsReply) {
    start_server();
    client({.base_url = url()});
    const auto reply = send({.method = "PUT",
                             .target = "/a/b?c=d",
                             .headers = {{"X-Test", "yes"}},
                             .secret_headers = {{"Authorization", Secret("Bearer s3cret")}},
                             .body = "{\"x\":1}"});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->status, 200U);
    EXPECT_EQ(reply->body, "PUT /a/b?c=d [application/json] {\"x\":1}");
    EXPECT_EQ(reply->headers.at("x-echo"), "yes");
    EXPECT_EQ(reply->headers.at("x-twice"), "a, b");
    ASSERT_EQ(seen_.size(), 1U);
    EXPECT_EQ(seen_[0].header("authorization"), "Bearer s3cret");
    EXPECT_EQ(seen_[0].header("user-agent"), "ocim");
}

TEST_F(HttpClientTest, LeavesThePathAsItIs) {
    start_server();
    for (const char* target : {"/", "/a%2Fb", "/%2e%2e/x", "/a/../b", "/a//b/", "/~x;y=z,(1)!*'",
                               "/%C3%BC?q=%26%3D+%20&q=2", "/x?", "/a%00b", "/vhosts/%2F", "/a:b@c", "/?a=b%2Fc"}) {
        client({.base_url = url()});
        const auto reply = send({.target = target});
        ASSERT_TRUE(reply) << target << ": " << reply.error().message;
        std::string wanted = target;
        if (wanted.find('?') == std::string::npos) wanted += "?";
        EXPECT_EQ(reply->body, "GET " + wanted + " [] ") << target;
    }
    client({.base_url = url() + "/api/v1/"});
    EXPECT_EQ(send({.target = "/zones/%2F?x=1"})->body, "GET /api/v1/zones/%2F?x=1 [] ");
    EXPECT_EQ(send({.target = ""})->body, "GET /api/v1? [] ");
    EXPECT_EQ(send({.target = "?x"})->body, "GET /api/v1?x [] ");
    EXPECT_EQ(send({.target = "/"})->body, "GET /api/v1/? [] ");
}

TEST_F(HttpClientTest, SpeaksEveryMethod) {
    start_server();
    client({.base_url = url()});
    for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
        EXPECT_EQ(send({.method = method, .target = "/"})->body, std::string(method) + " /? [] ");
        EXPECT_EQ(send({.method = method, .target = "/", .body = "x", .content_type = "text/plain"})->body,
                  std::string(method) + " /? [text/plain] x");
    }
    const auto head = send({.method = "HEAD", .target = "/"});
    ASSERT_TRUE(head);
    EXPECT_EQ(head->body, "");
    std::string large(5 * 1024 * 1024, 'x');
    large.resize(3 * 1024 * 1024);
    large[7] = '\0';
    EXPECT_EQ(send({.method = "POST", .target = "/", .body = large})->body.size(),
              large.size() + std::string("POST /? [application/json] ").size());
}

TEST_F(HttpClientTest, AnyStatusIsAReplyAndRedirectsAreNotFollowed) {
    start_server();
    client({.base_url = url()});
    for (const unsigned status : {200U, 201U, 204U, 301U, 302U, 304U, 307U, 401U, 404U, 409U, 429U, 500U, 503U}) {
        const auto reply = send({.target = "/status/" + std::to_string(status)});
        ASSERT_TRUE(reply) << status << ": " << reply.error().message;
        EXPECT_EQ(reply->status, status);
    }
    EXPECT_EQ(seen_.size(), 13U);
}

TEST_F(HttpClientTest, CountsAndTimesEveryCall) {
    start_server();
    client({.base_url = url()});
    const std::string host = "127.0.0.1:" + std::to_string(server_->port());
    const auto requests = [&](const std::string& code, const std::string& method) {
        return metrics_.counter("rest_client_requests_total", "", {{"code", code}, {"method", method}, {"host", host}})
            .Value();
    };
    (void)send({.target = "/"});
    (void)send({.target = "/status/404"});
    (void)send({.method = "BREW", .target = "/"});
    EXPECT_EQ(requests("200", "GET"), 1);
    EXPECT_EQ(requests("404", "GET"), 1);
    EXPECT_EQ(requests("200", "other"), 1) << "a label's values are a closed set";
    (void)send({.target = "not a path"});
    EXPECT_EQ(requests("<error>", "GET"), 1);
    EXPECT_NE(metrics_.text().find("rest_client_request_duration_seconds_count{host=\"" + host + "\",verb=\"GET\"} 3"),
              std::string::npos)
        << metrics_.text();
}

TEST_F(HttpClientTest, ManyCallsAtOnceEachGetTheirOwnReply) {
    start_server();
    client({.base_url = url()});
    TaskGroup tasks(loop_.executor());
    int right = 0;
    const auto call = [](HttpClient& on, int number, int& count) -> awaitable<void> {
        for (int round = 0; round < 5; ++round) {
            const std::string target = "/" + std::to_string(number) + "." + std::to_string(round);
            HttpRequest request{.method = number % 3 == 0 ? "POST" : "GET", .target = target};
            const auto reply = co_await on.send(std::move(request));
            if (reply && reply->body.find(" " + target + "?") != std::string::npos) ++count;
        }
    };
    for (int number = 0; number < 40; ++number) tasks.spawn("call", call(*client_, number, right));
    loop_.run(tasks.join());
    EXPECT_EQ(right, 200);
}

// --- TLS

TEST_F(HttpClientTest, AnAuthorityOfItsOwnReplacesTheSystems) {
    const auto now = loop_.clock().wall();
    const auto ca = *make_ca("test CA", now);
    const auto other = *make_ca("other CA", now);
    const auto own = *issue_certificate(ca, {.common_name = "server", .dns_names = {"localhost"}, .server = true}, now);
    start_server(TlsSettings{own.certificate, own.private_key});
    const test::TempDir directory;
    test::write_file(directory.file("system.pem"), ca.certificate);
    ::setenv("SSL_CERT_FILE", directory.file("system.pem").c_str(), 1);
    client({.base_url = url("https", "localhost")});
    const auto by_system = send({.target = "/"});
    client({.base_url = url("https", "localhost"), .ca_certificate = other.certificate});
    const auto error = failure({.target = "/"});
    ::unsetenv("SSL_CERT_FILE");
    EXPECT_TRUE(by_system) << "the system's authorities are believed when none is given";
    EXPECT_EQ(error.error_class, ErrorClass::unreachable) << error.message;
}

TEST_F(HttpClientTest, BelievesOnlyTheAuthorityItIsGiven) {
    const auto now = loop_.clock().wall();
    const auto ca = *make_ca("test CA", now);
    const auto other = *make_ca("other CA", now);
    const auto own = *issue_certificate(ca, {.common_name = "server", .dns_names = {"localhost"}, .server = true}, now);
    start_server(TlsSettings{own.certificate, own.private_key});

    client({.base_url = url("https", "localhost"), .ca_certificate = ca.certificate});
    EXPECT_EQ(send({.target = "/"})->status, 200U);

    struct {
        const char* reason;
        HttpSettings settings;
        const char* message;
    } const cases[] = {
        {"another authority",
         {.base_url = url("https", "localhost"), .ca_certificate = other.certificate},
         "TLS is refused: certificate verify failed"},
        {"the system's authorities do not know ours",
         {.base_url = url("https", "localhost")},
         "TLS is refused: certificate verify failed"},
        {"another name",
         {.base_url = url("https"), .ca_certificate = ca.certificate},
         "TLS is refused: certificate verify failed"},
        {"a plain client at a TLS port", {.base_url = url("http")}, ""},
    };
    for (const auto& c : cases) {
        client(c.settings);
        const auto error = failure({.target = "/"});
        EXPECT_NE(error.message.find(c.message), std::string::npos) << c.reason << ": " << error.message;
        if (*c.message == '\0') continue;
        EXPECT_EQ(error.error_class, ErrorClass::unreachable) << c.reason;
        EXPECT_FALSE(error.outcome_unknown) << c.reason;
    }
    EXPECT_EQ(seen_.size(), 1U);
}

// --- against bad servers

TEST_F(HttpClientTest, WhatIsNoUrlIsRefused) {
    for (const auto* url : {"", "/only/a/path", "ftp://example.org", "http://", "http://u:p@example.org",
                            "http://:01:/", "http://example.org:99999", "http://example.org/?a=b"}) {
        const auto made = make_http_client(loop_.executor(), loop_.clock(), metrics_, {.base_url = url});
        ASSERT_FALSE(made) << url;
        EXPECT_EQ(made.error().error_class, ErrorClass::invalid) << url;
    }
}

TEST_F(HttpClientTest, NobodyThereIsUnreachable) {
    struct {
        const char* reason;
        std::string url;
        const char* message;
    } const cases[] = {
        {"nobody listens", "http://127.0.0.1:" + std::to_string(test::free_port()), "nothing accepts connections"},
        {"no such name", "http://host.invalid", "its name is unknown"},
    };
    for (const auto& c : cases) {
        client({.base_url = c.url});
        const auto error = failure({.method = "POST", .target = "/"});
        EXPECT_EQ(error.error_class, ErrorClass::unreachable) << c.reason << ": " << error.message;
        EXPECT_FALSE(error.outcome_unknown) << c.reason;
        EXPECT_NE(error.message.find(c.message), std::string::npos) << c.reason << ": " << error.message;
    }
}

TEST_F(HttpClientTest, ABrokenReplyLeavesTheOutcomeUnknown) {
    struct {
        const char* reason;
        std::string reply;
    } const cases[] = {
        {"closes without a word", ""},
        {"closes in the head", "HTTP/1.1 200 OK\r\nContent-Le"},
        {"closes in the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"},
        {"closes in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
        {"closes before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"},
        {"a chunk of no size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"},
        {"a chunk of negative size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n"},
        {"garbage", "\x16\x03\x01 what? \r\n\r\n\r\n"},
        {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
        {"an interim reply as the only one", "HTTP/1.1 103 Early Hints\r\n\r\n"},
    };
    for (const auto& c : cases) {
        ScriptedPeer peer([&](RawSocket& socket, int) {
            (void)socket.read_until("\r\n\r\n");
            socket.send(c.reply);
        });
        client({.base_url = peer.url()});
        const auto error = failure({.method = "POST", .target = "/", .body = "x"});
        EXPECT_EQ(error.error_class, ErrorClass::transient) << c.reason << ": " << error.message;
        EXPECT_TRUE(error.outcome_unknown) << c.reason;
        EXPECT_EQ(peer.connections(), 1) << c.reason << ": a POST is sent once";
        client_.reset();
    }
}

TEST_F(HttpClientTest, ATooLargeReplyIsRefusedBeforeItIsRead) {
    const std::string block(1024 * 1024, 'x');
    struct {
        const char* reason;
        std::string head, repeat;
    } const cases[] = {
        {"a large length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", block},
        {"no length and no end", "HTTP/1.1 200 OK\r\n\r\n", block},
        {"chunks without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "100000\r\n" + block + "\r\n"},
        {"one huge chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", block},
        {"a head without end", "HTTP/1.1 200 OK\r\nX: ", block},
    };
    for (const auto& c : cases) {
        std::atomic<std::size_t> sent = 0;
        ScriptedPeer peer([&](RawSocket& socket, int) {
            (void)socket.read_until("\r\n\r\n");
            socket.send(c.head);
            while (sent < 400 && socket.send(c.repeat)) ++sent;
        });
        client({.base_url = peer.url()});
        const auto error = failure({.target = "/"});
        EXPECT_TRUE(error.error_class == ErrorClass::unreachable || error.error_class == ErrorClass::transient)
            << c.reason << ": " << error.message;
        EXPECT_TRUE(error.outcome_unknown) << c.reason;
        client_.reset();
        EXPECT_LT(sent, 100U) << c.reason << ": MiB taken";
    }
    ScriptedPeer peer([&](RawSocket& socket, int) {
        (void)socket.read_until("\r\n\r\n");
        socket.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(50 * block.size()) + "\r\n\r\n");
        for (int i = 0; i < 50; ++i) socket.send(block);
    });
    client({.base_url = peer.url()});
    EXPECT_EQ(send({.target = "/"})->body.size(), 50 * block.size()) << "a large zone fits";
}

TEST_F(HttpClientTest, AStallEndsAtTheDeadline) {
    struct {
        const char* reason;
        std::string scheme, reply;
        ErrorClass error_class;
        bool outcome_unknown;
    } const cases[] = {
        {"says nothing", "http", "", ErrorClass::transient, true},
        {"stops in the head", "http", "HTTP/1.1 200 OK\r\n", ErrorClass::transient, true},
        {"stops in the body", "http", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ErrorClass::transient, true},
        {"no TLS handshake: nothing was sent", "https", "", ErrorClass::unreachable, false},
    };
    for (const auto& c : cases) {
        ScriptedPeer peer([&](RawSocket& socket, int) {
            if (c.scheme == "http") (void)socket.read_until("\r\n\r\n");
            socket.send(c.reply);
            (void)socket.read_all();
        });
        client({.base_url = c.scheme + "://127.0.0.1:" + std::to_string(peer.port()), .timeout = Duration(300)});
        const auto begin = loop_.clock().now();
        const auto error = failure({.method = "POST", .target = "/", .body = "x"});
        EXPECT_LT(loop_.clock().now() - begin, 3s) << c.reason;
        EXPECT_EQ(error.error_class, c.error_class) << c.reason << ": " << error.message;
        EXPECT_EQ(error.outcome_unknown, c.outcome_unknown) << c.reason << ": " << error.message;
        client_.reset();
    }
}

TEST_F(HttpClientTest, ADripIsNoProgress) {
    ScriptedPeer peer([&](RawSocket& socket, int) {
        (void)socket.read_until("\r\n\r\n");
        socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (socket.send("x")) (void)socket.read_some(20ms);
    });
    client({.base_url = peer.url(), .timeout = Duration(500)});
    const auto begin = loop_.clock().now();
    EXPECT_TRUE(failure({.target = "/"}).outcome_unknown);
    EXPECT_LT(loop_.clock().now() - begin, 4s) << "the deadline is for the whole call";
    client_.reset();
}

/// Serves one request, keeps the connection, and closes it when the next request arrives on it.
void serve_one_then_close(RawSocket& socket, std::vector<std::string>& requests, std::mutex& mutex) {
    for (int n = 0; n < 2; ++n) {
        const auto head = socket.read_until("\r\n\r\n");
        if (head.empty()) return;
        const std::lock_guard lock(mutex);
        requests.push_back(head.substr(0, head.find(' ')));
        if (n == 0) socket.send(ok("first"));
    }
}

TEST_F(HttpClientTest, WhatMustNotHappenTwiceDoesNot) {
    std::mutex mutex;
    for (const bool once : {false, true}) {
        std::vector<std::string> requests;
        ScriptedPeer peer([&](RawSocket& socket, int) { serve_one_then_close(socket, requests, mutex); });
        client({.base_url = peer.url()});
        ASSERT_TRUE(send({.target = "/"}));
        ASSERT_TRUE(send({.method = "POST", .target = "/"})) << "on a connection of its own";
        ASSERT_TRUE(send({.method = "DELETE", .target = "/", .once = once}));
        client_.reset();
        const std::lock_guard lock(mutex);
        const std::vector<std::string> with_replay{"GET", "POST", "DELETE", "DELETE"};
        const std::vector<std::string> without{"GET", "POST", "DELETE"};
        EXPECT_EQ(requests, once ? without : with_replay) << "a repeatable request is repeated by the library";
    }
}

TEST_F(HttpClientTest, AnInterimReplyDoesNotShiftTheNextOnes) {
    ScriptedPeer peer([&](RawSocket& socket, int number) {
        if (socket.read_until("\r\n\r\n").empty()) return;
        socket.send(number == 0 ? "HTTP/1.1 103 Early Hints\r\n\r\n" : ok("right"));
        if (!socket.read_until("\r\n\r\n").empty()) socket.send(ok("late"));
    });
    client({.base_url = peer.url()});
    EXPECT_EQ(failure({.target = "/"}).error_class, ErrorClass::transient);
    const auto next = send({.target = "/"});
    client_.reset();
    ASSERT_TRUE(next) << next.error().message;
    EXPECT_EQ(next->body, "right");
}

TEST_F(HttpClientTest, EndsAtOnceWhenCancelled) {
    std::atomic<int> asked = 0, closed = 0;
    ScriptedPeer peer([&](RawSocket& socket, int) {
        (void)socket.read_until("\r\n\r\n");
        ++asked;
        (void)socket.read_all();
        ++closed;
    });
    client({.base_url = peer.url()});
    TaskGroup tasks(loop_.executor());
    const auto call = [](HttpClient& on) -> awaitable<void> {
        HttpRequest request{.target = "/"};
        (void)co_await on.send(std::move(request));
    };
    tasks.spawn("call", call(*client_));
    const auto until_asked = [](Clock& clock, std::atomic<int>& count) -> awaitable<void> {
        while (count == 0) co_await clock.sleep(Duration(5));
    };
    loop_.run(until_asked(loop_.clock(), asked));
    const auto begin = loop_.clock().now();
    loop_.run(tasks.stop());
    EXPECT_LT(loop_.clock().now() - begin, 500ms);
    client_.reset();
    EXPECT_TRUE(test::wait_for([&] { return closed == 1; })) << "the peer sees it go";
}

TEST_F(HttpClientTest, SendsNothingThatCouldBeReadOtherwise) {
    ScriptedPeer peer([](RawSocket&, int) {});
    client({.base_url = peer.url()});
    struct {
        const char* reason;
        HttpRequest request;
    } const cases[] = {
        {"a newline in the path", {.target = "/a\r\nX: y"}},
        {"a space in the path", {.target = "/a b"}},
        {"a NUL in the path", {.target = std::string("/a\0b", 4)}},
        {"a fragment", {.target = "/a#b"}},
        {"bytes that are not encoded", {.target = "/ü"}},
        {"another host", {.target = "//elsewhere/x"}},
        {"not a path", {.target = "elsewhere"}},
        {"a malformed percent code is the library's to refuse", {.target = "/%zz\x7f"}},
        {"a newline in a header", {.target = "/", .headers = {{"X", "a\r\nY: b"}}}},
        {"a newline in a header's name", {.target = "/", .headers = {{"X\r\nY", "a"}}}},
        {"a newline in a secret", {.target = "/", .secret_headers = {{"X", Secret("s3cret\n")}}}},
        {"a newline in the content type", {.target = "/", .body = "x", .content_type = "a\nb"}},
        {"a method of two words", {.method = "GET /x", .target = "/"}},
    };
    for (const auto& c : cases) {
        const auto error = failure(c.request);
        EXPECT_EQ(error.error_class, ErrorClass::invalid) << c.reason << ": " << error.message;
        EXPECT_FALSE(error.outcome_unknown) << c.reason;
        EXPECT_EQ(error.message.find("s3cret"), std::string::npos) << c.reason;
    }
    EXPECT_EQ(peer.connections(), 0);
}

TEST_F(HttpClientTest, RefusesUrlsItCannotServe) {
    for (const char* bad :
         {"", "host", "ftp://host", "https://", "https://user@host", "https://user:pw@host/x", "http://host/x?y",
          "http://host/#x", "http://[::1]:80", "http://host:99999", "http://ho st"}) {
        const auto made = make_http_client(loop_.executor(), loop_.clock(), metrics_, {.base_url = bad});
        ASSERT_FALSE(made) << bad;
        EXPECT_EQ(made.error().error_class, ErrorClass::invalid) << bad;
        EXPECT_EQ(made.error().message.find("pw"), std::string::npos);
    }
}

}  // namespace
}  // namespace ocim::net
