#include "cli/insight.hpp"

#include "api/json.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ocim::cli {
namespace {

using namespace std::chrono_literals;

const WallTime noon = *parse_rfc3339("2026-11-23T12:00:00Z");

api::Json json(std::string text) {
    std::ranges::replace(text, '\'', '"');
    auto parsed = api::parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? std::move(parsed->value) : api::Json();
}

std::string next(const std::string& row, bool waits = false, Standing standing = {}) {
    return next_try(standing, insight_of_object(json(row)), waits, noon).value_or("nobody knows");
}

TEST(Insight, TheNextTryIsExact) {
    const struct {
        const char *reason, *row, *said;
        bool waits = false;
    } cases[] = {
        {"it is due", "{'state':'Waiting','nextTry':'2026-11-23T12:00:42.5Z'}", "in 42s (2026-11-23T12:00:42Z)"},
        {"it was due", "{'state':'Waiting','nextTry':'2026-11-23T11:59:59Z'}", "at any moment"},
        {"an action is on its way",
         "{'acting':{'since':'2026-11-23T11:59:50Z','action':'create A www'},'nextTry':'2026-11-23T12:00:01Z'}",
         "now, since 10s: create A www"},
        {"nothing is done before its backend works",
         "{'blockedBy':'BackendUnreachable','nextProbe':'2026-11-23T12:00:03Z','nextTry':'2026-11-23T12:09:00Z'}",
         "as soon as the backend answers: it is asked again in 3s (2026-11-23T12:00:03Z)"},
        {"nothing is decided before a look",
         "{'awaitsLook':true,'nextLook':'2026-11-23T12:00:07Z','nextTry':'2026-11-23T12:09:00Z'}",
         "after the next look at its backend, in 7s (2026-11-23T12:00:07Z)"},
        {"a look may show a change", "{'state':'Idle','nextLook':'2026-11-23T12:00:07Z'}",
         "when a look at its backend shows a change; the next is in 7s (2026-11-23T12:00:07Z)"},
        {"others wake it", "{'state':'Idle'}", "as soon as what it waits on changes", true},
        {"its conditions know better", "{'state':'Idle'}", "nobody knows"},
    };
    for (const auto& c : cases) EXPECT_EQ(next(c.row, c.waits), c.said) << c.reason;
}

TEST(Insight, WhatIsStalledOrPausedIsNotTried) {
    const auto* row = "{'nextTry':'2026-11-23T12:00:42Z'}";
    Standing stalled, paused;
    stalled.stalled = true;
    paused.paused = true;
    EXPECT_EQ(next(row, false, stalled), "nobody knows");
    EXPECT_EQ(next(row, false, paused), "nobody knows");
}

TEST(Insight, TheLastCallHasItsAnswer) {
    const auto failed = insight_of_object(
        json("{'failures':3,'lastCall':{'at':'2026-11-23T11:59:50Z','call':'create A www','result':'transient',"
             "'message':'no answer'}}"));
    ASSERT_TRUE(failed.last);
    EXPECT_TRUE(failed.last->failed);
    EXPECT_EQ(failed.last->what, "create A www: no answer");
    EXPECT_EQ(failed.last->times, 3);
    EXPECT_EQ(failed.last->at, noon - 10s);
    const auto done =
        insight_of_object(json("{'lastCall':{'at':'2026-11-23T11:59:50Z','call':'create A www','result':'success'}}"));
    ASSERT_TRUE(done.last);
    EXPECT_FALSE(done.last->failed);
    EXPECT_EQ(done.last->what, "create A www");
    EXPECT_FALSE(insight_of_object(json("{}")).last);
}

TEST(Insight, OfABackendTheEarliestProbeAndTheNewestCallCount) {
    const auto rows = json(
        "[{'breaker':{'state':'Open','nextProbe':'2026-11-23T12:00:09Z'},'lastCalls':{"
        "'observe':{'at':'2026-11-23T11:59:00Z','call':'observe','result':'success'},"
        "'probe':{'at':'2026-11-23T11:59:58Z','call':'probe','result':'auth','message':'401'}}},"
        "{'breaker':{'state':'Open','nextProbe':'2026-11-23T12:00:02Z'},'lastCalls':{"
        "'probe':{'at':'2026-11-23T11:59:30Z','call':'probe','result':'auth','message':'older'}}}]");
    const auto seen = insight_of_backend(rows.as_array());
    EXPECT_EQ(seen.next_probe, noon + 2s);
    EXPECT_FALSE(seen.next_look);
    ASSERT_TRUE(seen.last);
    EXPECT_EQ(seen.last->what, "probe: 401");
}

}  // namespace
}  // namespace ocim::cli
