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
        EXPECT_EQ(hooks.secrets("").size(), 3U);
        EXPECT_EQ(hooks.listeners().size(), 3U);
    }
    EXPECT_TRUE(hooks.listeners().empty());
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
