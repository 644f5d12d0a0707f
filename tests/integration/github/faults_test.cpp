#include "support/faults.hpp"
#include "github/register.hpp"
#include "runtime/base64.hpp"
#include "support/github.hpp"
#include "webhooks/hooks.hpp"

#include <gtest/gtest.h>
#include <cstdlib>

/// What is said and done when GitHub is in trouble.
namespace ocim::github {
namespace {

using ocim::test::Fault;
using ocim::test::GitHubService;
using ocim::test::json;

/// All of them at full scale only.
template <class T>
auto rows(std::vector<T> daily, const std::vector<T>& further) {
    const auto* scale = std::getenv("OCIM_SCALE");
    if (scale && std::string_view(scale) == "full") daily.insert(daily.end(), further.begin(), further.end());
    return testing::ValuesIn(daily);
}

std::string watch_at(const std::string& name, const std::string& url) {
    return "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'PullRequestWatch','metadata':{'namespace':'sandboxes',"
           "'name':'" +
           name + "'},'spec':{'forks':['acme/site'],'organization':'acme','team':'Sandbox','credentialsRef':{'name':'" +
           "github'},'apiURL':'" + url +
           "','interval':'1s','instanceTemplate':{'className':'sandbox','deletionPolicy':'Delete'},"
           "'onNewCommit':'Redeploy','maxSandboxes':20,'report':{'comment':true,'status':true},"
           "'retainAfterClose':'1ms'}}";
}

/// Two GitHubs with the same pull requests; each object comments on one of them.
class GitHubFaults : public ocim::test::FaultTest {
protected:
    GitHubFaults() : FaultTest([this](runtime::Manager& manager) { register_kinds(manager, hooks); }) {
        std::string pulls;
        for (int number = 1; number <= pulls_there; ++number)
            pulls += (pulls.empty() ? "'" : ",'") + std::string("acme/site#") + std::to_string(number) + "':{}";
        for (const auto* github : {&struck, &well}) {
            github->set("{'organizations':{'acme':{'teams':{'Sandbox':['ada']}}},'people':{'ada':7},'pulls':{" + pulls +
                        "}}");
        }
        running.put_secret("sandboxes", "github", "token", runtime::base64("token"));
        running.server.put(json(watch_at("struck", front.url())));
        running.server.put(json(watch_at("well", well.url())));
    }
    ~GitHubFaults() override {
        running.stop();
        for (const auto* github : {&struck, &well}) EXPECT_EQ(github->violations(), "[]");
    }
    void put(const std::string& name, const std::string& backend) override {
        const auto number = std::to_string(++numbers[backend]);
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'PullRequestFeed','metadata':{'namespace':"
                 "'sandboxes','name':'" +
                 name + "'},'spec':{'watchName':'" + backend +
                 "','reports':[{'repository':'acme/site','number':" + number + ",'comment':'" + name + "'}]}}"));
    }
    /// Ready says that GitHub is followed; all is well once it was told, too.
    std::string stands(const std::string& name) override {
        return running.stands("PullRequestFeed", "sandboxes", name);
    }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            struck.set("{'token':'another'}");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            struck.set("{'token':'token'}");
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    static constexpr int pulls_there = 31;
    webhooks::Hooks hooks;
    GitHubService struck, well;
    ocim::test::Door front{struck.port};
    std::map<std::string, int> numbers;  // of the last pull request that has something to say, by GitHub
};

TEST_P(GitHubFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(struck.shown().at("comments").as_object().size(), 31U) << "one each, whatever happened";
}

INSTANTIATE_TEST_SUITE_P(GitHub, GitHubFaults,
                         rows<Fault>({Fault::down, Fault::slow, Fault::refuses_credentials, Fault::html},
                                     {Fault::wrong_protocol, Fault::truncated_json, Fault::cut_off, Fault::huge_body}),
                         ocim::test::fault_name);

/// One way in which a call can go wrong.
struct Trouble {
    const char *name, *order;
};
void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }

