#include "apiserver/server.hpp"
#include "store/store.hpp"
#include "support/raw_socket.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::apiserver {
namespace {

using namespace std::chrono_literals;
using test::RawSocket;

/// The API on a real socket, without TLS so that every byte can be chosen. The peers are blocking: they run on `pool_`.
class AbuseTest : public testing::Test {
protected:
    void SetUp() override {
        loop_.run(start());
        net::ServerSettings settings;
        settings.refusal = wire_refusal;
        settings.request_timeout = 2'000ms;
        auto served = net::serve(loop_.executor(), loop_.clock(), std::move(settings), server_.handler());
        ASSERT_TRUE(served) << served.error().message;
        listener_ = *std::move(served);
    }
    void TearDown() override {
        if (listener_) loop_.run(listener_->stop(loop_.clock().now()));
        loop_.run(store_.stop());
    }
    awaitable<void> start() {
        const auto loaded = co_await store_.load();
        EXPECT_TRUE(loaded);
        const auto started = co_await registry_.start();
        EXPECT_TRUE(started);
        const auto roles = co_await install_policy(registry_);
        EXPECT_TRUE(roles);
    }

    /// What comes back for these bytes.
    std::string said(const std::string& bytes) { return loop_.run(talk(bytes)); }
    awaitable<std::string> talk(std::string bytes) {
        auto work = [port = listener_->port(), bytes = std::move(bytes)]() -> Result<std::string> {
            auto peer = RawSocket::connect(port);
            peer.send(bytes);
            ::shutdown(peer.descriptor(), SHUT_WR);
            return peer.read_all();
        };
        auto done = co_await pool_.call(std::move(work));
        co_return *std::move(done);
    }
    /// A whole request as the administrator: its answer's code, 0 when there was none.
    unsigned code(const std::string& line, const std::string& headers = "", const std::string& body = "") {
        auto bytes = line + "\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nConnection: close\r\n" + headers;
        if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        return code_of(said(bytes + "\r\n" + body));
    }
    static unsigned code_of(const std::string& answer) {
        if (!answer.starts_with("HTTP/1.1 ")) return 0;
        return static_cast<unsigned>(std::stoul(answer.substr(9, 3)));
    }
    static std::string map_named(const std::string& name, const std::string& rest = "") {
        return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + "\"}" + rest + "}";
    }
    void expect_well() { EXPECT_EQ(code("GET /readyz HTTP/1.1"), 200U) << "the server is well"; }

