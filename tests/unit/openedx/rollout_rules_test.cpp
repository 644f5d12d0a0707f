#include "rollout_sample.hpp"

/// What stays and what goes, line by line; and how one set of AppServers takes over from another.
namespace ocim::openedx {
namespace {

using namespace test;
using namespace std::chrono_literals;
using Activation = crd::Instance::Spec::Rollout::Activation;

AppServer serving(int number, const std::string& hash) { return made(number, hash, Phase::running, true, true); }
AppServer idle(int number, const std::string& hash) { return made(number, hash, Phase::running); }

Names kept(const Plan& plan) {
    Names out;
    for (const auto& item : plan.appservers)
        if (std::ranges::find(plan.fresh, item.name) == plan.fresh.end()) out.push_back(item.name);
    return out;
}
Names active(const Plan& plan) {
    Names out;
    for (const auto& item : plan.appservers)
        if (item.active) out.push_back(item.name);
    return out;
}

// --- what is kept, and what is terminated when

TEST(RolloutRules, WhatStaysAndWhatGoes) {
    const auto long_ago = "2026-11-20T11:59:00Z";  // more than 48 h
    const auto lately = "2026-11-22T11:00:00Z";
    const struct {
        const char* reason;
        Activation activation;
        std::vector<AppServer> all;  // newest first; "a" is wanted
        Names kept, candidates, fallbacks;
    } cases[] = {
        {"what is active stays, whatever its age",
         Activation::automatic,
         {activated(serving(1, "a"), long_ago)},
         {"demo-1"},
         {},
         {}},
        {"made before the activation, running, activation younger than keepFallbackFor: the fallback",
         Activation::automatic,
         {serving(2, "a"), left(idle(1, "old"), lately)},
         {"demo-2", "demo-1"},
         {},
         {"demo-1"}},
        {"it need not have served",
         Activation::automatic,
         {serving(2, "a"), idle(1, "old")},
         {"demo-2", "demo-1"},
         {},
         {"demo-1"}},
        {"the activation is older: it goes",
         Activation::automatic,
         {activated(serving(2, "a"), long_ago), left(idle(1, "old"), long_ago)},
         {"demo-2"},
         {},
         {}},
        {"however: not while what replaced it fails the load balancer's checks",
         Activation::automatic,
         {checked_as(activated(serving(2, "a"), long_ago), "False"), left(idle(1, "old"), long_ago)},
         {"demo-2", "demo-1"},
         {},
         {"demo-1"}},
        {"a fallback is kept already: the one before it goes",
         Activation::automatic,
         {serving(3, "a"), left(idle(2, "b"), lately), left(idle(1, "c"), long_ago)},
         {"demo-3", "demo-2"},
         {},
         {"demo-2"}},
        {"what served last, not what was made last",
         Activation::automatic,
         {serving(3, "a"), left(idle(2, "b"), long_ago), left(idle(1, "c"), lately)},
         {"demo-3", "demo-1"},
         {},
         {"demo-1"}},
        {"made before the activation and not running: it is no fallback, and a failure has its own time",
         Activation::automatic,
         {serving(2, "a"), failed(1, "old", long_ago, "ConfigurationFailed")},
         {"demo-2"},
         {},
         {}},
        {"that one is over only after retainFailedFor",
         Activation::automatic,
         {serving(2, "a"), failed(1, "old", lately, "ConfigurationFailed")},
         {"demo-2", "demo-1"},
         {},
         {}},
        {"the newest failure only",
         Activation::automatic,
         {serving(3, "a"), failed(2, "old", lately, "ConfigurationFailed"),
          failed(1, "old", lately, "ConfigurationFailed")},
         {"demo-3", "demo-2"},
         {},
         {}},
        {"made after the activation, running, not active: the release candidate",
         Activation::manual,
         {idle(2, "a"), activated(serving(1, "old"), long_ago)},
         {"demo-2", "demo-1"},
         {"demo-2"},
         {}},
        {"an older candidate goes when a newer one runs",
         Activation::manual,
         {idle(3, "a"), idle(2, "b"), activated(serving(1, "old"), long_ago)},
         {"demo-3", "demo-1"},
         {"demo-3"},
         {}},
        {"it stays as long as the newer one is only being made",
         Activation::manual,
         {made(3, "a", Phase::configuring), idle(2, "b"), activated(serving(1, "old"), long_ago)},
         {"demo-3", "demo-2", "demo-1"},
         {},
         {}},
        {"nothing is active: the newest that runs is the candidate",
         Activation::manual,
         {idle(2, "a"), idle(1, "a")},
         {"demo-2"},
         {"demo-2"},
         {}},
        {"candidate and fallback are there together",
         Activation::manual,
         {idle(3, "a"), serving(2, "b"), left(idle(1, "c"), lately)},
         {"demo-3", "demo-2", "demo-1"},
         {"demo-3"},
         {"demo-1"}},
        {"what is being made stays if it is wanted",
         Activation::automatic,
         {made(3, "a", Phase::configuring), serving(2, "b"), left(idle(1, "c"), lately)},
         {"demo-3", "demo-2", "demo-1"},
         {},
         {"demo-1"}},
        {"and goes, a machine in the middle of it too, if nobody wants it any more",
         Activation::automatic,
         {made(3, "b", Phase::waiting_for_machine), serving(2, "a")},
         {"demo-2"},
         {},
         {}},
        {"what was just left stays until visitors have left it too",
         Activation::automatic,
         {activated(serving(3, "a"), "2026-11-22T11:59:00Z"), left(idle(2, "b"), "2026-11-22T11:59:30Z"),
          left(idle(1, "c"), "2026-11-22T11:59:20Z")},
         {"demo-3", "demo-2", "demo-1"},
         {},
         {"demo-2"}},
    };
    for (const auto& c : cases) {
        auto site = instance(7);
        site.spec.rollout.activation = c.activation;
        const auto plan = plan_rollout(site, c.all, wanted("a", false), now);
        EXPECT_EQ(kept(plan), c.kept) << c.reason;
        EXPECT_EQ(plan.candidates, c.candidates) << c.reason;
        EXPECT_EQ(plan.fallbacks, c.fallbacks) << c.reason;
    }
}

// --- one takes over from another

TEST(RolloutRules, OneTakesOverFromAnother) {
    const auto old = serving(1, "old");
    const auto fresh = activated(serving(2, "a"), "2026-11-22T11:59:58Z");
    const struct {
        const char* reason;
        std::vector<AppServer> all;
        Names active, standby;
        const char* stage;
    } cases[] = {
        {"it is being made", {made(2, "a", Phase::configuring), old}, {"demo-1"}, {}, "Provisioning"},
        {"it runs: the load balancer checks it, without visitors",
         {idle(2, "a"), old},
         {"demo-1"},
         {"demo-2"},
         "Verifying"},
        {"the checks fail: for a while that may be",
         {checked_as(idle(2, "a"), "False"), old},
         {"demo-1"},
         {"demo-2"},
         "Verifying"},
        {"they pass: it serves beside the other",
         {checked_as(idle(2, "a"), "True"), old},
         {"demo-2", "demo-1"},
         {},
         "Activating"},
        {"it is not in rotation yet",
         {checked_as(made(2, "a", Phase::running, true), "True"), old},
         {"demo-2", "demo-1"},
         {},
         "Activating"},
        {"it is, and was not checked there yet",
         {checked_as(fresh, "Unknown"), old},
         {"demo-2", "demo-1"},
         {},
         "Activating"},
        {"it was, but not for long enough", {fresh, old}, {"demo-2", "demo-1"}, {}, "Activating"},
        {"it was: the other leaves", {activated(fresh, "2026-11-22T11:59:55Z"), old}, {"demo-2"}, {}, "Activating"},
        {"those who are connected to the other have their time",
         {fresh, left(idle(1, "old"), "2026-11-22T11:59:59Z")},
         {"demo-2"},
         {"demo-1"},
         "RolledOut"},
        {"that it left is not written down yet",
         {fresh, activated(idle(1, "old"), "2026-11-22T11:00:00Z")},
         {"demo-2"},
         {"demo-1"},
         "RolledOut"},
        {"then it is only there to go back to",
         {fresh, left(idle(1, "old"), "2026-11-22T11:58:59Z")},
         {"demo-2"},
         {},
         "RolledOut"},
        {"nobody serves: there is nothing to protect",
         {idle(2, "a"), left(idle(1, "old"), "2026-11-22T10:00:00Z")},
         {"demo-2"},
         {},
         "Activating"},
        {"the other is in rotation and does not run",
         {idle(2, "a"), made(1, "old", Phase::error, true, true)},
         {"demo-2", "demo-1"},
         {},
         "Activating"},
    };
    for (const auto& c : cases) {
        const auto plan = plan_rollout(instance(2), c.all, wanted("a"), now);
        EXPECT_EQ(active(plan), c.active) << c.reason;
        EXPECT_EQ(plan.standby, c.standby) << c.reason;
        EXPECT_EQ(plan.stage.reason, c.stage) << c.reason << ": " << plan.stage.message;
        EXPECT_EQ(plan.stage.done, c.stage == std::string("RolledOut")) << c.reason;
        EXPECT_TRUE(plan.fresh.empty()) << c.reason;
    }
    EXPECT_EQ(plan_rollout(instance(2), {fresh, old}, wanted("a"), now).look_again_at, now + 3s) << "5 s are over then";
}

TEST(RolloutRules, WhatFailsInRotationGoesBack) {
    auto site = instance(2);
    const auto old = serving(1, "old");
    const auto broken = checked_as(serving(2, "a"), "False");
    auto plan = plan_rollout(site, {broken, old}, wanted("a"), now);
    EXPECT_EQ(active(plan), Names{"demo-1"}) << "the old one goes on alone";
    EXPECT_EQ(plan.attempts.rejected, Names{"demo-2"});
    EXPECT_EQ(plan.attempts.attempts, 1);
    EXPECT_EQ(plan.attempts.message,
              "it was put in rotation and failed there, so the others go on alone: the load balancer's check fails: "
              "L7STS/503");
    EXPECT_EQ(plan.stage.reason, "Retrying") << plan.stage.message;
    EXPECT_NE(plan.stage.message.find("those that served go on"), std::string::npos);
    site.status.rollout = plan.attempts;
    const auto again = left(checked_as(idle(2, "a"), "True"), rfc3339(now));
    plan = plan_rollout(site, {again, old}, wanted("a"), now + 31s);
    EXPECT_EQ(active(plan), Names{"demo-1"}) << "what failed once is not tried again, whatever it says later";
    EXPECT_EQ(plan.fresh, Names{"demo-3"}) << "but another is";
    EXPECT_EQ(kept(plan), (Names{"demo-2", "demo-1"})) << "it stays to be looked at";
    site.status.rollout->attempts = 2;
    plan = plan_rollout(site, {again, old}, wanted("a"), now + 49h);
    EXPECT_TRUE(plan.given_up);
    EXPECT_EQ(plan.stage.reason, "GaveUp");
    EXPECT_EQ(kept(plan), Names{"demo-1"}) << "for retainFailedFor";
    // where nobody else serves, the load balancer keeps visitors away better than we could
    EXPECT_EQ(active(plan_rollout(instance(2), {broken}, wanted("a"), now)), Names{"demo-2"});
}

TEST(RolloutRules, WhatNeverPassesACheckIsNotShown) {
    auto site = instance(2);
    const auto old = serving(1, "old");
    const auto mute = checked_as(idle(2, "a"), "False", "2026-11-22T11:55:01Z");
    auto plan = plan_rollout(site, {mute, old}, wanted("a"), now);
    EXPECT_EQ(plan.attempts.rejected, Names{}) << "it has the time that a class gives its sites";
    EXPECT_EQ(plan.look_again_at, now + 1s);
    plan = plan_rollout(site, {mute, old}, wanted("a"), now + 1s);
    EXPECT_EQ(plan.attempts.rejected, Names{"demo-2"});
    EXPECT_EQ(active(plan), Names{"demo-1"});
    EXPECT_EQ(plan.standby, Names{}) << "and needs no place at the load balancer";
    site.status.rollout = plan.attempts;
    site.metadata.annotations["ocim.opencraft.com/reconcile-at"] = "2026-11-22T12:01:00Z";
    plan = plan_rollout(site, {checked_as(mute, "True"), old}, wanted("a"), now + 1min);
    EXPECT_EQ(active(plan), (Names{"demo-2", "demo-1"})) << "a person asks for another try";
    site.status.rollout = plan_rollout(site, {mute, old}, wanted("a"), now + 1min).attempts;
    site.spec.rollout.attempts = 1;
    plan = plan_rollout(site, {mute, old}, wanted("a"), now + 2min);
    EXPECT_EQ(plan.attempts.rejected, Names{"demo-2"}) << "it still gives no proper answer";
    EXPECT_EQ(plan.fresh, Names{"demo-3"}) << "and what was asked for is a new one";
    EXPECT_EQ(plan_rollout(instance(2), {checked_as(mute, "Unknown"), old}, wanted("a"), now + 24h).attempts.rejected,
              Names{})
        << "what nobody could say is no failure";
}

// --- back

TEST(RolloutRules, GoingBackIsQuickBecauseTheFallbackRuns) {
    const std::vector<AppServer> all{serving(2, "b"), left(idle(1, "a"), "2026-11-22T11:00:05Z")};
    auto plan = plan_rollout(instance(2), all, wanted("a"), now);
    EXPECT_TRUE(plan.fresh.empty()) << "nothing is provisioned";
    EXPECT_EQ(plan.standby, Names{"demo-1"}) << "it is checked, and serves a moment later";
    const std::vector<AppServer> checked{all[0], checked_as(all[1], "True")};
    EXPECT_EQ(active(plan_rollout(instance(2), checked, wanted("a"), now)), (Names{"demo-2", "demo-1"}));
    const std::vector<AppServer> back{left(idle(2, "b"), rfc3339(now)), activated(serving(1, "a"), rfc3339(now))};
    plan = plan_rollout(instance(2), back, wanted("a"), now + 61s);
    EXPECT_EQ(plan.stage.reason, "RolledOut");
    EXPECT_EQ(plan.fallbacks, Names{"demo-2"}) << "and forward again is as quick";
}

// --- more than one

TEST(RolloutRules, AsManyAsThereAreToBe) {
    const auto up = [](int n) { return checked_as(idle(n, "a"), "True"); };
    const auto by = [](int n) { return activated(serving(n, "a"), "2026-11-22T11:59:50Z"); };
    const auto old1 = serving(1, "old"), old2 = serving(2, "old");
    const struct {
        const char* reason;
        std::vector<AppServer> all;
        Names active, standby, fresh;
        const char* stage;
    } cases[] = {
        {"the first of a new configuration is made alone",
         {old2, old1},
         {"demo-2", "demo-1"},
         {},
         {"demo-3"},
         "Provisioning"},
        {"as long as it is being made",
         {made(3, "a", Phase::configuring), old2, old1},
         {"demo-2", "demo-1"},
         {},
         {},
         "Provisioning"},
        {"when it runs, the others",
         {idle(3, "a"), old2, old1},
         {"demo-2", "demo-1"},
         {"demo-3"},
         {"demo-4", "demo-5"},
         "Provisioning"},
        {"they are waited for",
         {made(5, "a", Phase::configuring), up(4), up(3), old2, old1},
         {"demo-2", "demo-1"},
         {"demo-4", "demo-3"},
         {},
         "Provisioning"},
        {"all are checked",
         {idle(5, "a"), up(4), up(3), old2, old1},
         {"demo-2", "demo-1"},
         {"demo-5", "demo-4", "demo-3"},
         {},
         "Verifying"},
        {"they begin together",
         {up(5), up(4), up(3), old2, old1},
         {"demo-5", "demo-4", "demo-3", "demo-2", "demo-1"},
         {},
         {},
         "Activating"},
        {"the old ones leave when all serve",
         {by(5), by(4), checked_as(made(3, "a", Phase::running, true), "True"), old2, old1},
         {"demo-5", "demo-4", "demo-3", "demo-2", "demo-1"},
         {},
         {},
         "Activating"},
        {"together too", {by(5), by(4), by(3), old2, old1}, {"demo-5", "demo-4", "demo-3"}, {}, {}, "Activating"},
        {"one of the new ones fails: all of the old ones go on",
         {by(5), by(4), checked_as(by(3), "False"), old2, old1},
         {"demo-2", "demo-1"},
         {"demo-5", "demo-4"},
         {},
         "Retrying"},
        {"one that fails before: nobody sees any of them",
         {failed(5, "a", "2026-11-22T11:59:50Z", "ConfigurationFailed"), up(4), up(3), old2, old1},
         {"demo-2", "demo-1"},
         {"demo-4", "demo-3"},
         {},
         "Retrying"},
        {"nobody serves: each begins when it runs",
         {made(5, "a", Phase::configuring), idle(4, "a"), idle(3, "a")},
         {"demo-4", "demo-3"},
         {},
         {},
         "Provisioning"},
        {"one more, of the same configuration: it is made, those that serve go on",
         {by(4), by(3)},
         {"demo-4", "demo-3"},
         {},
         {"demo-5"},
         "Provisioning"},
        {"it is checked first", {idle(5, "a"), by(4), by(3)}, {"demo-4", "demo-3"}, {"demo-5"}, {}, "Verifying"},
        {"one too many: the oldest leaves",
         {by(6), by(5), by(4), by(3)},
         {"demo-6", "demo-5", "demo-4"},
         {},
         {},
         "Activating"},
        {"and goes when visitors have left it",
         {by(6), by(5), by(4), left(idle(3, "a"), "2026-11-22T11:59:30Z")},
         {"demo-6", "demo-5", "demo-4"},
         {"demo-3"},
         {},
         "RolledOut"},
    };
    for (const auto& c : cases) {
        auto site = instance(2);
        site.spec.rollout.replicas = 3;
        const auto plan = plan_rollout(site, c.all, wanted("a"), now);
        EXPECT_EQ(active(plan), c.active) << c.reason;
        EXPECT_EQ(plan.standby, c.standby) << c.reason;
        EXPECT_EQ(plan.fresh, c.fresh) << c.reason;
        EXPECT_EQ(plan.stage.reason, c.stage) << c.reason << ": " << plan.stage.message;
    }
}

TEST(RolloutRules, AllThatServedBeforeAreTheFallback) {
    auto site = instance(4);
    site.spec.rollout.replicas = 2;
    const std::vector<AppServer> all{serving(4, "a"), serving(3, "a"), left(idle(2, "old"), "2026-11-22T11:00:05Z"),
                                     left(idle(1, "old"), "2026-11-22T11:00:05Z")};
    const auto plan = plan_rollout(site, all, wanted("a"), now);
    EXPECT_EQ(plan.fallbacks, (Names{"demo-2", "demo-1"}));
    EXPECT_EQ(plan.look_again_at, *parse_rfc3339("2026-11-24T11:00:00Z"));
    EXPECT_EQ(kept(plan_rollout(site, all, wanted("a"), *plan.look_again_at)), (Names{"demo-4", "demo-3"}));
}

TEST(RolloutRules, OfSeveralThatFailTogetherEachIsCountedOnce) {
    auto site = instance(3);
    site.spec.rollout.replicas = 3;
    site.spec.rollout.attempts = 5;
    const auto third = failed(3, "a", "2026-11-22T11:58:00Z", "ConfigurationFailed");
    auto plan = plan_rollout(site, {third, made(2, "a", Phase::configuring), idle(1, "a")}, wanted("a"), now);
    EXPECT_EQ(plan.attempts.attempts, 1);
    site.status.rollout = plan.attempts;
    const auto second = failed(2, "a", "2026-11-22T11:59:00Z", "ConfigurationFailed");
    plan = plan_rollout(site, {third, second, idle(1, "a")}, wanted("a"), now);
    EXPECT_EQ(plan.attempts.attempts, 2) << "the older one failed later";
    site.status.rollout = plan.attempts;
    EXPECT_EQ(plan_rollout(site, {third, second, idle(1, "a")}, wanted("a"), now).attempts, plan.attempts);
}

// --- by hand

TEST(RolloutRules, ByHandWhatIsDeactivatedLeavesInPeace) {
    auto site = instance(3);
    site.spec.rollout.strategy = crd::Instance::Spec::Rollout::Strategy::manual;
    auto mine = left(idle(1, ""), "2026-11-22T11:59:30Z");
    mine.spec.configuration_hash.reset();
    const auto plan = plan_rollout(site, {idle(3, "c"), serving(2, "b"), mine}, wanted("a"), now);
    EXPECT_EQ(plan.standby, Names{"demo-1"}) << "whoever made it";
    EXPECT_EQ(plan.look_again_at, now + 30s);
    EXPECT_EQ(plan.candidates, Names{"demo-3"});
    EXPECT_EQ(plan.fallbacks, Names{"demo-1"});
    EXPECT_EQ(plan.stage, (Stage{true, "Manual", "people make AppServers and set their spec.active"}));
}

}  // namespace
}  // namespace ocim::openedx
