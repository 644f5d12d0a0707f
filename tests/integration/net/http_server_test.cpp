#include "net/http_server.hpp"

#include "base/async.hpp"
#include "base/limits.hpp"
#include "net/tls.hpp"
#include "support/raw_socket.hpp"
#include "support/service.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <filesystem>

namespace ocim::net {
namespace {

using namespace std::chrono_literals;
using test::RawSocket;
using test::write_file;
namespace fs = std::filesystem;

/// One server with a handler that does what the path says. The peers are blocking programs: they run on `pool_`.
class HttpServerTest : public ::testing::Test {
protected:
    enum class With { plain, tls };

    void start(With with, ServerSettings settings = {}) {
        if (with == With::tls) settings.tls = make_identity();
        scheme_ = with == With::tls ? "https" : "http";
        settings.refusal = [](unsigned status, std::string_view reason) {
            return ServerReply{status,
                               {{"Content-Type", "application/json"}},
                               "{\"kind\":\"Status\",\"code\":" + std::to_string(status) + ",\"message\":\"" +
                                   std::string(reason) + "\"}"};
        };
        auto opened = serve(
            loop_.executor(), loop_.clock(), std::move(settings),
            [this](ServerRequest request, Responder& responder) { return handle(std::move(request), responder); });
        ASSERT_TRUE(opened) << opened.error().message;
        server_ = *std::move(opened);
    }
    void TearDown() override {
        if (server_) loop_.run(server_->stop(loop_.clock().now()));
    }

    TlsSettings make_identity() {
        const auto now = loop_.clock().wall();
        const auto ca = *make_ca("test CA", now);
        const auto stranger = *make_ca("another CA", now);
        const auto own = *issue_certificate(
            ca, {.common_name = "server", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}, .server = true},
            now);
        const auto admin =
            *issue_certificate(ca, {.common_name = "admin", .organizations = {"system:masters", "ops"}}, now);
        const auto nobody = *issue_certificate(stranger, {.common_name = "admin"}, now);
        write_file(directory_.file("ca.pem"), ca.certificate);
        write_file(directory_.file("admin.pem"), admin.certificate + admin.private_key.reveal());
        write_file(directory_.file("stranger.pem"), nobody.certificate + nobody.private_key.reveal());
        write_file(directory_.file("server.pem"), own.certificate + own.private_key.reveal());
        return {own.certificate, own.private_key, ca.certificate};
    }

    awaitable<void> handle(ServerRequest request, Responder& responder) {
        ++begun_;
        struct Ended {
            int& count;
            ~Ended() { ++count; }
        } const ended{ended_};
        const std::string path = request.path;
        const std::multimap<std::string, std::string> plain;
        if (path == "/stream" || path == "/endless" || path == "/broken") {
            co_await responder.start_stream(200, plain);
            for (int i = 0; path == "/endless" || i < 3; ++i) {
                std::string line = "line " + std::to_string(i) + "\n";
                const bool there = co_await responder.write(std::move(line));
                if (!there) co_return;
                if (path == "/endless") co_await loop_.clock().sleep(Duration(10));
            }
            if (path == "/broken") throw std::runtime_error("the handler's fault");
            co_await responder.finish();
            co_return;
        }
        if (path == "/flood") {
            co_await responder.start_stream(200, plain);
            for (;;) {
                std::string some(16 * 1024, 'x');
                const bool there = co_await responder.write(std::move(some));
                if (!there) co_return;
            }
        }
        if (path == "/rush") {
            co_await responder.start_stream(200, plain);
            for (const auto& piece : rush()) {
                if (responder.write_now(piece)) {
                    ++at_once_;
                    continue;
                }
                ++waited_;
                std::string copy(piece);
                const bool there = co_await responder.write(std::move(copy));
                if (!there) co_return;
            }
            co_await responder.finish();
            co_return;
        }
        if (path == "/silent") co_return;
        if (path == "/throw") throw std::runtime_error("the handler's fault");
        if (path == "/wait") co_await release_.wait();
        ServerReply reply;
        reply.headers.emplace("Content-Type", "text/plain");
        reply.headers.emplace("X-Split", "one\r\nSet-Cookie: two");
        reply.body = request.method + " " + request.path + "?" + request.query + " " +
                     std::to_string(request.body.size()) + " " + std::string(request.header("x-test"));
        if (request.peer_refused) reply.body += " refused";
        if (request.peer) {
            reply.body += " peer=" + request.peer->common_name;
            for (const auto& organization : request.peer->organizations) reply.body += "," + organization;
        }
        if (path == "/large") reply.body.assign(20 * 1024 * 1024, 'y');
        if (path == "/empty") reply = {204, {}, "must not be sent"};
        co_await responder.reply(std::move(reply));
    }

