#include "rollout_sample.hpp"

#include <gtest/gtest.h>

namespace ocim::openedx {
namespace {

using namespace test;
using namespace std::chrono_literals;

TEST(Rollout, AReleaseCandidateWaitsForAPersonWhereActivationIsManual) {
    auto site = instance(2);
    site.spec.rollout.activation = crd::Instance::Spec::Rollout::Activation::manual;
    const std::vector<AppServer> all{made(2, "a", Phase::running), made(1, "old", Phase::running, true, true)};
    auto plan = plan_rollout(site, all, wanted("a"), now);
    EXPECT_EQ(plan.appservers, (Planned{{"demo-2", "a", false}, {"demo-1", "old", true}})) << "and no third is made";
    const std::vector<AppServer> first{made(1, "a", Phase::running)};
    EXPECT_EQ(plan_rollout(site, first, wanted("a"), now).appservers, (Planned{{"demo-1", "a", false}}))
        << "the first too";
    const std::vector<AppServer> serving{made(1, "a", Phase::running, true, true)};
    EXPECT_EQ(plan_rollout(site, serving, wanted("a"), now).appservers, (Planned{{"demo-1", "a", true}}))
        << "what serves goes on";
    site.spec.rollout.activation = crd::Instance::Spec::Rollout::Activation::automatic;
    const std::vector<AppServer> good{checked_as(made(2, "a", Phase::running), "True"), all[1]};
    plan = plan_rollout(site, good, wanted("a"), now);
    EXPECT_EQ(plan.appservers, (Planned{{"demo-2", "a", true}, {"demo-1", "old", true}})) << "he says so";
}

TEST(Rollout, Table) {
    auto deleted = made(1, "a", Phase::running, true, true);
    deleted.metadata.deletion_timestamp = "2026-11-22T11:59:00Z";
    auto persons = made(7, "", Phase::running, true, true);
    persons.spec.configuration_hash.reset();
    const struct {
        const char* reason;
        std::vector<AppServer> all;
        bool data_ready;
        Planned wanted;
    } cases[] = {
        {"the first one", {}, true, {{"demo-1", "a", false}}},
        {"not before there are databases", {}, false, {}},
        {"one that is being made is waited for", {made(1, "a", Phase::configuring)}, true, {{"demo-1", "a", false}}},
        {"one that has not reported yet too", {made(1, "a", std::nullopt)}, true, {{"demo-1", "a", false}}},
        {"it runs: it serves", {made(1, "a", Phase::running)}, true, {{"demo-1", "a", true}}},
        {"a failure is tried once more a little later, on a new machine, and kept for looking at",
         {made(1, "a", Phase::configuration_failed)},
         true,
         {{"demo-1", "a", false}, {"demo-2", "a", false}}},
        {"not at once",
         {failed(1, "a", "2026-11-22T11:59:40Z", "ConfigurationFailed")},
         true,
         {{"demo-1", "a", false}}},
        {"and no more than spec.rollout.attempts; only the newest failure is kept",
         {made(2, "a", Phase::error), made(1, "a", Phase::configuration_failed)},
         true,
         {{"demo-2", "a", false}}},
        {"what could not be fetched does not count",
         {failed(2, "a", "2026-11-22T11:40:00Z", "FetchFailed"), failed(1, "a", "2026-11-22T11:38:00Z", "FetchFailed")},
         true,
         {{"demo-2", "a", false}, {"demo-3", "a", false}}},
        {"what its requirements come from could not be reached: neither",
         {failed(2, "a", "2026-11-22T11:40:00Z", "DownloadFailed"),
          failed(1, "a", "2026-11-22T11:38:00Z", "FetchFailed")},
         true,
         {{"demo-2", "a", false}, {"demo-3", "a", false}}},
        {"but not at once", {failed(1, "a", "2026-11-22T11:59:40Z", "DownloadFailed")}, true, {{"demo-1", "a", false}}},
        {"a wrong requirements file stays wrong: it counts",
         {failed(2, "a", "2026-11-22T11:40:00Z", "RequirementsFailed"),
          failed(1, "a", "2026-11-22T11:38:00Z", "RequirementsFailed")},
         true,
         {{"demo-2", "a", false}}},
        {"a failure is not kept for ever",
         {made(3, "a", Phase::running, true, true), failed(2, "a", "2026-11-19T11:00:00Z", "ConfigurationFailed")},
         true,
         {{"demo-3", "a", true}}},
        {"back to a configuration whose server runs: the ones that failed meanwhile go, but the newest",
         {failed(3, "b", "2026-11-22T11:00:00Z", "ConfigurationFailed"),
          failed(2, "b", "2026-11-22T10:00:00Z", "ConfigurationFailed"), made(1, "a", Phase::running, true, true)},
         true,
         {{"demo-3", "b", false}, {"demo-1", "a", true}}},
        {"and the one that was being made",
         {made(2, "b", Phase::configuring), made(1, "a", Phase::running, true, true)},
         true,
         {{"demo-1", "a", true}}},
        {"a new configuration gets its own; the old one goes on serving",
         {made(1, "old", Phase::running, true, true)},
         true,
         {{"demo-1", "old", true}, {"demo-2", "a", false}}},
        {"both serve until the new one is in rotation",
         {made(2, "a", Phase::running, true, false), made(1, "old", Phase::running, true, true)},
         true,
         {{"demo-2", "a", true}, {"demo-1", "old", true}}},
        {"then the old one is kept to go back to, idle",
         {made(2, "a", Phase::running, true, true), made(1, "old", Phase::running, true, true)},
         true,
         {{"demo-2", "a", true}, {"demo-1", "old", false}}},
        {"only the last one that served is kept",
         {made(3, "a", Phase::running, true, true), left(made(2, "b", Phase::running), "2026-11-22T11:00:05Z"),
          left(made(1, "c", Phase::running), "2026-11-22T10:00:00Z")},
         true,
         {{"demo-3", "a", true}, {"demo-2", "b", false}}},
        {"the newest failure stays for a while, though another serves",
         {made(2, "a", Phase::running, true, true), made(1, "a", Phase::configuration_failed)},
         true,
         {{"demo-2", "a", true}, {"demo-1", "a", false}}},
        {"one on its way out does not count", {deleted}, true, {{"demo-2", "a", false}}},
        {"what a person made is left alone", {persons}, true, {{"demo-8", "a", false}}},
    };
    for (const auto& c : cases) {
        const auto plan = plan_rollout(instance(0), c.all, wanted("a", c.data_ready), now);
        EXPECT_EQ(plan.appservers, c.wanted) << c.reason;
    }
}

TEST(Rollout, TheFallbackGoesWhenItsTimeIsOver) {
    auto of = instance(2);
    of.spec.rollout.keep_fallback_for = "2h";
    const std::vector all{made(2, "a", Phase::running, true, true), made(1, "old", Phase::running)};
    const auto before = plan_rollout(of, all, wanted("a"), now);
    EXPECT_EQ(before.appservers.size(), 2u);
    EXPECT_EQ(before.look_again_at, now + 1h);
    const auto after = plan_rollout(of, all, wanted("a"), now + 1h);
    EXPECT_EQ(after.appservers, (Planned{{"demo-2", "a", true}}));
}

TEST(Rollout, RemembersFailuresWhoseServersAreGone) {
    auto of = instance(2);
    auto broken = made(2, "a", Phase::configuration_failed);
    api::Condition ready;
    ready.type = "Ready";
    ready.message = "task \"migrate\" failed (exit code 2)";
    broken.status.conditions.push_back(ready);
    auto plan = plan_rollout(of, {broken, made(1, "a", Phase::configuration_failed)}, wanted("a"), now);
    EXPECT_TRUE(plan.given_up);
    EXPECT_EQ(plan.attempts.attempts, 2);
    EXPECT_EQ(plan.attempts.last_failed, "demo-2");
    EXPECT_EQ(plan.attempts.message, "task \"migrate\" failed (exit code 2)");
    of.status.rollout = plan.attempts;
    EXPECT_TRUE(plan_rollout(of, {}, wanted("a"), now + 72h).given_up) << "also when nothing is left of them";
    EXPECT_TRUE(plan_rollout(of, {broken}, wanted("a"), now).attempts == plan.attempts) << "none is counted twice";
    EXPECT_FALSE(plan_rollout(of, {broken}, wanted("b"), now).given_up) << "another configuration";
    of.metadata.annotations["ocim.opencraft.com/reconcile-at"] = "2026-11-22T11:59:00Z";
    EXPECT_FALSE(plan_rollout(of, {}, wanted("a"), now).given_up) << "a person asks for another try";
    of.spec.rollout.attempts = 3;
    of.metadata.annotations.clear();
    EXPECT_FALSE(plan_rollout(of, {}, wanted("a"), now).given_up) << "or allows more";
}

TEST(Rollout, AttemptsAreSpacedLaterAndLater) {
    const struct {
        const char* reason;
        int failures;
        Duration delay;
    } cases[] = {{"first", 1, 30s}, {"second", 2, 60s}, {"fourth", 4, 240s}, {"bounded", 30, 30min}};
    for (const auto& c : cases) {
        auto of = instance(40);
        of.status.rollout.emplace();
        of.status.rollout->configuration_hash = "a";
        of.status.rollout->failures = c.failures;
        of.status.rollout->failed_at = rfc3339(now);
        const auto plan = plan_rollout(of, {}, wanted("a"), now);
        EXPECT_EQ(plan.next_attempt_at, now + c.delay) << c.reason;
        EXPECT_EQ(plan.look_again_at, now + c.delay) << c.reason;
        EXPECT_TRUE(plan.appservers.empty()) << c.reason;
        EXPECT_EQ(plan_rollout(of, {}, wanted("a"), now + c.delay).appservers.size(), 1u) << c.reason;
    }
}

TEST(Rollout, SuccessForgetsFailures) {
    auto of = instance(2);
    of.status.rollout.emplace();
    of.status.rollout->configuration_hash = "a";
    of.status.rollout->failures = of.status.rollout->attempts = 1;
    of.status.rollout->last_failed = "demo-1";
    const auto plan = plan_rollout(of, {made(2, "a", Phase::running, true, true)}, wanted("a"), now);
    EXPECT_EQ(plan.attempts.failures, 0);
    EXPECT_EQ(plan.attempts.last_failed, "demo-1");
}

TEST(Rollout, NumbersAreNeverUsedTwice) {
    const auto plan = plan_rollout(instance(5), {}, wanted("a"), now);
    EXPECT_EQ(plan.appservers, (Planned{{"demo-6", "a", false}}));
    EXPECT_EQ(plan.made, 6);
}

TEST(Rollout, ByHandEverythingStaysAsThePersonLeftIt) {
    auto of = instance(2);
    of.spec.rollout.strategy = crd::Instance::Spec::Rollout::Strategy::manual;
    const auto plan =
        plan_rollout(of, {made(2, "b", Phase::running), made(1, "a", Phase::running, true, true)}, wanted("c"), now);
    EXPECT_EQ(plan.appservers, (Planned{{"demo-2", "b", false}, {"demo-1", "a", true}}));
}

}  // namespace
}  // namespace ocim::openedx
