#include "openedx/admins.hpp"

#include "campus.hpp"
#include "openedx/instance.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::openedx::test {
namespace {

/// As a look at GitHub left it.
Json organization(const std::string& name, const std::string& looked_up, const std::string& members,
                  const std::string& spec = "") {
    auto out = backend("GitHubOrganization", name, "{" + spec + "'credentialsRef':{'name':'github'}}");
    auto& status = api::make_object(out, {"status"});
    if (looked_up.empty()) return out;
    status["lookedUp"] = looked_up;
    status["members"] = api::parse_json(members)->value;
    return out;
}

std::string kept(Campus& campus, const char* key) {
    const auto* found = campus.child("Secret", "demo-configuration");
    return found ? runtime::from_base64(api::find_text(*found, {"data", key})).value_or("") : "";
}

/// The names of those who get an account, in their order.
std::string accounts(Campus& campus) {
    const auto document = kept(campus, "variables.yml");
    const auto begin = document.find("\"COMMON_USER_INFO\"");
    std::string out;
    if (begin == std::string::npos) return out;
    const auto line = document.substr(begin, document.find('\n', begin) - begin);
    const std::string word = "{\"name\": \"";
    for (auto at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
        const auto from = at + word.size();
        out += (out.empty() ? "" : " ") + line.substr(from, line.find('"', from) - from);
    }
    return out;
}

Campus with_organizations() {
    Campus out;
    auto& of_class = out.of_class.spec.admins.emplace();
    of_class.github_organizations = {"acme"};
    of_class.github_users = {"octocat"};
    auto& own = out.instance.spec.admins.emplace();
    own.github_organizations = {"campus", "acme"};
    own.github_users = {"ADA", "kim"};
    out.others.push_back(organization("acme", "acme/", R"(["ada","bob"])"));
    out.others.push_back(
        organization("campus", "other/Team", R"(["bob","eve"])", "'organization':'other','team':'Team',"));
    return out;
}

TEST(Admins, AreMembersInTheOrderOfTheOrganizationsAndThenUsersEachOnce) {
    auto campus = with_organizations();
    campus.settle();
    EXPECT_EQ(accounts(campus), "ada bob eve octocat kim") << "to GitHub ADA is ada";
    auto names = std::vector<std::string>();
    for (const auto& need : Instances::needs(campus.instance))
        if (need.kind.name == "GitHubOrganization") names.push_back(need.name);
    for (const auto& need : Instances::further_needs(campus.instance, campus.inputs()))
        if (need.kind.name == "GitHubOrganization") names.push_back(need.name);
    EXPECT_EQ(names, (std::vector<std::string>{"campus", "acme", "acme"}));
}

TEST(Admins, WhoeverIsInATeamMakesNoNewServerAndAnUnknownTeamChangesNothing) {
    const struct {
        const char* reason;
        std::function<void(Campus&)> change;
        const char* accounts;
        bool other;
        const char* verdict;  ///< null: as before
    } cases[] = {
        {"somebody left: the next server knows",
         [](Campus& c) { *c.other("GitHubOrganization", "acme") = organization("acme", "acme/", R"(["ada"])"); },
         "ada bob eve octocat kim", false, nullptr},
        {"everybody left: an empty team is nobody",
         [](Campus& c) {
             *c.other("GitHubOrganization", "acme") = organization("acme", "acme/", "[]");
             *c.other("GitHubOrganization", "campus") =
                 organization("campus", "other/Team", "[]", "'organization':'other','team':'Team',");
         },
         "octocat ADA kim", false, nullptr},
        {"GitHub does not answer: as it was",
         [](Campus& c) {
             set_condition(*c.other("GitHubOrganization", "acme"), "Ready", "False", "BackendUnreachable");
         },
         "ada bob eve octocat kim", false, nullptr},
        {"another team, which was not looked up yet",
         [](Campus& c) { *c.other("GitHubOrganization", "acme") = organization("acme", "acme/", "[]", "'team':'T',"); },
         "ada bob eve octocat kim", false, "DependencyNotReady"},
        {"never looked up", [](Campus& c) { *c.other("GitHubOrganization", "acme") = organization("acme", "", ""); },
         "ada bob eve octocat kim", false, "DependencyNotReady"},
        {"it is gone",
         [](Campus& c) {
             std::erase_if(c.others,
                           [](const Json& item) { return api::find_text(item, {"metadata", "name"}) == "acme"; });
         },
         "ada bob eve octocat kim", false, "DependencyNotReady"},
        {"another organization is another declaration",
         [](Campus& c) {
             c.instance.spec.admins->github_organizations.clear();
             c.of_class.spec.admins->github_organizations = {"campus"};
         },
         "bob eve octocat ADA kim", true, nullptr},
    };
    for (const auto& c : cases) {
        auto campus = with_organizations();
        campus.settle();
        const auto hash = kept(campus, "hash");
        const auto servers = campus.names("AppServer");
        c.change(campus);
        const auto last = campus.settle();
        EXPECT_EQ(accounts(campus), c.accounts) << c.reason;
        EXPECT_EQ(kept(campus, "hash") != hash, c.other) << c.reason;
        if (!c.other) EXPECT_EQ(campus.names("AppServer"), servers) << c.reason;
        if (c.verdict) {
            EXPECT_EQ(last.verdict.reason, c.verdict) << c.reason;
            EXPECT_NE(last.verdict.message.find("GitHubOrganization acme"), std::string::npos) << last.verdict.message;
        }
    }
}

TEST(Admins, OfAnOrganizationThatIsNotKnownKeepASiteFromBeingMade) {
    auto campus = with_organizations();
    *campus.other("GitHubOrganization", "acme") = organization("acme", "", "");
    EXPECT_EQ(campus.settle().verdict.reason, "DependencyNotReady");
    EXPECT_TRUE(campus.names("AppServer").empty()) << "on its server nobody could log in";
}

}  // namespace
}  // namespace ocim::openedx::test
