#include "crd/pullrequestfeeds.hpp"
#include "github/register.hpp"
#include "runtime/base64.hpp"
#include "support/github.hpp"
#include "support/running.hpp"
#include "webhooks/hooks.hpp"

#include <gtest/gtest.h>

/// A PullRequestWatch under the runtime, against a GitHub that is held to its published description.
namespace ocim::github {
namespace {

using ocim::test::GitHubService;
using ocim::test::json;

class GitHubWatch : public testing::Test {
protected:
    GitHubWatch() {
        server.set("{'organizations':{'acme':{'teams':{'Sandbox':['ada']}}},'people':{'ada':7,'eve':8}}");
        running.put_secret("sandboxes", "github", "token", runtime::base64("token"));
        running.server.put(json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'InstanceClass','metadata':{'name':'sandbox'},'spec':{"
            "'baseDomain':'sandbox.example.com','compute':{'keyName':'k','sshKeyRef':{'name':'k'}},"
            "'pullRequests':{'variables':['COLOR']}}}"));
        put_watch("1h");
        set_pull("'body':'**Settings**\\r\\n```\\r\\nCOLOR: red\\r\\n```','sha':'" + commit('a') + "'");
        server.set("{'pulls':{'acme/site#8':{'author':'eve'}}}");
        running.start();
    }
    ~GitHubWatch() override {
        running.stop();
        if (server.service().running()) EXPECT_EQ(server.violations(), "[]");
    }
    static std::string commit(char c) { return std::string(40, c); }
    void put_watch(const std::string& retain) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'PullRequestWatch','metadata':{'namespace':"
                 "'sandboxes','name':'site'},'spec':{'forks':['acme/site'],'organization':'acme','team':'Sandbox',"
                 "'credentialsRef':{'name':'github'},'apiURL':'" +
                 server.url() +
                 "','interval':'1s','instanceTemplate':{'className':'sandbox','deletionPolicy':'Delete'},"
                 "'onNewCommit':'Redeploy','maxSandboxes':20,'report':{'comment':true,'status':true},"
                 "'retainAfterClose':'" +
                 retain + "'}}"));
    }
    void set_pull(const std::string& fields) { server.set("{'pulls':{'acme/site#7':{" + fields + "}}}"); }

    std::string instance() {
        const auto* found = running.server.get("Instance", "sandboxes", "pr7-acme-site");
        return found ? api::to_text(*found) : "";
    }
    std::string comments() { return api::to_text(server.shown().at("comments")); }
    std::size_t count() { return server.shown().at("comments").as_object().size(); }
    std::string statuses() { return api::to_text(server.shown().at("statuses")); }
    bool soon(const std::function<bool()>& condition) { return running.until(condition, std::chrono::seconds(60)); }
    bool says(const std::string& text) {
        return soon([&] { return comments().find(text) != std::string::npos; });
    }
    void make_ready() {
        const auto generation = std::to_string(running.server.get("Instance", "sandboxes", "pr7-acme-site")
                                                   ->at("metadata")
                                                   .at("generation")
                                                   .to_number<int>());
        running.server.merge("Instance", "sandboxes", "pr7-acme-site",
                             R"({"status":{"urls":{"lms":"https://pr7.sandbox.example.com/"},"conditions":[)"
                             R"({"type":"RolledOut","status":"True","reason":"RolledOut"},)"
                             R"({"type":"Ready","status":"True","reason":"Serving","observedGeneration":)" +
                                 generation + "}]}}",
                             true);
    }

    ocim::test::RealLoop loop;
    GitHubService server;
    webhooks::Hooks hooks;
    ocim::test::Running running{loop, [this](runtime::Manager& manager) { register_kinds(manager, hooks); }};
};

TEST_F(GitHubWatch, ASandboxFollowsItsPullRequestFromOpenToRetired) {
    ASSERT_TRUE(soon([&] { return !instance().empty(); }));
    EXPECT_NE(instance().find(commit('a')), std::string::npos);
    EXPECT_NE(instance().find(R"("COLOR":"red")"), std::string::npos);
    EXPECT_EQ(running.server.all("Instance").size(), 1U) << "eve is no member";
    ASSERT_TRUE(says("is being made"));
    make_ready();
    ASSERT_TRUE(says("https://pr7.sandbox.example.com/"));
    ASSERT_TRUE(soon([&] { return statuses().find("success") != std::string::npos; })) << statuses();

    set_pull("'sha':'" + commit('b') + "'");
    ASSERT_TRUE(soon([&] { return instance().find(commit('b')) != std::string::npos; }));
    ASSERT_TRUE(says(commit('b')));

    set_pull("'state':'closed','closed_at':'2099-01-01T00:00:00Z'");
    ASSERT_TRUE(says("stays for a while"));
    EXPECT_FALSE(instance().empty());
    set_pull("'closed_at':'2001-01-01T00:00:00Z'");
    ASSERT_TRUE(soon([&] { return instance().empty(); }));
    ASSERT_TRUE(says("was removed"));
    EXPECT_EQ(count(), 1U) << "one comment, whatever happens";
}

