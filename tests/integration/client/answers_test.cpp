#include "client/remote.hpp"

#include "net/http_server.hpp"
#include "net/tls.hpp"
#include "support/memory_client.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <deque>

/// The client over the network, at an API server that gives the answers of a test.
namespace ocim::client {
namespace {

using api::Json;
using namespace std::chrono_literals;
using test::json;

net::ServerReply status(unsigned code, const std::string& reason, const std::string& more = "") {
    return {code,
            {{"Content-Type", "application/json"}},
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"" + reason +
                "\",\"message\":\"so it is\",\"code\":" + std::to_string(code) + more + "}"};
}
net::ServerReply page(const std::string& names, const std::string& version, const std::string& token = "") {
    std::string items;
    for (const char name : names)
        items +=
            (items.empty() ? "" : ",") + std::string(R"({"metadata":{"namespace":"default","name":")") + name + "\"}}";
    return {200,
            {{"Content-Type", "application/json"}},
            R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
                R"(","continue":")" + token + R"("},"items":[)" + items + "]}"};
}

class AnswersTest : public testing::Test {
protected:
    AnswersTest() {
        const auto ca = *net::make_ca("an API server's", loop.clock().wall());
        auto own = *net::issue_certificate(ca, {.common_name = "api", .ip_addresses = {"127.0.0.1"}, .server = true},
                                           loop.clock().wall());
        net::ServerSettings settings;
        settings.tls = net::TlsSettings{own.certificate, std::move(own.private_key)};
        auto served = net::serve(loop.executor(), loop.clock(), std::move(settings), handler());
        if (!served) throw std::runtime_error(served.error().message);
        server = *std::move(served);
        Access access{.server = "https://127.0.0.1:" + std::to_string(server->port()),
                      .ca_certificate = ca.certificate};
        RemoteSettings how;
        how.access = [access]() -> Result<Access> { return access; };
        how.user_agent = "answers-test/1";
        client = make_remote_client(loop.executor(), loop.clock(), metrics, pool, std::move(how));
    }
    ~AnswersTest() override {
        client.reset();
        loop.run(server->stop(loop.clock().now() + 1s));
    }
    net::Handler handler() {
        return [this](net::ServerRequest request, net::Responder& responder) {
            asked.push_back(request.query);
            auto reply = answers.empty() ? status(500, "NothingMoreToSay") : answers.front();
            if (!answers.empty()) answers.pop_front();
            return responder.reply(std::move(reply));
        };
    }
    std::string listed() {
        const auto list = loop.run(client->list(api::config_map_kind, "default"));
        if (!list)
            return (list.error().error_class == ErrorClass::conflict ? "conflict: " : "other: ") + list.error().message;
        std::string out = list->resource_version + ":";
        for (const auto& item : list->items) out += " " + std::string(api::find_text(item, {"metadata", "name"}));
        return out;
    }

    test::RealLoop loop;
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::deque<net::ServerReply> answers;
    std::vector<std::string> asked;  ///< the queries
    std::unique_ptr<net::HttpServer> server;
    std::unique_ptr<Client> client;
};

TEST_F(AnswersTest, AListWhoseTokenExpiresInTheMiddleIsReadAnewAndWhole) {
    // as kube-apiserver, which offers to go on at another revision: half of that list would be of the past
    const auto gone = status(410, "Expired", R"(,"metadata":{"continue":"later","resourceVersion":"9"})");
    for (const std::size_t pages : {1U, 3U}) {
        asked.clear();
        for (std::size_t n = 0; n < pages; ++n) answers.push_back(page("ab", "5", "token" + std::to_string(n)));
        answers.push_back(gone);
        answers.push_back(page("bcd", "9"));
        EXPECT_EQ(listed(), "9: b c d") << "nothing twice, and nothing that is gone, after " << pages << " pages";
        ASSERT_EQ(asked.size(), pages + 2);
        EXPECT_EQ(asked[0], "limit=500");
        EXPECT_EQ(asked[1], "limit=500&continue=token0");
        EXPECT_EQ(asked.back(), "") << "all of it at once";
    }
}

TEST_F(AnswersTest, AListThatExpiresForGoodIsNoList) {
    answers = {page("ab", "5", "token"), status(410, "Expired"), status(410, "Expired")};
    EXPECT_EQ(listed(), "conflict: so it is") << "and not the half that was read";
    EXPECT_EQ(asked.size(), 3U) << "whoever asked waits, and not this client";
    answers = {page("ab", "5", "token"), status(503, "ServiceUnavailable")};
    EXPECT_EQ(listed(), "other: so it is");
}

TEST_F(AnswersTest, TooManyRequestsSayWhenToComeAgainAndNothingIsSentBefore) {
    const auto busy = [](const std::string& header, const std::string& details) {
        auto out = status(429, "TooManyRequests", details.empty() ? "" : ",\"details\":{" + details + "}");
        if (!header.empty()) out.headers.emplace("Retry-After", header);
        return out;
    };
    const struct {
        const char *reason, *header, *details;
        std::optional<Duration> wait;
    } cases[] = {
        {"as HTTP says it", "7", "", 7s},
        {"as Kubernetes says it", "", "\"retryAfterSeconds\":3", 3s},
        {"both", "7", "\"retryAfterSeconds\":3", 7s},
        {"neither", "", "", std::nullopt},
    };
    const auto map = json("{'metadata':{'namespace':'default','name':'a'}}");
    for (const auto& c : cases) {
        const auto check = [&](const auto& result, const char* call) {
            ASSERT_FALSE(result) << c.reason << ", " << call;
            EXPECT_EQ(result.error().error_class, ErrorClass::rate_limited) << c.reason << ", " << call;
            EXPECT_EQ(result.error().retry_after, c.wait) << c.reason << ", " << call;
            EXPECT_EQ(asked.size(), 1U) << c.reason << ", " << call << ": it is not tried again at once";
            asked.clear();
            answers = {busy(c.header, c.details)};
        };
        answers = {busy(c.header, c.details)};
        check(loop.run(client->list(api::config_map_kind, "default")), "list");
        check(loop.run(client->watch(api::config_map_kind, "default", "5")), "watch");
        check(loop.run(client->get(api::config_map_kind, "default", "a")), "get");
        check(loop.run(client->create(api::config_map_kind, map)), "create");
        check(loop.run(client->apply(api::config_map_kind, map, "tester", "")), "apply");
        check(loop.run(client->merge_patch(api::config_map_kind, "default", "a", map, "")), "patch");
        check(loop.run(client->remove(api::config_map_kind, "default", "a", "uid")), "remove");
        answers = {page("a", "5", "token"), busy(c.header, c.details)};
        const auto half = loop.run(client->list(api::config_map_kind, "default"));
        ASSERT_FALSE(half) << c.reason << ", in the middle of a list";
        EXPECT_EQ(half.error().retry_after, c.wait) << c.reason;
        EXPECT_EQ(asked.size(), 2U) << c.reason;
        asked.clear();
    }
}

}  // namespace
}  // namespace ocim::client
