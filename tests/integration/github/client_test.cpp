#include "github/client.hpp"

#include "base/async.hpp"
#include "support/github.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

/// The client against a GitHub that is held to its published description.
namespace ocim::github {
namespace {

using ocim::test::GitHubService;
using namespace std::chrono_literals;

class GitHubClient : public testing::Test {
protected:
    GitHubClient() {
        server.set(
            "{'organizations':{'acme':{'members':['ada','bob','eve','ocim-bot'],'public':['bob'],"
            "'teams':{'The Sandbox':['ada','bob'],'Empty':[]}}},"
            "'pulls':{'acme/site#7':{'body':'text','sha':'" +
            sha + "','author':'ada'}}}");
    }
    ~GitHubClient() override { EXPECT_EQ(server.violations(), "[]"); }

    std::unique_ptr<Client> make(Duration timeout = 5s, const std::string& token = "token") {
        auto http = net::make_http_client(loop.executor(), loop.clock(), metrics,
                                          {.base_url = server.url(), .ca_certificate = {}, .timeout = timeout});
        EXPECT_TRUE(http);
        return std::make_unique<Client>(*std::move(http), loop.clock(), metrics, blocking,
                                        ClientSettings{server.url(), Secret(token)});
    }
    template <class T>
    T must(awaitable<Result<T>> work) {
        auto result = loop.run(std::move(work));
        EXPECT_TRUE(result) << (result ? "" : result.error().message);
        return result ? *std::move(result) : T();
    }
    static std::vector<std::string> logins(const std::vector<Person>& people) {
        std::vector<std::string> out;
        for (const auto& person : people) out.push_back(person.login);
        return out;
    }

    const std::string sha = std::string(40, 'a');
    ocim::test::RealLoop loop;
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 64};
    GitHubService server;
    std::unique_ptr<Client> client = make();
};

TEST_F(GitHubClient, ReadsPeopleTeamsAndPullRequests) {
    EXPECT_EQ(must(client->self())->login, "ocim-bot");
    EXPECT_EQ(logins(must(client->organization_members("acme"))),
              (std::vector<std::string>{"ada", "bob", "eve", "ocim-bot"}));
    const auto teams = must(client->teams("acme"));
    ASSERT_EQ(teams.size(), 2U);
    EXPECT_EQ(teams[0].slug, "the-sandbox");
    EXPECT_EQ(logins(must(client->team_members("acme", "the-sandbox"))), (std::vector<std::string>{"ada", "bob"}));
    EXPECT_TRUE(must(client->team_members("acme", "empty")).empty());
    const auto pulls = must(client->open_pull_requests("acme/site"));
    ASSERT_EQ(pulls.size(), 1U);
    EXPECT_EQ(pulls[0].number, 7);
    EXPECT_EQ(pulls[0].author.login, "ada");
    EXPECT_EQ(pulls[0].commit, sha);
    EXPECT_EQ(pulls[0].clone_url, "https://github.com/acme/site.git");
    EXPECT_TRUE(must(client->pull_request("acme/site", 7))->open);
    EXPECT_FALSE(must(client->pull_request("acme/site", 8)));
    EXPECT_TRUE(loop.run(client->probe()));
}

TEST_F(GitHubClient, AnAppsTokenIsNobodys) {
    server.set("{'me':'ocim[bot]'}");
    EXPECT_FALSE(must(client->self()));
}

TEST_F(GitHubClient, FollowsPagesToTheEnd) {
    std::string pulls;
    for (int n = 10; n < 17; ++n)
        pulls += (pulls.empty() ? "'" : ",'") + std::string("acme/site#") + std::to_string(n) + "':{}";
    server.set("{'per_page_max':3,'pulls':{" + pulls + "}}");
    const auto found = must(client->open_pull_requests("acme/site"));
    ASSERT_EQ(found.size(), 8U);
    EXPECT_EQ(found.front().number, 7);
    EXPECT_EQ(found.back().number, 16);
}

TEST_F(GitHubClient, AListThatBreaksOffIsAnErrorAndNotAShortList) {
    server.set("{'per_page_max':1,'pulls':{'acme/site#8':{}}}");
    server.fault("{'match':'GET /repos/acme/site/pulls','kind':'status','status':502,'times':1}");
    EXPECT_FALSE(loop.run(client->open_pull_requests("acme/site")));
    EXPECT_EQ(must(client->open_pull_requests("acme/site")).size(), 2U);
}

TEST_F(GitHubClient, WhatDidNotChangeCostsNoQuota) {
    server.set("{'per_page_max':1,'pulls':{'acme/site#8':{},'acme/site#9':{}}}");
    const auto first = must(client->open_pull_requests("acme/site"));
    const auto used = server.used();
    for (int n = 0; n < 5; ++n) {
        client->begin_sweep();
        EXPECT_EQ(must(client->open_pull_requests("acme/site")), first);
    }
    EXPECT_EQ(server.used(), used);
    server.set("{'pulls':{'acme/site#8':{'title':'Another'}}}");
    EXPECT_EQ(must(client->open_pull_requests("acme/site"))[1].title, "Another");
    EXPECT_EQ(server.used(), used + 1) << "only the page that changed";
}

TEST_F(GitHubClient, CommentsAndStatusesAreWrittenAndFound) {
    const auto made = must(client->create_comment("acme/site", 7, "one"));
    EXPECT_EQ(must(client->update_comment("acme/site", made.id, "two")).body, "two");
    const auto found = must(client->comments("acme/site", 7));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].body, "two");
    EXPECT_EQ(found[0].author.login, "ocim-bot");
    const CommitStatus status{"pending", "ocim/sandbox", "https://pr7.example.com/", "is being made"};
    EXPECT_TRUE(loop.run(client->create_status("acme/site", sha, status)));
    EXPECT_EQ(must(client->statuses("acme/site", sha)), std::vector{status});
    EXPECT_TRUE(loop.run(client->delete_comment("acme/site", made.id)));
    EXPECT_TRUE(loop.run(client->delete_comment("acme/site", made.id))) << "gone is gone";
}

