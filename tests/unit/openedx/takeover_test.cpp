#include "campus.hpp"
#include "openedx/traffic.hpp"

#include <gtest/gtest.h>

/// Who is behind the load balancer while one AppServer takes over from another.
namespace ocim::openedx {
namespace {

using test::Campus;
using test::finding;
using test::set_condition;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;
using Strategy = crd::Instance::Spec::Rollout::Strategy;

/// "demo-2 demo-1(standby)"
std::string behind(Campus& campus) {
    std::string out;
    const auto* servers = api::find(*campus.child("LoadBalancerFragment", "demo-http"), {"spec", "servers"});
    if (!servers) return out;
    for (const auto& server : servers->get_array()) {
        const auto* waits = api::find(server, {"standby"});
        out += (out.empty() ? "" : " ") + std::string(api::find_text(server, {"name"}));
        if (waits && waits->get_bool()) out += "(standby)";
    }
    return out;
}

bool is_active(Campus& campus, const std::string& name) {
    const auto* active = api::find(*campus.child("AppServer", name), {"spec", "active"});
    return active && active->get_bool();
}

TEST(Takeover, IsAStepAtATime) {
    auto campus = Campus::serving();
    EXPECT_EQ(finding(campus.compose(), "RolledOut")->status, "True");
    campus.instance.spec.display_name = "Another name";
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), (Names{"demo-1", "demo-2"}));
    EXPECT_EQ(behind(campus), "demo-1");
    campus.appserver("demo-2", "Running");
    auto said = campus.settle();
    EXPECT_EQ(behind(campus), "demo-1 demo-2(standby)");
    EXPECT_FALSE(is_active(campus, "demo-2"));
    EXPECT_EQ(campus.instance.status.candidate_app_servers, Names{"demo-2"});
    EXPECT_EQ(finding(said, "RolledOut")->reason, "Verifying");
    EXPECT_EQ(said.verdict.reason, "Serving") << "the site is served meanwhile";
    campus.balance();  // the check passes
    campus.settle();
    EXPECT_TRUE(is_active(campus, "demo-2"));
    EXPECT_EQ(behind(campus), "demo-2 demo-1");
    campus.balance();
    said = campus.settle();
    EXPECT_EQ(finding(said, "RolledOut")->reason, "Activating");
    EXPECT_TRUE(is_active(campus, "demo-1")) << "not long enough";
    ASSERT_TRUE(said.look_again);
    campus.now += *said.look_again;
    said = campus.settle();
    EXPECT_FALSE(is_active(campus, "demo-1"));
    EXPECT_EQ(behind(campus), "demo-2 demo-1(standby)") << "who is there may finish";
    EXPECT_EQ(campus.instance.status.fallback_app_servers, Names{"demo-1"});
    api::make_object(*campus.child("AppServer", "demo-1"), {"status"}).erase("activatedAt");
    api::make_object(*campus.child("AppServer", "demo-1"), {"status"})["deactivatedAt"] = rfc3339(campus.now);
    campus.balance();
    campus.now += 61s;
    EXPECT_EQ(finding(campus.settle(), "RolledOut")->status, "True");
    EXPECT_EQ(behind(campus), "demo-2");
    EXPECT_EQ(campus.names("AppServer"), (Names{"demo-1", "demo-2"})) << "to go back to";
    campus.now += 48h;
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-2"});
}

TEST(Takeover, TheConditionSaysWhyNothingNewServes) {
    auto campus = Campus::serving();
    campus.instance.spec.rollout.attempts = 1;
    campus.instance.spec.display_name = "Broken";
    campus.settle();
    campus.appserver("demo-2", "ConfigurationFailed", "task \"migrate\" failed (exit code 2)");
    const auto said = campus.settle();
    EXPECT_EQ(
        *finding(said, "RolledOut"),
        (runtime::Finding{"RolledOut", "False", "GaveUp",
                          "1 attempts failed, the last one: AppServer demo-2: task \"migrate\" failed (exit code 2); "
                          "those that served go on"}));
    EXPECT_EQ(said.verdict.reason, "Serving");
    EXPECT_EQ(behind(campus), "demo-1");
}

TEST(Takeover, WhatAPersonActivatesIsCheckedBeforeItServesBesideOthers) {
    auto campus = Campus::serving();
    campus.instance.spec.rollout.strategy = Strategy::manual;
    campus.persons_appserver("mine-7", true);
    campus.appserver("mine-7", "Running");
    campus.settle();
    EXPECT_EQ(behind(campus), "demo-1 mine-7(standby)");
    campus.balance();
    campus.settle();
    EXPECT_EQ(behind(campus), "mine-7 demo-1");
    campus.balance();
    campus.child("AppServer", "demo-1")->at("spec").as_object()["active"] = false;
    campus.settle();
    EXPECT_EQ(behind(campus), "mine-7 demo-1(standby)");
    EXPECT_FALSE(is_active(campus, "demo-1")) << "what a person said is left as it is";
    campus.child("AppServer", "mine-7")->at("spec").as_object()["active"] = false;
    campus.settle();
    EXPECT_EQ(behind(campus), "") << "nobody serves: the preliminary page does";
}

TEST(Takeover, WhoIsBehindTheLoadBalancer) {
    const auto made = [](const std::string& name, bool active, const std::string& healthy, bool runs = true) {
        crd::AppServer out;
        out.metadata.name = name;
        out.spec.active = active;
        out.status.phase = runs ? crd::AppServer::Status::Phase::running : crd::AppServer::Status::Phase::rebooting;
        out.status.addresses = {"192.0.2.1"};
        api::Condition condition;
        condition.type = "Healthy";
        condition.status = healthy;
        out.status.conditions.push_back(condition);
        return out;
    };
    const struct {
        const char* reason;
        std::vector<crd::AppServer> all;
        Names rotation, names, serving, standby;
    } cases[] = {
        {"nobody serves: whoever is active does",
         {made("a", true, "Unknown"), made("b", true, "False")},
         {},
         {},
         {"b", "a"},
         {}},
        {"beside others: who passed the check",
         {made("a", true, "True"), made("b", true, "True"), made("c", true, "Unknown"), made("d", true, "False")},
         {"a"},
         {},
         {"b", "a"},
         {"c", "d"}},
        {"who serves goes on, whatever the check says: the load balancer acts on it itself",
         {made("a", true, "False"), made("b", true, "True")},
         {"a", "b"},
         {},
         {"b", "a"},
         {}},
        {"who serves and does not run protects nobody",
         {made("a", true, "True", false), made("b", true, "Unknown")},
         {"a"},
         {},
         {"b"},
         {}},
        {"who is not active and is named",
         {made("a", true, "True"), made("b", false, "True"), made("c", false, "True")},
         {"a"},
         {"c"},
         {"a"},
         {"c"}},
        {"without anybody who serves there is no standby", {made("a", false, "True")}, {}, {"a"}, {}, {}},
        {"what does not run is not there",
         {made("a", true, "True"), made("b", true, "True", false)},
         {"a"},
         {"b"},
         {"a"},
         {}},
    };
    const auto names = [](const std::vector<crd::AppServer>& items) {
        Names out;
        for (const auto& item : items) out.push_back(item.metadata.name);
        return out;
    };
    for (const auto& c : cases) {
        const auto serving = serving_of(c.all, c.rotation);
        EXPECT_EQ(names(serving), c.serving) << c.reason;
        EXPECT_EQ(names(standby_of(c.all, serving, c.names)), c.standby) << c.reason;
    }
}

}  // namespace
}  // namespace ocim::openedx
