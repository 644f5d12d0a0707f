#include "loadbalancing/change.hpp"
#include "sample.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::loadbalancing {
namespace {

using namespace test;
using Words = std::vector<std::string>;

class RuntimePlanTest : public testing::Test {
protected:
    static Action action_of(const crd::LoadBalancerFragment& object, const Snapshot& seen = {}) {
        auto actions = Fragment::diff(object, inputs(), seen);
        EXPECT_EQ(actions.size(), 1U);
        return actions.empty() ? Action{} : actions[0];
    }
    /// In force are `objects`.
    static Version version(const std::vector<crd::LoadBalancerFragment>& objects) {
        Version out;
        out.name = out.loaded = "v1";
        for (const auto& object : objects) {
            const auto action = action_of(object);
            out.fragments[action.fragment] = {action.text.reveal(), false};
            for (const auto& domain : action.domains) out.domains.add(domain, action.fragment);
        }
        return out;
    }
    static std::optional<RuntimePlan> plan(const Version& now, const std::vector<Action>& actions) {
        std::vector<std::size_t> all(actions.size());
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
        return runtime_plan(now, Change(now, actions, all), "/x");
    }
    std::optional<RuntimePlan> change(const std::function<void(crd::LoadBalancerFragment&)>& how) {
        auto object = fragment();
        const auto now = version({object});
        how(object);
        return plan(now, {action_of(object)});
    }
};

TEST_F(RuntimePlanTest, WhoAnswersComesFirstAndWhoLeavesGoesLast) {
    const auto out = change([](auto& object) {
        object.spec.servers = {{"a2", "2001:db8::2", 81}};
        object.spec.domains = {"new.example.org"};
    });
    ASSERT_TRUE(out);
    const auto id = name_of() + "/";
    const auto& map = "/x/current/domains.map";
    EXPECT_EQ(out->commands,
              (Words{"add server " + id +
                         "a2 ipv6@[2001:db8::2]:81 check inter 10000ms fastinter 1000ms fall 3 rise 2 weight 1",
                     "enable health " + id + "a2", "set server " + id + "a2 state ready",
                     std::string("add map ") + map + " new.example.org " + name_of(),
                     std::string("del map ") + map + " site1.example.org", "set server " + id + "a1 state maint",
                     "del server " + id + "a1"}));
    EXPECT_EQ(out->expected, (Words{"server " + id + "a2 2001:db8::2 81 1", "gone " + id + "a1",
                                    "map new.example.org " + name_of(), "unmapped site1.example.org"}));
}

TEST_F(RuntimePlanTest, TellsAddressAndWeight) {
    const auto out = change([](auto& object) {
        object.spec.servers[0].address = "192.0.2.9";
        object.spec.servers[0].standby = true;
    });
    ASSERT_TRUE(out);
    const auto id = name_of() + "/a1";
    EXPECT_EQ(out->commands, (Words{"set server " + id + " addr 192.0.2.9 port 80", "set server " + id + " weight 0"}));
    EXPECT_EQ(out->expected, Words{"server " + id + " 192.0.2.9 80 0"});
}

TEST_F(RuntimePlanTest, ARemarkNeedsNothing) {
    const auto now = version({fragment()});
    const auto retained = Fragment::remove(
        [] {
            auto object = fragment();
            object.spec.deletion_policy = Spec::DeletionPolicy::retain;
            return object;
        }(),
        "prod", now.snapshot());
    const auto out = plan(now, retained);
    ASSERT_TRUE(out);
    EXPECT_TRUE(out->commands.empty()) << "retained: only the mark says so";
}

TEST_F(RuntimePlanTest, WhatGoesGetsNoVisitors) {
    const auto now = version({fragment(1), fragment(2)});
    const auto out = plan(now, Fragment::remove(fragment(1), "prod", now.snapshot()));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->commands, (Words{"del map /x/current/domains.map site1.example.org",
                                    "set server " + name_of() + "/a1 state maint"}));
}

TEST_F(RuntimePlanTest, IsNoneForWhatOnlyAReloadPutsInForce) {
    const struct {
        const char* reason;
        std::function<void(crd::LoadBalancerFragment&)> how;
    } rows[] = {
        {"another check", [](auto& object) { object.spec.health_check.interval = "7s"; }},
        {"another line", [](auto& object) { object.spec.health_check.path = "/"; }},
        {"no server: another kind of backend", [](auto& object) { object.spec.servers.clear(); }},
        {"another backend", [](auto& object) { object.metadata.name = "other"; }},
    };
    for (const auto& row : rows) EXPECT_FALSE(change(row.how)) << row.reason;

    auto sticky = fragment();
    sticky.spec.stickiness = Spec::Stickiness{"SRV", Spec::Stickiness::Source::load_balancer};
    auto now = version({sticky});
    sticky.spec.servers[0].standby = true;
    EXPECT_TRUE(plan(now, {action_of(sticky)}));
    sticky.spec.servers.push_back({"a2", "192.0.2.6", 80});
    EXPECT_FALSE(plan(now, {action_of(sticky)})) << "a server with a cookie cannot be added";

    auto object = fragment();
    object.spec.domains.push_back("more.example.org");
    now = version({fragment()});
    EXPECT_TRUE(plan(now, {action_of(object)}));
    now.loaded = "v0";
    EXPECT_FALSE(plan(now, {action_of(object)})) << "who knows what the process has";
    now = version({fragment()});
    now.domains.add("x.org", "strange");
    now.domains.add("x.org", "stranger");
    EXPECT_FALSE(plan(now, {action_of(object)})) << "of two lines of a host nobody can say which goes";
}

TEST_F(RuntimePlanTest, IsMadeInTimeThatGrowsWithWhatIsThere) {
    // what takes time by the square would take an hour
    constexpr int count = 50'000;
    Version now;
    now.name = now.loaded = "v1";
    std::vector<Action> actions;
    for (int n = 0; n < count; ++n) {
        const auto text = "backend b" + std::to_string(n) + "\n  server a1 192.0.2.5:80 check";
        const auto name = "b" + std::to_string(n), domain = name + ".example.org";
        now.fragments[name] = {text + "\n", false};
        now.domains.add(domain, name);
        actions.push_back({Action::Verb::update, name, Secret(text + " weight 0\n"), {domain}, mark(n)});
    }
    std::vector<std::size_t> all(actions.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const Change change(now, actions, all);
    const auto out = runtime_plan(now, change, "/x");
    ASSERT_TRUE(out);
    EXPECT_EQ(out->commands.size(), actions.size());
    EXPECT_FALSE(input_for(change, out, "/x").empty());
    const Leads before(now.domains), after(change.domains);
    for (const auto& action : actions) EXPECT_EQ(done(action, before, after).now.size(), 2U);
}

}  // namespace
}  // namespace ocim::loadbalancing