TEST_F(GitHubClient, RefusalsHaveTheClassThatGitHubMeans) {
    const struct {
        const char *reason, *fault;
        ErrorClass expected;
        std::optional<Duration> wait;
    } cases[] = {
        {"the quota is used up",
         "'status':403,'message':'API rate limit exceeded','headers':{'X-RateLimit-Remaining':'0','X-RateLimit-Reset':"
         "'99999999999'}",
         ErrorClass::rate_limited, Duration(limits::retry_after_max)},
        {"the same as 429", "'status':429,'headers':{'X-RateLimit-Remaining':'0','X-RateLimit-Reset':'1'}",
         ErrorClass::rate_limited, Duration(1s)},
        {"the secondary limit says how long", "'status':403,'headers':{'Retry-After':'17'}", ErrorClass::rate_limited,
         Duration(17s)},
        {"or does not", "'status':403,'message':'You have exceeded a secondary rate limit'", ErrorClass::rate_limited,
         Duration(60s)},
        {"a right is lacking", "'status':403,'message':'Resource not accessible by integration'", ErrorClass::auth,
         std::nullopt},
        {"a wrong token", "'status':401", ErrorClass::auth, std::nullopt},
        {"hidden or not there", "'status':404", ErrorClass::not_found, std::nullopt},
        {"renamed", "'status':301,'headers':{'Location':'/repositories/1'}", ErrorClass::not_found, std::nullopt},
        {"it is broken", "'status':502", ErrorClass::transient, std::nullopt},
    };
    for (const auto& c : cases) {
        client = make();
        server.fault("{'match':'GET /repos/acme/site/pulls','kind':'status'," + std::string(c.fault) + "}");
        const auto result = loop.run(client->open_pull_requests("acme/site"));
        ASSERT_FALSE(result) << c.reason;
        EXPECT_EQ(result.error().error_class, c.expected) << c.reason << ": " << result.error().message;
        EXPECT_EQ(result.error().retry_after, c.wait) << c.reason;
        EXPECT_FALSE(result.error().outcome_unknown) << c.reason << ": a look has no outcome";
    }
}

