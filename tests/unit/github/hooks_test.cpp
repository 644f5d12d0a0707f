#include "webhooks/hooks.hpp"

#include <gtest/gtest.h>

namespace ocim::webhooks {
namespace {

TEST(Hooks, HearAsLongAsTheyWant) {
    Hooks hooks;
    EXPECT_TRUE(hooks.secrets("org/fleet").empty());
    {
        const Hooks::Hearing one(hooks, {{}, "campus", "one", {"org/fleet"}, {Secret("a"), Secret("b")}});
        const Hooks::Hearing two(hooks, {{}, "campus", "two", {"org/fleet"}, {}});
        const Hooks::Hearing other(hooks, {{}, "campus", "three", {"org/other"}, {Secret("c")}});
        EXPECT_EQ(hooks.secrets("org/fleet"), (std::vector<Secret>{Secret("a"), Secret("b")})) << "no other's";
        EXPECT_EQ(hooks.other_secrets("org/fleet"), std::vector<Secret>{Secret("c")}) << "and these are all of them";
        EXPECT_EQ(hooks.secrets("").size(), 3U);
        EXPECT_TRUE(hooks.other_secrets("").empty());
        EXPECT_EQ(hooks.listeners().size(), 3U);
    }
    EXPECT_TRUE(hooks.listeners().empty());
}

TEST(Hooks, HaveTheirSecretsTriedByTurnsOfTheNamespaces) {
    Hooks hooks;
    std::vector<std::unique_ptr<Hooks::Hearing>> hearings;
    const auto hear = [&](const char* namespace_, const char* name, std::vector<Secret> secrets) {
        hearings.push_back(std::make_unique<Hooks::Hearing>(
            hooks, Hooks::Listener{{}, namespace_, name, {"org/fleet"}, std::move(secrets)}));
    };
    hear("many", "c", {Secret("m4")});
    hear("few", "x", {Secret("f1"), Secret("f2")});
    hear("many", "a", {Secret("m1"), Secret("m2")});
    hear("many", "b", {Secret("m3")});
    hear("one", "z", {Secret("o1")});
    std::vector<std::string> order;
    for (const auto& secret : hooks.secrets("org/fleet")) order.push_back(secret.reveal());
    EXPECT_EQ(order, (std::vector<std::string>{"f1", "m1", "o1", "f2", "m2", "m3", "m4"}));
    EXPECT_EQ(hooks.other_secrets("org/other"), hooks.secrets("org/fleet")) << "of others too";
}

TEST(Hooks, AreConcernedByTheirRepositories) {
    const Hooks::Listener github{{}, "campus", "one", {"openedx/edx-platform", "org/Fleet"}, {}};
    const Hooks::Listener below{{}, "campus", "two", {"gitea/org/fleet"}, {}};
    const struct {
        const char* reason;
        const Hooks::Listener& listener;
        const char* repository;
        bool concerned;
    } cases[] = {
        {"one of them", github, "org/Fleet", true},
        {"no case is told apart", github, "Org/fleet", true},
        {"about people", github, "", true},
        {"another one", github, "org/fleet2", false},
        {"another owner", github, "borg/fleet", false},
        {"the end of a word", github, "rg/Fleet", false},
        {"a service below a path of its host", below, "org/fleet", true},
        {"the whole path", below, "gitea/org/fleet", true},
        {"more than the path", below, "x/gitea/org/fleet", false},
    };
    for (const auto& c : cases) EXPECT_EQ(concerns(c.listener, c.repository), c.concerned) << c.reason;
}

}  // namespace
}  // namespace ocim::webhooks