    test::RealLoop loop_;
    Metrics metrics_;
    std::unique_ptr<Random> random_ = make_seeded_random(1);
    std::unique_ptr<store::Journal> journal_ = store::open_memory_journal(store::make_memory_disk());
    store::Store store_{loop_.executor(), *journal_, loop_.clock(), metrics_};
    registry::Registry registry_{store_, loop_.clock(), *random_, metrics_, {}};
    BlockingPool pool_{loop_.executor(), "test", 4, 64};
    std::unique_ptr<Authorizer> authorizer_ = make_rbac_authorizer(registry_);
    Authenticator authenticator_{loop_.clock(), nullptr,
                                 *StaticTokens::parse("admin-token,admin,1,system:masters\nother-token,other,2")};
    AuditLog audit_{loop_.executor(), metrics_, *AuditFile::open("/dev/null", {})};
    Health health_;
    Server server_{{registry_,
                    loop_.clock(),
                    *random_,
                    metrics_,
                    pool_,
                    *authorizer_,
                    audit_,
                    health_,
                    "0.0.0",
                    {},
                    &authenticator_}};
    std::unique_ptr<net::HttpServer> listener_;
};

constexpr auto maps = "POST /api/v1/namespaces/default/configmaps HTTP/1.1";

TEST_F(AbuseTest, MalformedRequestsAreRefused) {
    const std::string rest = "\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n";
    const std::string good = "GET /api HTTP/1.1" + rest + "Connection: close\r\n\r\n";
    const struct {
        const char* reason;
        std::string bytes;
        unsigned least, most;  ///< the code
    } cases[] = {
        {"as it should be", good, 200, 200},
        {"both lengths",
         "POST /api HTTP/1.1" + rest + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 499},
        {"two lengths", "POST /api HTTP/1.1" + rest + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, 499},
        {"two lengths in one", "POST /api HTTP/1.1" + rest + "Content-Length: 4, 5\r\n\r\nabcde", 400, 499},
        {"a negative length", "POST /api HTTP/1.1" + rest + "Content-Length: -1\r\n\r\n", 400, 499},
        {"a length with a sign", "POST /api HTTP/1.1" + rest + "Content-Length: +4\r\n\r\nabcd", 400, 499},
        {"a length beyond numbers", "POST /api HTTP/1.1" + rest + "Content-Length: 99999999999999999999\r\n\r\n", 400,
         499},
        {"a length of 1 TB", "POST /api HTTP/1.1" + rest + "Content-Length: 1099511627776\r\n\r\n", 413, 413},
        {"a chunk of very many bytes",
         "POST /api HTTP/1.1" + rest + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", 400, 499},
        {"a chunk that is no number", "POST /api HTTP/1.1" + rest + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400,
         499},
        {"an unknown coding", "POST /api HTTP/1.1" + rest + "Transfer-Encoding: gzip, identity\r\n\r\n", 400, 599},
        {"a space before the colon", "GET /api HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd", 400, 499},
        {"a folded header", "GET /api HTTP/1.1" + rest + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n", 200, 499},
        {"a NUL in a header", "GET /api HTTP/1.1" + rest + std::string("X-A: b\0c\r\n\r\n", 11), 400, 499},
        {"a NUL in the target", std::string("GET /ap\0i HTTP/1.1", 18) + rest + "\r\n", 400, 499},
        {"no host", "GET /api HTTP/1.1\r\nAuthorization: Bearer admin-token\r\n\r\n", 400, 400},
        {"two lengths, though they agree",
         "POST /api HTTP/1.1" + rest + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400, 400},
        {"two hosts", "GET /api HTTP/1.1" + rest + "Host: y\r\n\r\n", 400, 400},
        {"no target", "GET  HTTP/1.1" + rest + "\r\n", 400, 499},
        {"no path", "GET http://x/api HTTP/1.1" + rest + "\r\n", 200, 499},
        {"a space in the target", "GET /api /v1 HTTP/1.1" + rest + "\r\n", 400, 499},
        {"HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 499},
        {"another version", "GET /api HTTP/3.7" + rest + "\r\n", 400, 599},
        {"TLS where none is spoken", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 hello\r\n\r\n", 400, 499},
        {"nothing but noise", std::string(1000, '\xff') + "\r\n\r\n", 400, 499},
        {"a header of 1 MiB", "GET /api HTTP/1.1" + rest + "X-A: " + std::string(1 << 20, 'a') + "\r\n\r\n", 431, 431},
        {"a target of 1 MiB", "GET /" + std::string(1 << 20, 'a') + " HTTP/1.1" + rest + "\r\n", 400, 499},
        {"10,000 headers",
         [&] {
             auto all = "GET /api HTTP/1.1" + rest;
             for (int i = 0; i < 10'000; ++i) all += "X-" + std::to_string(i) + ": b\r\n";
             return all + "\r\n";
         }(),
         431, 431},
        {"a method nobody knows", "BREW /api/v1/namespaces HTTP/1.1" + rest + "Connection: close\r\n\r\n", 400, 499},
        {"TRACE", "TRACE /api/v1/namespaces HTTP/1.1" + rest + "Connection: close\r\n\r\n", 400, 499},
        {"CONNECT", "CONNECT x:443 HTTP/1.1" + rest + "Connection: close\r\n\r\n", 400, 499},
    };
    for (const auto& c : cases) {
        const auto answer = code_of(said(c.bytes));
        EXPECT_TRUE(answer >= c.least && answer <= c.most) << c.reason << ": " << answer;
    }
    expect_well();
}

TEST_F(AbuseTest, ASecondRequestIsNotSmuggledInABody) {
    const std::string rest = "\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n";
    const std::string second = "GET /version HTTP/1.1" + rest + "Connection: close\r\n\r\n";
    const std::string heads[] = {
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: " + std::to_string(second.size()) + "\r\n\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    };
    for (const auto& head : heads) {
        const auto answer = said("POST /api HTTP/1.1" + rest + head + second);
        EXPECT_GE(code_of(answer), 400U) << head;
        EXPECT_EQ(answer.find("gitVersion"), answer.npos) << "two requests of one: " << head;
    }
    expect_well();
}

TEST_F(AbuseTest, PathsMeanOneThing) {
    const struct {
        const char *reason, *target;
        unsigned code;
    } cases[] = {
        {"up and away", "/api/v1/namespaces/default/configmaps/../secrets", 400},
        {"the same, encoded", "/api/v1/namespaces/default/configmaps/%2e%2e/secrets", 400},
        {"here", "/api/v1/namespaces/./configmaps", 400},
        {"an encoded slash is no part of a name", "/api/v1/namespaces/default%2Fconfigmaps", 400},
        {"double encoding is not undone twice", "/api/v1/namespaces/%252e%252e", 404},
        {"an empty segment", "//api/v1/namespaces", 404},
        {"an empty segment within", "/api/v1//namespaces", 404},
        {"no escape", "/api/v1/namespaces/%zz", 400},
        {"half an escape", "/api/v1/namespaces/%4", 400},
        {"a NUL", "/api/v1/namespaces/%00", 400},
        {"not UTF-8", "/api/v1/namespaces/%ff%fe", 400},
        {"overlong UTF-8", "/api/v1/namespaces/%c0%af", 400},
        {"a line break", "/api/v1/namespaces/a%0d%0aSet-Cookie:%20b", 404},
        {"case counts", "/API/V1/namespaces", 404},
        {"a parameter of Java", "/api/v1;x=y/namespaces", 404},
        {"beyond what there is", "/api/v1/namespaces/default/configmaps/a/b/c/d/e", 404},
    };
    for (const auto& c : cases)
        EXPECT_EQ(code("GET " + std::string(c.target) + " HTTP/1.1"), c.code) << c.reason << " " << c.target;
    const auto answer = said(
        "GET /api/v1/namespaces/a%0d%0aSet-Cookie:%20b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        "admin-token\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(answer.find("\r\nSet-Cookie"), answer.npos) << "no header of the client's making";
    expect_well();
}

TEST_F(AbuseTest, BodiesThatAreNoObjectsAreRefused) {
    std::string deep = map_named("deep", ",\"data\":");
    for (int i = 0; i < 5'000; ++i) deep += "{\"a\":";
    const std::string strict = "POST /api/v1/namespaces/default/configmaps?fieldValidation=Strict HTTP/1.1";
    const struct {
        const char *reason, *type;
        std::string line, body;
        unsigned code;
    } cases[] = {
        {"as it should be", "application/json", maps, map_named("good"), 201},
        {"bad UTF-8", "application/json", maps, map_named("bad\xff"), 400},
        {"overlong UTF-8", "application/json", maps, map_named("a", ",\"data\":{\"k\":\"\xc0\xaf\"}"), 400},
        {"half a surrogate", "application/json", maps, map_named("a", R"(,"data":{"k":"\ud800"})"), 400},
        {"a raw NUL", "application/json", maps, std::string(map_named("a").c_str(), 10) + '\0' + "}", 400},
        {"an escaped NUL in a name", "application/json", maps, map_named("a\\u0000b"), 422},
        {"a number beyond numbers", "application/json", maps, R"({"kind":1e999})", 400},
        {"a number of 100,000 digits", "application/json", maps, "{\"kind\":" + std::string(100'000, '9') + "}", 400},
        {"not a number", "application/json", maps, R"({"kind":NaN})", 400},
        {"keys that come twice", "application/json", strict, map_named("a", R"(,"data":{},"data":{})"), 400},
        {"nesting of 5,000", "application/json", maps, deep, 400},
        {"two values", "application/json", maps, map_named("a") + map_named("b"), 400},
        {"a comma too many", "application/json", maps, R"({"kind":"ConfigMap",})", 400},
        {"a comment", "application/json", maps, "/* */" + map_named("a"), 400},
        {"a byte order mark", "application/json", maps, "\xef\xbb\xbf" + map_named("a"), 400},
        {"protobuf that is none", "application/vnd.kubernetes.protobuf", maps, "k8s", 400},
        {"protobuf cut off", "application/vnd.kubernetes.protobuf", maps, std::string("k8s\0\xff\xff\xff\xff", 8), 400},
        {"bombs of YAML", "application/yaml", maps,
         "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
         "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d "
         "[*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
         400},
        {"bytes compressed without asking", "application/json", maps, "\x1f\x8b\x08 noise", 400},
    };
    for (const auto& c : cases)
        EXPECT_EQ(code(c.line, "Content-Type: " + std::string(c.type) + "\r\n", c.body), c.code) << c.reason;
    expect_well();
}

TEST_F(AbuseTest, WhoSendsSlowlyIsCutOff) {
    auto work = [port = listener_->port()]() -> Result<bool> {
        auto slow = RawSocket::connect(port);
        slow.send("POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
        return slow.closes_within(10'000ms);
    };
    auto call = [&]() -> awaitable<bool> {
        auto done = co_await pool_.call(std::move(work));
        co_return done && *done;
    };
    EXPECT_TRUE(loop_.run(call()));
    expect_well();
}

TEST_F(AbuseTest, QueriesAreReadStrictlyOrNotAtAll) {
    const struct {
        const char* query;
        unsigned least, most;
    } cases[] = {
        {"limit=-1", 200, 499},
        {"limit=99999999999999999999999", 200, 499},
        {"continue=%ff", 400, 499},
        {"continue=bm9uc2Vuc2U", 400, 499},
        {"resourceVersion=-1", 400, 499},
        {"resourceVersion=1e9", 400, 499},
        {"resourceVersionMatch=Whenever", 400, 499},
        {"labelSelector=a+in+(", 400, 499},
        {"labelSelector=%ff", 400, 499},
        {"fieldSelector=a", 400, 499},
    };
    for (const auto& c : cases) {
        const auto answer = code("GET /api/v1/configmaps?" + std::string(c.query) + " HTTP/1.1");
        EXPECT_TRUE(answer >= c.least && answer <= c.most) << c.query << ": " << answer;
    }
    expect_well();
}

}  // namespace
}  // namespace ocim::apiserver
