#include "runtime/turns.hpp"

#include <gtest/gtest.h>

namespace ocim::runtime {
namespace {

ObjectKey run(const std::string& name) { return {"ns", name}; }
Turn turn(std::size_t limit, const std::string& of = "Cloud demo") { return {of, limit, "its bound", false}; }
using Keys = std::vector<ObjectKey>;

TEST(Turns, TheOldestGoFirst) {
    Turns turns;
    EXPECT_TRUE(turns.take(run("a"), turn(1), "12:00", 0));
    EXPECT_TRUE(turns.take(run("a"), turn(1), "12:00", 0)) << "it keeps its place";
    EXPECT_FALSE(turns.take(run("c"), turn(1), "12:02", 0));
    EXPECT_FALSE(turns.take(run("b"), turn(1), "12:01", 0));
    EXPECT_EQ(turns.take_next(), Keys{}) << "nothing has become free";
    turns.leave(run("a"));
    EXPECT_EQ(turns.take_next(), Keys{run("b")});
    EXPECT_FALSE(turns.take(run("c"), turn(1), "12:02", 0)) << "who is younger does not get in front";
    EXPECT_TRUE(turns.take(run("b"), turn(1), "12:01", 0));
    EXPECT_EQ(turns.taken("Cloud demo"), 1u);
}

TEST(Turns, OfOneSecondTheNameDecides) {
    Turns turns;
    turns.hold(run("a"), "Cloud demo");
    EXPECT_FALSE(turns.take(run("c"), turn(1), "12:00", 0));
    EXPECT_FALSE(turns.take(run("b"), turn(1), "12:00", 0));
    turns.leave(run("a"));
    EXPECT_FALSE(turns.take(run("c"), turn(1), "12:00", 0));
    EXPECT_TRUE(turns.take(run("b"), turn(1), "12:00", 0));
}

TEST(Turns, SeveralPlacesThatBecomeFreeAtOnceAreAllTaken) {
    Turns turns;
    for (const auto* name : {"a", "b"}) turns.hold(run(name), "Cloud demo");
    for (const auto* name : {"c", "d", "e"}) EXPECT_FALSE(turns.take(run(name), turn(2), "12:00", 0));
    turns.leave(run("a"));
    turns.leave(run("b"));
    Keys served;
    for (auto next = turns.take_next(); !next.empty(); next = turns.take_next())
        for (const auto& key : next)
            if (turns.take(key, turn(2), "12:00", 0)) served.push_back(key);
    EXPECT_EQ(served, (Keys{run("c"), run("d")}));
}

TEST(Turns, WhatWaitsForSomethingElseIsInNobodysWay) {
    Turns turns;
    turns.hold(run("a"), "Cloud demo");
    EXPECT_FALSE(turns.take(run("b"), turn(1), "12:00", 0));
    EXPECT_FALSE(turns.take(run("c"), turn(1), "12:01", 0));
    turns.leave(run("a"));
    turns.stop_waiting(run("b"));
    EXPECT_TRUE(turns.take(run("c"), turn(1), "12:01", 0));
    turns.stop_waiting(run("c"));
    EXPECT_TRUE(turns.holds(run("c"))) << "what is under way stays so";
}

TEST(Turns, WhatMayBeUnderWayCounts) {
    Turns turns;
    EXPECT_FALSE(turns.take(run("b"), turn(2), "12:00", 2));
    EXPECT_TRUE(turns.take(run("b"), turn(2), "12:00", 1));
}

TEST(Turns, EachBoundIsItsOwn) {
    Turns turns;
    turns.hold(run("a"), "Cloud demo");
    EXPECT_TRUE(turns.take(run("b"), turn(1, "Cloud other"), "12:00", 0));
    turns.hold(run("c"), "Cloud demo");
    EXPECT_EQ(turns.taken("Cloud demo"), 2u) << "what is seen to be under way is, bound or not";
}

}  // namespace
}  // namespace ocim::runtime
