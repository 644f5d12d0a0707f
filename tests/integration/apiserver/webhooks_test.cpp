#include "apiserver/webhooks.hpp"
#include "apiserver/exchange.hpp"
#include "support/raw_socket.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace ocim::apiserver {
namespace {

using namespace std::chrono_literals;
using test::RawSocket;

std::string signature(const std::string& body, const std::string& key) {
    std::array<unsigned char, 32> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(body.data()),
         body.size(), mac.data(), &size);
    std::string out = "sha256=";
    for (const auto byte : mac) {
        std::array<char, 3> hex{};
        std::snprintf(hex.data(), hex.size(), "%02x", byte);
        out += hex.data();
    }
    return out;
}

/// The listener for deliveries as `ocim serve --webhook-listen` opens it, with one path that somebody has asked for.
class WebhooksTest : public testing::Test {
protected:
    void SetUp() override {
        webhooks_.add("/github",
                      {[](const net::ServerRequest&) -> Webhooks::Candidates { return {{Secret("s3cr3t")}, {}}; },
                       [this](net::ServerRequest delivery, std::vector<Secret>) -> awaitable<net::ServerReply> {
                           received_.emplace_back(delivery.header("x-github-delivery"), delivery.body.size());
                           co_return net::ServerReply{202};
                       }});
        net::ServerSettings settings;
        settings.refusal = wire_refusal;
        settings.request_timeout = 1'000ms;
        auto served = net::serve(loop_.executor(), loop_.clock(), std::move(settings), webhooks_.handler());
        ASSERT_TRUE(served) << served.error().message;
        listener_ = *std::move(served);
    }
    void TearDown() override { loop_.run(listener_->stop(loop_.clock().now())); }

    std::string said(const std::string& bytes) { return loop_.run(talk(bytes)); }
    awaitable<std::string> talk(std::string bytes) {
        auto work = [port = listener_->port(), bytes = std::move(bytes)]() -> Result<std::string> {
            auto peer = RawSocket::connect(port);
            peer.send(bytes);
            return peer.read_all();
        };
        auto done = co_await pool_.call(std::move(work));
        co_return *std::move(done);
    }
    static unsigned code_of(const std::string& answer) {
        return answer.starts_with("HTTP/1.1 ") ? static_cast<unsigned>(std::stoul(answer.substr(9, 3))) : 0;
    }
    unsigned code(const std::string& line, const std::string& headers, const std::string& body) {
        return code_of(said(line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers +
                            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
    }
    static std::string signed_as(const std::string& given) { return "X-Hub-Signature-256: " + given + "\r\n"; }

    test::RealLoop loop_;
    BlockingPool pool_{loop_.executor(), "test", 4, 64};
    Webhooks webhooks_;
    std::vector<std::pair<std::string, std::size_t>> received_;
    std::unique_ptr<net::HttpServer> listener_;
};

TEST_F(WebhooksTest, LetInWhatIsSignedAndNothingElse) {
    const std::string body = R"({"action":"opened"})";
    const auto good = signed_as(signature(body, "s3cr3t"));
    const std::string admin = "Authorization: Bearer admin-token\r\nX-Remote-User: admin\r\n";
    const struct {
        const char* reason;
        std::string line, headers;
        unsigned code;
    } cases[] = {
        {"signed", "POST /github", good, 202},
        {"signed, with a query", "POST /github?x=y", good, 202},
        {"signed with another secret", "POST /github", signed_as(signature(body, "other")), 401},
        {"signed with nothing", "POST /github", signed_as(signature(body, "")), 401},
        {"the signature of another body", "POST /github", signed_as(signature(body + " ", "s3cr3t")), 401},
        {"not signed", "POST /github", "", 401},
        {"not signed, with the credentials of the API", "POST /github", admin, 401},
        {"an empty signature", "POST /github", signed_as(""), 401},
        {"two signatures, one of them good", "POST /github", signed_as("sha256=00") + good, 401},
        {"the same one twice", "POST /github", good + good, 401},
        {"in the old way only", "POST /github", "X-Hub-Signature: sha1=00\r\n", 401},
        {"another method", "PUT /github", good, 405},
        {"no method at all", "DELIVER /github", good, 405},
        {"another path", "POST /gitlab", good, 404},
        {"a path below", "POST /github/", good, 404},
        {"the path in disguise", "POST /%67ithub", good, 404},
        {"two slashes", "POST //github", good, 404},
        {"a way up", "POST /x/../github", good, 404},
        {"the API", "GET /api/v1/namespaces", admin, 404},
        {"its groups", "GET /apis", admin, 404},
        {"metrics", "GET /metrics", admin, 404},
        {"health", "GET /healthz", admin, 404},
        {"whose keys these are", "GET /openid/v1/jwks", admin, 404},
    };
    for (const auto& c : cases) {
        received_.clear();
        EXPECT_EQ(code(c.line, c.headers, body), c.code) << c.reason;
        EXPECT_EQ(received_.size(), c.code == 202 ? 1U : 0U) << c.reason;
    }
}

TEST_F(WebhooksTest, AreTakenAgainWhenTheyComeAgain) {
    const std::string body = "{}";
    const auto delivery = signed_as(signature(body, "s3cr3t")) + "X-GitHub-Delivery: 72d3162e\r\n";
    for (int i = 0; i < 3; ++i) EXPECT_EQ(code("POST /github", delivery, body), 202U);
    EXPECT_EQ(received_.size(), 3U) << "the name of a delivery is not signed: it is no reason to leave one out";
}

TEST_F(WebhooksTest, OfASizeAndInTime) {
    const std::string large(limits::body_bytes_max, 'x');
    EXPECT_EQ(code("POST /github", signed_as(signature(large, "s3cr3t")), large), 202U) << "just fits";
    const auto more = large + "x";
    EXPECT_EQ(code("POST /github", signed_as(signature(more, "s3cr3t")), more), 413U);
    EXPECT_EQ(code_of(said("POST /github HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n")), 413U)
        << "before a byte of it has come";
    EXPECT_EQ(code_of(said("POST /github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow")), 408U);
    EXPECT_EQ(code_of(said("POST /github HTTP/1.1\r\nHost: x\r\nContent-")), 408U);
    const std::string body = "chunked";
    EXPECT_EQ(code_of(said("POST /github HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n" +
                           signed_as(signature(body, "s3cr3t")) + "\r\n3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n")),
              202U)
        << "the signature is of what is said, not of how it is cut";
    EXPECT_EQ(received_.size(), 2U);
}

}  // namespace
}  // namespace ocim::apiserver
