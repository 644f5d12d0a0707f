#include "crd/githuborganizations.hpp"
#include "github/register.hpp"
#include "runtime/base64.hpp"
#include "support/github.hpp"
#include "support/running.hpp"
#include "webhooks/hooks.hpp"

#include <gtest/gtest.h>

/// A GitHubOrganization under the runtime, against a GitHub that is held to its published description.
namespace ocim::github {
namespace {

using ocim::test::GitHubService;
using ocim::test::json;

class GitHubPeople : public testing::Test {
protected:
    GitHubPeople() {
        server.set(
            "{'organizations':{'acme':{'members':['ada','Bob','eve','ocim-bot'],'teams':{'Site Admins':['ada','Bob'],"
            "'Nobody':[]}}},'people':{'ada':7,'Bob':8,'eve':9,'ocim-bot':1}}");
        running.put_secret("ocim-system", "github", "token", runtime::base64("token"));
    }
    ~GitHubPeople() override {
        running.stop();
        if (server.service().running()) EXPECT_EQ(server.violations(), "[]");
    }
    void put(const std::string& who) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'GitHubOrganization','metadata':{"
                 "'name':'acme'},'spec':{" +
                 who + "'credentialsRef':{'name':'github'},'apiURL':'" + server.url() +
                 "','interval':'1s','managementPolicy':'Observe'}}"));
    }
    std::string status(const char* field) const {
        const auto* found = running.server.get("GitHubOrganization", "", "acme");
        const auto* value = found ? api::find(*found, {"status", field}) : nullptr;
        return value ? api::to_text(*value) : "";
    }
    bool soon(const std::function<bool()>& condition) { return running.until(condition, std::chrono::seconds(60)); }
    bool are(const std::string& who, const std::string& members) {
        return soon([&] { return status("lookedUp") == who && status("members") == members; });
    }

    ocim::test::RealLoop loop;
    GitHubService server;
    webhooks::Hooks hooks;
    ocim::test::Running running{loop, [this](runtime::Manager& manager) { register_kinds(manager, hooks); }};
};

TEST_F(GitHubPeople, AreFollowedAndKeptWhileGitHubDoesNotAnswer) {
    put("'team':'Site Admins',");
    running.start();
    ASSERT_TRUE(are(R"("acme/Site Admins")", R"(["Bob","ada"])")) << status("members");
    ASSERT_TRUE(soon([&] { return server.shown().at("answers").as_array().size() > 8; })) << "it is asked again";
    EXPECT_EQ(api::to_text(server.shown().at("paid_twice")), "[]") << "what did not change costs no quota";
    server.set("{'organizations':{'acme':{'members':[],'teams':{'Site Admins':['ada','eve']}}}}");
    ASSERT_TRUE(are(R"("acme/Site Admins")", R"(["ada","eve"])"));

    // a team that is gone, or may not be seen any more, is not an empty one
    server.set("{'organizations':{'acme':{'members':[],'teams':{}}}}");
    ASSERT_TRUE(soon([&] { return running.stands("GitHubOrganization", "", "acme").starts_with("False"); }));
    EXPECT_EQ(status("members"), R"(["ada","eve"])");
    server.service().kill();
    ASSERT_TRUE(soon([&] { return running.stands("GitHubOrganization", "", "acme") == "False BackendUnreachable"; }))
        << running.stands("GitHubOrganization", "", "acme");
    EXPECT_EQ(status("members"), R"(["ada","eve"])");
    running.server.remove("GitHubOrganization", "", "acme");
    EXPECT_TRUE(soon([&] { return running.stands("GitHubOrganization", "", "acme") == "gone"; }))
        << "nothing is there that would have to be taken back";
}

TEST_F(GitHubPeople, AChangeOfItsSpecIsFollowedAndAnEmptyTeamIsNobody) {
    put("");
    running.start();
    ASSERT_TRUE(are(R"("acme/")", R"(["Bob","ada","eve","ocim-bot"])")) << "all of the organization of its name";
    put("'organization':'acme','team':'Nobody',");
    ASSERT_TRUE(are(R"("acme/Nobody")", "")) << status("lookedUp") << status("members");
    ASSERT_TRUE(soon([&] { return running.stands("GitHubOrganization", "", "acme") == "True LookedUp"; }));
    put("'team':'No such team',");
    ASSERT_TRUE(soon([&] { return running.stands("GitHubOrganization", "", "acme").starts_with("False"); }));
    EXPECT_NE(status("lookedUp"), R"("acme/No such team")") << "whoever asks for these knows that they are not known";
}

}  // namespace
}  // namespace ocim::github