TEST_F(GitHubClient, WhatItMayNotWriteIsRefusedForThatThingOnly) {
    server.set("{'repositories':{'acme/site':{'locked':[7]}}}");
    const auto refused = loop.run(client->create_comment("acme/site", 7, "text"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::invalid) << refused.error().message;
    EXPECT_FALSE(refused.error().outcome_unknown);
}

TEST_F(GitHubClient, NothingIsSentWhileGitHubWantsToBeLeftAlone) {
    server.fault("{'match':'GET /user','kind':'status','status':403,'headers':{'Retry-After':'30'}}");
    EXPECT_FALSE(loop.run(client->self()));
    const auto calls = server.shown().at("calls").as_array().size();
    const auto again = loop.run(client->self());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().error_class, ErrorClass::rate_limited);
    EXPECT_GT(again.error().retry_after.value_or(0s), 25s);
    EXPECT_EQ(server.shown().at("calls").as_array().size(), calls);
    EXPECT_TRUE(loop.run(client->probe())) << "which costs nothing";
}

TEST_F(GitHubClient, TheLastCallOfTheQuotaIsTheLastOne) {
    server.set("{'quota':1}");
    must(client->self());
    const auto calls = server.shown().at("calls").as_array().size();
    EXPECT_FALSE(loop.run(client->teams("acme")));
    EXPECT_EQ(server.shown().at("calls").as_array().size(), calls) << "it would have been refused";
}

TEST_F(GitHubClient, ALostAnswerIsAnUnknownOutcomeForAWriteAndNoneForALook) {
    server.fault("{'match':'POST .*/comments','kind':'drop','after':true}");
    const auto lost = loop.run(client->create_comment("acme/site", 7, "text"));
    ASSERT_FALSE(lost);
    EXPECT_TRUE(lost.error().outcome_unknown);
    EXPECT_EQ(server.shown().at("comments").as_object().size(), 1U) << "it was not sent twice";
    client = make(300ms);
    server.fault("{'match':'GET /user','kind':'stall','seconds':3}");
    const auto late = loop.run(client->self());
    ASSERT_FALSE(late);
    EXPECT_FALSE(late.error().outcome_unknown);
}

TEST_F(GitHubClient, WhoIsNotGitHubIsSaidSo) {
    for (const char* text : {"<html>", "[{}]", "{}", "[{\\\"number\\\":1}]", ""}) {
        server.fault("{'match':'GET /repos/acme/site/pulls','kind':'garbage','text':\"" + std::string(text) + "\"}");
        const auto result = loop.run(client->open_pull_requests("acme/site"));
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().error_class, ErrorClass::unreachable) << text;
    }
}

TEST_F(GitHubClient, ATokenNeverFollowsALinkToSomebodyElse) {
    // a page with an extra header: the fault answers in the server's place
    server.fault(
        "{'match':'GET /orgs/acme/teams','kind':'status','status':200,'headers':{'Link':'<http://127.0.0.1:1/x>; "
        "rel=\\\"next\\\"'}}");
    const auto result = loop.run(client->teams("acme"));
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("next page is elsewhere"), std::string::npos) << result.error().message;
}

TEST_F(GitHubClient, EveryCallIsCounted) {
    must(client->self());
    must(client->self());
    const auto text = metrics.text();
    EXPECT_NE(text.find(R"(ocim_github_calls_total{call="get_user",result="success"} 1)"), std::string::npos);
    EXPECT_NE(text.find(R"(ocim_github_calls_total{call="get_user",result="not_modified"} 1)"), std::string::npos);
    EXPECT_NE(text.find(R"(ocim_github_calls_total{call="create_status",result="invalid"} 0)"), std::string::npos);
}

}  // namespace
}  // namespace ocim::github