    /// More than the kernel takes for a slow reader, in pieces of all sizes.
    static std::vector<std::string> rush() {
        std::vector<std::string> out;
        for (std::size_t i = 0; i < 3'000; ++i)
            out.push_back(std::string(1 + i * 37 % 20'000, static_cast<char>('a' + i % 26)) + "\n");
        return out;
    }

    /// Runs `work` beside the loop and returns what it returned.
    template <class F>
    auto beside(F work) {
        return loop_.run(in_pool(std::move(work)));
    }
    template <class F>
    awaitable<decltype(std::declval<F>()())> in_pool(F work) {
        using T = decltype(work());
        auto wrapped = [work = std::move(work)]() mutable -> Result<T> { return work(); };
        auto done = co_await pool_.call(std::move(wrapped));
        co_return *std::move(done);
    }
    test::Ran curl(std::vector<std::string> words, const std::string& path) {
        std::vector<std::string> command{"curl", "-sS", "--max-time", "30"};
        if (scheme_ == "https") command.insert(command.end(), {"--cacert", directory_.file("ca.pem")});
        command.insert(command.end(), words.begin(), words.end());
        command.push_back(scheme_ + "://127.0.0.1:" + std::to_string(server_->port()) + path);
        return beside([command] { return test::run_program(command); });
    }
    /// Sends text and returns all that comes until the server closes.
    std::string say(std::string text) {
        const auto port = server_->port();
        return beside([port, text = std::move(text)] {
            auto socket = RawSocket::connect(port);
            socket.send(text);
            return socket.read_all();
        });
    }
    /// Waits on the loop until `condition` holds.
    template <class Condition>
    bool eventually(Condition condition) {
        return loop_.run(until(std::move(condition)));
    }
    template <class Condition>
    awaitable<bool> until(Condition condition) {
        const auto deadline = loop_.clock().now() + 20s;
        while (!condition()) {
            if (loop_.clock().now() > deadline) co_return false;
            co_await loop_.clock().sleep(Duration(5));
        }
        co_return true;
    }

    test::TempDir directory_;
    test::RealLoop loop_;
    BlockingPool pool_{loop_.executor(), "peers", 8, 8};
    std::unique_ptr<HttpServer> server_;
    std::string scheme_;
    Signal release_;
    int begun_ = 0, ended_ = 0;
    int at_once_ = 0, waited_ = 0;
};

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
    return found;
}

// --- with curl

TEST_F(HttpServerTest, AnswersOverPlainHttp) {
    start(With::plain);
    const auto ran = curl({"-i", "-H", "X-Test: yes"}, "/a%2Fb?c=d%20e");
    EXPECT_EQ(ran.output.substr(0, 15), "HTTP/1.1 200 OK") << ran.output;
    EXPECT_NE(ran.output.find("\r\n\r\nGET /a%2Fb?c=d%20e 0 yes"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("\r\nDate: "), std::string::npos);
    EXPECT_NE(ran.output.find("X-Split: one  Set-Cookie: two\r\n"), std::string::npos)
        << "a header's value cannot start another header";
}

TEST_F(HttpServerTest, KnowsAClientByItsCertificate) {
    start(With::tls);
    EXPECT_EQ(curl({"-E", directory_.file("admin.pem")}, "/").output, "GET /? 0  peer=admin,system:masters,ops");
    EXPECT_EQ(curl({}, "/").output, "GET /? 0 ") << "a certificate is not required";
    EXPECT_EQ(curl({"-E", directory_.file("stranger.pem")}, "/").output, "GET /? 0  refused")
        << "another CA's word counts nothing";
    EXPECT_EQ(curl({"-E", directory_.file("server.pem")}, "/").output, "GET /? 0  refused")
        << "a server's certificate is no client";
    EXPECT_EQ(curl({"-E", directory_.file("stranger.pem"), "--tls-max", "1.2"}, "/").output, "GET /? 0  refused");
    EXPECT_EQ(curl({"-E", directory_.file("admin.pem"), "--tls-max", "1.2"}, "/").output,
              "GET /? 0  peer=admin,system:masters,ops");
    EXPECT_NE(curl({"--tls-max", "1.1", "--tlsv1.0", "--ciphers", "DEFAULT@SECLEVEL=0"}, "/").exit_code, 0);
}

TEST_F(HttpServerTest, ShowsANewCertificateToNewConnections) {
    start(With::tls);
    EXPECT_EQ(curl({}, "/").exit_code, 0);
    const auto before = directory_.file("before.pem");
    fs::copy_file(directory_.file("ca.pem"), before);
    const auto renewed = server_->renew(make_identity());  // of a new CA, whose certificate is in ca.pem now
    ASSERT_TRUE(renewed) << renewed.error().message;
    EXPECT_EQ(curl({}, "/").exit_code, 0);
    EXPECT_NE(curl({"--cacert", before}, "/").exit_code, 0) << "the old one is shown to nobody";
    EXPECT_FALSE(server_->renew({"nonsense", Secret("nonsense")}));
    EXPECT_EQ(curl({}, "/").exit_code, 0) << "what is no certificate changes nothing";
}

TEST_F(HttpServerTest, SpeaksOnlyHttp1) {
    start(With::tls);
    EXPECT_EQ(curl({"--http2", "-o", "/dev/null", "-w", "%{http_version}"}, "/").output, "1.1");
    const auto port = std::to_string(server_->port());
    const auto ran = beside(
        [port] { return test::run_program({"openssl", "s_client", "-connect", "127.0.0.1:" + port, "-alpn", "h2"}); });
    EXPECT_NE(ran.output.find("no application protocol"), std::string::npos) << ran.output;
}

TEST_F(HttpServerTest, StreamsChunks) {
    for (const auto with : {With::plain, With::tls}) {
        start(with);
        const auto ran = curl({"-i", "--raw"}, "/stream");
        EXPECT_NE(ran.output.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << ran.output;
        EXPECT_NE(ran.output.find("\r\n\r\n7\r\nline 0\n\r\n7\r\nline 1\n\r\n7\r\nline 2\n\r\n0\r\n\r\n"),
                  std::string::npos)
            << ran.output;
        EXPECT_NE(curl({}, "/broken").exit_code, 0) << "a stream broken off must not pass for a whole one";
        loop_.run(server_->stop(loop_.clock().now()));
        server_.reset();
    }
}

TEST_F(HttpServerTest, WhatIsWrittenAtOnceComesInOrderToASlowReader) {
    std::string all;
    for (const auto& piece : rush()) all += piece;
    for (const auto with : {With::plain, With::tls}) {
        start(with);
        at_once_ = waited_ = 0;
        const auto got = curl({"--limit-rate", "40M"}, "/rush");
        EXPECT_EQ(got.exit_code, 0);
        EXPECT_TRUE(got.output == all) << got.output.size() << " of " << all.size() << " bytes";
        EXPECT_GT(at_once_, 0);
        EXPECT_GT(waited_, 0) << "the reader was never slow";
        loop_.run(server_->stop(loop_.clock().now() + 1s));
        server_.reset();
    }
}

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
    start(With::tls);
    const std::string next = "https://127.0.0.1:" + std::to_string(server_->port()) + "/two";
    const auto ran = curl({"-w", "\n%{num_connects}\n", next}, "/three");
    EXPECT_EQ(ran.output, "GET /two? 0 \n1\nGET /three? 0 \n0\n");
}

TEST_F(HttpServerTest, RefusesALargeBodyBeforeOrWhileItComes) {
    write_file(directory_.file("body"), std::string(10 * 1024 * 1024, 'b'));
    for (const auto with : {With::plain, With::tls}) {
        start(with);
        const std::string file = "@" + directory_.file("body");
        const std::string wanted =
            "{\"kind\":\"Status\",\"code\":413,\"message\":\"Request entity too large: limit is 3145728\"}";
        struct {
            const char* reason;
            std::vector<std::string> how;
        } const cases[] = {
            {"asks first", {"-H", "Expect: 100-continue"}},
            {"just sends", {"-H", "Expect:"}},
            {"does not say how much", {"-H", "Expect:", "-H", "Transfer-Encoding: chunked"}},
        };
        for (const auto& c : cases) {
            auto words = c.how;
            words.insert(words.end(), {"--data-binary", file});
            EXPECT_EQ(curl(words, "/").output, wanted) << c.reason;
        }
        EXPECT_EQ(begun_, 0) << "no handler was bothered";
        EXPECT_EQ(curl({}, "/after").output, "GET /after? 0 ");
        begun_ = 0;
        loop_.run(server_->stop(loop_.clock().now()));
        server_.reset();
    }
}

TEST_F(HttpServerTest, TakesABodyOfEveryKind) {
    write_file(directory_.file("body"), std::string(3 * 1024 * 1024, 'b'));
    start(With::tls);
    const std::string file = "@" + directory_.file("body");
    EXPECT_EQ(curl({"--data-binary", file, "-H", "Expect: 100-continue"}, "/").output, "POST /? 3145728 ");
    EXPECT_EQ(curl({"-X", "PUT", "--data-binary", file, "-H", "Transfer-Encoding: chunked"}, "/").output,
              "PUT /? 3145728 ");
    EXPECT_EQ(curl({"-X", "DELETE"}, "/").output, "DELETE /? 0 ");
    EXPECT_EQ(curl({"-X", "PATCH", "-d", "x"}, "/").output, "PATCH /? 1 ");
}

TEST_F(HttpServerTest, GivesHeadersOnlyToHead) {
    start(With::plain);
    const auto whole = curl({"-I"}, "/x").output;
    EXPECT_NE(whole.find("Content-Length: 11\r\n"), std::string::npos) << whole;
    EXPECT_TRUE(whole.ends_with("\r\n\r\n")) << whole;
    EXPECT_TRUE(curl({"-I"}, "/stream").output.ends_with("\r\n\r\n"));
    const auto empty = curl({"-i"}, "/empty").output;
    EXPECT_EQ(empty.find("Content-Length"), std::string::npos) << "204 has no body: " << empty;
    EXPECT_TRUE(empty.ends_with("\r\n\r\n")) << empty;
}

TEST_F(HttpServerTest, SendsALargeReplyWhole) {
    start(With::tls);
    EXPECT_EQ(curl({"-o", "/dev/null", "-w", "%{size_download}"}, "/large").output, "20971520");
}

// --- with peers that speak by hand

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
    start(With::plain);
    const auto said =
        say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_LT(said.find("GET /1? 0"), said.find("POST /2? 3")) << said;
    EXPECT_LT(said.find("POST /2? 3"), said.find("GET /3? 0")) << said;
    EXPECT_EQ(said.find("/4"), std::string::npos) << "nothing is served after close";
    EXPECT_EQ(count(said, "Connection: close"), 1U);
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
    start(With::plain);
    const std::string long_line(limits::header_bytes_max + 1, 'a');
    struct {
        const char* reason;
        std::string request;
        const char* status;
    } const cases[] = {
        {"no HTTP at all", "hello\r\n\r\n", "400"},
        {"a TLS client at a plain port", "\x16\x03\x01\x02\x03\x01\x02\x03\r\n\r\n", "400"},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", "400"},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"two Hosts of an old client", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"a space before a colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
        {"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
        {"a length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400"},
        {"not a number", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"},
        {"a chunk of no size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"a huge length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n", "413"},
        {"a target that is no path", "GET example HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"a line without end", "GET / HTTP/1.1\r\nHost: a\r\nX: " + long_line, "431"},
        {"another expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\na", "417"},
    };
    for (const auto& c : cases) {
        const auto said = say(c.request);
        EXPECT_EQ(said.substr(0, 12), std::string("HTTP/1.1 ") + c.status) << c.reason << ": " << said;
        EXPECT_NE(said.find("\"kind\":\"Status\""), std::string::npos) << c.reason;
    }
    EXPECT_EQ(begun_, 0);
}

TEST_F(HttpServerTest, ServesOldAndOddClients) {
    start(With::plain);
    EXPECT_NE(say("GET http://elsewhere/abs?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").find("GET /abs?q 0"),
              std::string::npos);
    const auto old = say("GET /stream HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(old.ends_with("\r\n\r\nline 0\nline 1\nline 2\n")) << "no chunks for HTTP/1.0: " << old;
    EXPECT_NE(say("GET /old HTTP/1.0\r\n\r\n").find("GET /old? 0"), std::string::npos);
}

TEST_F(HttpServerTest, AHandlersFaultIsA500) {
    start(With::plain);
    for (const char* path : {"/throw", "/silent"}) {
        const auto said = curl({"-i"}, path).output;
        EXPECT_EQ(said.substr(0, 12), "HTTP/1.1 500") << said;
        EXPECT_EQ(said.find("fault"), std::string::npos) << "what went wrong inside is for the log";
    }
}

TEST_F(HttpServerTest, CutsAClientThatIsSlowToAsk) {
    start(With::plain, {.request_timeout = Duration(1000)});
    const auto port = server_->port();
    EXPECT_TRUE(beside([port] {
        auto socket = RawSocket::connect(port);
        for (int i = 0; i < 100; ++i) {
            if (!socket.send(i == 0 ? "GET / HTTP/1.1\r\nX-Slow: " : "a")) return true;
            if (socket.read_some(100ms).empty() && !socket.timed_out()) return true;
        }
        return false;
    })) << "a letter every 100 ms keeps nobody";
    EXPECT_EQ(begun_, 0);
}

TEST_F(HttpServerTest, TellsAClientThatIsSlowToAsk) {
    for (const auto with : {With::plain, With::tls}) {
        SCOPED_TRACE(static_cast<int>(with));
        start(with, {.request_timeout = Duration(1000)});
        // a body that does not end while curl waits for the answer
        const auto ca = with == With::tls ? " --cacert " + directory_.file("ca.pem") : std::string();
        const auto command = "sleep 4 | curl -sS -i --max-time 30 -T - -H 'Expect:'" + ca + " " + scheme_ +
                             "://127.0.0.1:" + std::to_string(server_->port()) + "/x";
        const auto ran = beside([command] { return test::run_program({"sh", "-c", command}); });
        EXPECT_NE(ran.output.find("HTTP/1.1 408 Request Timeout"), std::string::npos) << ran.output;
        EXPECT_NE(ran.output.find("The request took too long to arrive"), std::string::npos) << ran.output;
        EXPECT_EQ(begun_, 0);
        EXPECT_EQ(curl({}, "/").exit_code, 0) << "others are served";
        begun_ = 0;
        loop_.run(server_->stop(loop_.clock().now()));
        server_.reset();
    }
}

TEST_F(HttpServerTest, CancelsTheHandlerWhenTheClientGoes) {
    start(With::plain);
    const auto port = server_->port();
    for (const char* path : {"/wait", "/endless"}) {
        SCOPED_TRACE(path);
        begun_ = ended_ = 0;
        const std::string request = std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
        std::optional<RawSocket> socket;
        socket.emplace(RawSocket::connect(port));
        socket->send(request);
        ASSERT_TRUE(eventually([&] { return begun_ == 1; }));
        EXPECT_EQ(ended_, 0);
        socket.reset();
        EXPECT_TRUE(eventually([&] { return ended_ == 1; }));
    }
}

TEST_F(HttpServerTest, CutsAReaderThatDoesNotRead) {
    start(With::plain, {.write_stall = Duration(500)});
    auto socket = RawSocket::connect(server_->port());
    socket.send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return begun_ == 1; }));
    const auto begin = loop_.clock().now();
    EXPECT_TRUE(eventually([&] { return ended_ == 1; })) << "its write says so and the handler ends";
    EXPECT_GT(loop_.clock().now() - begin, 500ms);
}

TEST_F(HttpServerTest, RefusesMoreConnectionsThanAllowed) {
    start(With::plain, {.connections_max = 2});
    const auto port = server_->port();
    auto one = RawSocket::connect(port);
    auto two = RawSocket::connect(port);
    one.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    two.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return begun_ == 2; }));
    EXPECT_TRUE(beside([port] { return RawSocket::connect(port).closes_within(10s); }));
    one.close();
    EXPECT_TRUE(eventually([&] { return ended_ == 1; }));
    EXPECT_EQ(curl({}, "/again").output, "GET /again? 0 ") << "there is room again";
    release_.notify();
}

TEST_F(HttpServerTest, StopsWhenRequestsInFlightHaveEnded) {
    start(With::plain);
    const auto port = server_->port();
    auto idle = RawSocket::connect(port);
    auto busy = RawSocket::connect(port);
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return begun_ == 1; }));
    TaskGroup tasks(loop_.executor());
    bool stopped = false;
    const auto stop = [](HttpServer& server, Instant deadline, bool& done) -> awaitable<void> {
        co_await server.stop(deadline);
        done = true;
    };
    tasks.spawn("stop", stop(*server_, loop_.clock().now() + 30s, stopped));
    EXPECT_TRUE(beside([&idle] { return idle.closes_within(10s); })) << "an idle connection goes at once";
    EXPECT_FALSE(stopped);
    EXPECT_THROW(RawSocket::connect(port), std::runtime_error) << "no new connection";
    release_.notify();
    const auto said = beside([&busy] { return busy.read_all(); });
    EXPECT_NE(said.find("GET /wait"), std::string::npos) << said;
    EXPECT_NE(said.find("Connection: close"), std::string::npos) << said;
    EXPECT_TRUE(eventually([&] { return stopped; }));
    loop_.run(tasks.join());
    server_.reset();
}

TEST_F(HttpServerTest, CutsWhatIsStillRunningAtTheDeadline) {
    start(With::plain);
    auto busy = RawSocket::connect(server_->port());
    busy.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return begun_ == 1; }));
    loop_.run(server_->stop(loop_.clock().now() + 200ms));
    EXPECT_EQ(ended_, 1);
    server_.reset();
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
    start(With::plain);
    const auto handler = [](ServerRequest, Responder&) -> awaitable<void> { co_return; };
    const auto port = server_->port();
    EXPECT_EQ(serve(loop_.executor(), loop_.clock(), {.port = port}, handler).error(),
              (Error{ErrorClass::conflict, "127.0.0.1:" + std::to_string(port) + " is taken by another program"}));
    EXPECT_EQ(serve(loop_.executor(), loop_.clock(), {.address = "nowhere"}, handler).error().error_class,
              ErrorClass::invalid);
    ServerSettings bad;
    bad.tls = TlsSettings{"x", Secret("y"), "z"};
    EXPECT_EQ(serve(loop_.executor(), loop_.clock(), bad, handler).error(),
              (Error{ErrorClass::invalid, "tls: the certificate is not PEM"}));
}

}  // namespace
}  // namespace ocim::net