TEST_F(GitHubWatch, ALostAnswerDoublesNothing) {
    server.fault("{'match':'POST .*/comments','kind':'drop','after':true}");
    server.fault("{'match':'POST .*/comments','kind':'drop','after':true}");
    ASSERT_TRUE(says("is being made"));
    make_ready();
    ASSERT_TRUE(says("is ready"));
    EXPECT_EQ(count(), 1U) << comments();
}

TEST_F(GitHubWatch, AnIdleRepositoryCostsNoQuota) {
    ASSERT_TRUE(says("is being made"));
    ASSERT_TRUE(soon([&] { return statuses() != "[]"; }));
    const auto calls = [&] { return server.shown().at("calls").as_array().size(); };
    // what we have just written is read anew once
    const auto settled = calls() + 20;
    ASSERT_TRUE(soon([&] { return calls() > settled; }));
    const auto used = server.used();
    const auto later = calls() + 30;
    ASSERT_TRUE(soon([&] { return calls() > later; }));
    EXPECT_EQ(server.used(), used);
}

TEST_F(GitHubWatch, WhoeverLeftTheTeamDeploysNothingMoreAndKeepsHisSandbox) {
    ASSERT_TRUE(says("is being made"));
    server.set("{'organizations':{'acme':{'teams':{'Sandbox':[]}}}}");
    set_pull("'sha':'" + commit('b') + "'");
    ASSERT_TRUE(says("stays as it is"));
    EXPECT_NE(instance().find(commit('a')), std::string::npos);
}

/// He leaves, and pushes after that, while GitHub is being asked: just before the call that is named.
class GitHubWatchMeanwhile : public GitHubWatch, public testing::WithParamInterface<const char*> {};

TEST_P(GitHubWatchMeanwhile, WhoeverLeftBeforeHePushedDeploysNothingMore) {
    ASSERT_TRUE(says("is being made"));
    server.fault(std::string("{'match':'GET ") + GetParam() +
                 "','kind':'meanwhile','set':{'organizations':{'acme':{'teams':{'Sandbox':[]}}},"
                 "'pulls':{'acme/site#7':{'sha':'" +
                 commit('b') + "'}}}}");
    ASSERT_TRUE(says("stays as it is"));
    EXPECT_EQ(instance().find(commit('b')), std::string::npos) << instance();
    EXPECT_TRUE(soon([&] { return statuses().find(R"("error")") != std::string::npos; })) << statuses();
    EXPECT_EQ(instance().find(commit('b')), std::string::npos) << instance();
}

INSTANTIATE_TEST_SUITE_P(GitHub, GitHubWatchMeanwhile,
                         testing::Values("/repos/acme/site/pulls", "/orgs/acme/teams/sandbox/members"));

TEST_F(GitHubWatch, AGitHubThatFailsRetiresNothing) {
    put_watch("1ms");
    ASSERT_TRUE(says("is being made"));
    const auto stands = [&] { return running.stands("PullRequestWatch", "sandboxes", "site"); };
    for (const char* fault : {"'status':500", "'status':404"}) {
        server.fault("{'match':'GET /repos/acme/site/pulls.*','kind':'status','times':4," + std::string(fault) + "}");
        EXPECT_TRUE(soon([&] { return stands().starts_with("False"); })) << fault;
        EXPECT_FALSE(instance().empty()) << fault;
        EXPECT_TRUE(soon([&] { return stands() == "True Watching"; })) << fault << ": " << stands();
    }
    server.set("{'token':'another'}");
    EXPECT_TRUE(soon([&] { return stands() == "False GitHubUnknown"; }));
    EXPECT_FALSE(instance().empty());
}

TEST_F(GitHubWatch, DeletionTakesTheSandboxesAndSaysSo) {
    ASSERT_TRUE(says("is being made"));
    running.server.remove("PullRequestWatch", "sandboxes", "site");
    ASSERT_TRUE(soon([&] { return running.server.all("PullRequestWatch").empty(); }));
    EXPECT_TRUE(running.server.all("Instance").empty());
    EXPECT_TRUE(running.server.all("PullRequestFeed").empty());
    EXPECT_NE(comments().find("is not watched any more"), std::string::npos);
    EXPECT_EQ(count(), 1U);
}

}  // namespace
}  // namespace ocim::github