/// Each sort of call goes wrong once, each in that way: nothing is said twice, and no sandbox is taken away.
class GitHubTroubles : public testing::TestWithParam<Trouble> {
protected:
    GitHubTroubles() {
        server.set("{'organizations':{'acme':{'teams':{'Sandbox':['ada']}}},'people':{'ada':7}}");
        server.set("{'pulls':{'acme/site#7':{'body':'','sha':'" + std::string(40, 'a') + "'}}}");
        running.put_secret("sandboxes", "github", "token", runtime::base64("token"));
        running.server.put(json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'InstanceClass','metadata':{'name':'sandbox'},'spec':{"
            "'baseDomain':'sandbox.example.com','compute':{'keyName':'k','sshKeyRef':{'name':'k'}}}}"));
        running.server.put(json(watch_at("site", server.url())));
    }
    ~GitHubTroubles() override {
        running.stop();
        EXPECT_EQ(server.violations(), "[]");
    }
    void strike(const std::string& call) { server.fault("{'match':'" + call + "'," + GetParam().order + "}"); }
    const api::Json* instance() { return running.server.get("Instance", "sandboxes", "pr7-acme-site"); }
    std::string comments() { return api::to_text(server.shown().at("comments")); }
    std::string statuses() { return api::to_text(server.shown().at("statuses")); }
    void make_ready() {
        running.server.merge("Instance", "sandboxes", "pr7-acme-site",
                             R"({"status":{"urls":{"lms":"https://pr7.sandbox.example.com/"},"latestAppServer":"one",)"
                             R"("activeAppServers":["one"],"conditions":[{"type":"Ready","status":"True","reason":)"
                             R"("Serving","observedGeneration":)" +
                                 std::to_string(instance()->at("metadata").at("generation").to_number<int>()) + "}]}}",
                             true);
    }
    bool soon(const std::function<bool()>& condition) { return running.until(condition, std::chrono::seconds(300)); }

    ocim::test::RealLoop loop;
    GitHubService server;
    webhooks::Hooks hooks;
    ocim::test::Running running{loop, [this](runtime::Manager& manager) { register_kinds(manager, hooks); }};
};

TEST_P(GitHubTroubles, AreOverByThemselvesAndDoubleNothing) {
    for (const auto* call :
         {"GET /user", "GET /orgs/acme/teams", "GET /orgs/acme/teams/sandbox/members", "GET /repos/acme/site/pulls",
          "GET .*/comments", "GET .*/statuses", "POST .*/comments", "POST .*/statuses/.*"})
        strike(call);
    running.start();
    ASSERT_TRUE(soon([&] { return instance() != nullptr; })) << running.stands("PullRequestWatch", "sandboxes", "site");
    ASSERT_TRUE(soon([&] { return comments().find("is being made") != std::string::npos; })) << comments();
    ASSERT_TRUE(soon([&] { return statuses().find("pending") != std::string::npos; })) << statuses();
    for (const auto* call : {"PATCH .*", "POST .*/statuses/.*"}) strike(call);
    make_ready();
    ASSERT_TRUE(soon([&] { return comments().find("is ready") != std::string::npos; })) << comments();
    ASSERT_TRUE(soon([&] { return statuses().find("success") != std::string::npos; })) << statuses();
    EXPECT_EQ(api::to_text(server.shown().at("faults")), "[]") << "each was met";
    EXPECT_EQ(server.shown().at("comments").as_object().size(), 1U) << comments();
    EXPECT_NE(instance(), nullptr);
    ASSERT_TRUE(soon([&] { return running.stands("PullRequestWatch", "sandboxes", "site") == "True Watching"; }));
}

// Each of these calls makes the others wait for a while, and of most a write's outcome is unknown, so that nothing is
// written for half a minute: at full scale only.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GitHubTroubles);
INSTANTIATE_TEST_SUITE_P(
    GitHub, GitHubTroubles,
    rows<Trouble>({}, {{"TooMany", "'kind':'status','status':429,'headers':{'Retry-After':'1'}"},
                       {"SecondaryLimit",
                        "'kind':'status','status':403,'headers':{'Retry-After':'1'},'message':'You have exceeded a "
                        "secondary rate limit'"},
                       {"ServerError", "'kind':'status','status':502"},
                       {"ServerErrorAfterwards", "'kind':'status','status':502,'after':true"},
                       {"Stall", "'kind':'stall','seconds':2"},
                       {"Dropped", "'kind':'drop'"},
                       {"DroppedAfterwards", "'kind':'drop','after':true"}}),
    [](const auto& given) { return std::string(given.param.name); });

}  // namespace
}  // namespace ocim::github
