#include "support/watch_log.hpp"

#include <gtest/gtest.h>

namespace ocim::test {
namespace {

using enum WatchEvent::Type;

const std::vector<WatchEvent> all{
    {added, "a", 1, 10}, {added, "b", 2, 20}, {modified, "a", 4, 11}, {deleted, "b", 7, 20}};
const std::vector<Committed> writes{{"a", 1, 10}, {"b", 2, 20}, {"a", 4, 11}};
const std::map<std::string, std::uint64_t> state{{"a", 11}};

TEST(WatchLog, TheSameForEverybodyIsRight) { EXPECT_EQ(violation_of({all, all}, writes, state), ""); }

TEST(WatchLog, WhateverIsWrongWithOneWatcherIsFound) {
    const struct {
        const char* reason;
        std::vector<WatchEvent> seen;
    } cases[] = {
        {"one missing", {all[0], all[1], all[3]}},
        {"the last one missing", {all[0], all[1], all[2]}},
        {"one twice", {all[0], all[1], all[2], all[2], all[3]}},
        {"out of order", {all[1], all[0], all[2], all[3]}},
        {"of the wrong kind", {all[0], all[1], {added, "a", 4, 11}, all[3]}},
        {"another value", {all[0], all[1], {modified, "a", 4, 12}, all[3]}},
        {"one that nobody else saw", {all[0], all[1], {modified, "a", 3, 10}, all[2], all[3]}},
        {"nothing at all", {}},
    };
    for (const auto& c : cases) {
        EXPECT_NE(violation_of({all, c.seen}, writes, state), "") << c.reason;
        EXPECT_NE(violation_of({c.seen, all}, writes, state), "") << c.reason << ", the first watcher";
    }
}

TEST(WatchLog, WhatWasAcknowledgedMustBeSeen) {
    auto more = writes;
    more.push_back({"c", 9, 30});
    EXPECT_NE(violation_of({all, all}, more, state), "");
    EXPECT_NE(violation_of({all, all}, writes, {{"a", 10}}), "");
}

}  // namespace
}  // namespace ocim::test
