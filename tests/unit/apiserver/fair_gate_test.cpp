#include "apiserver/fair_gate.hpp"
#include "support/test_loop.hpp"

#include <gtest/gtest.h>

using namespace ocim;
using namespace ocim::apiserver;
using namespace std::chrono_literals;

namespace {

class FairGateTest : public testing::Test {
protected:
    ~FairGateTest() override { loop.run(tasks.stop()); }

    /// One request that takes `work` once it is let in.
    awaitable<void> request(std::string user, Duration work) {
        auto seat = co_await gate.enter(user);
        if (!seat) {
            said += user + "! ";
            co_return;
        }
        ++at_work;
        most = std::max(most, at_work);
        said += user + " ";
        co_await loop.clock().sleep(work);
        --at_work;
    }
    void ask(const std::string& user, Duration work = 1000ms) { tasks.spawn("request", request(user, work)); }

    test::TestLoop loop;
    Metrics metrics;
    FairGate gate{loop.clock(), metrics, {.seats = 4, .seats_of_user = 3, .waiting_of_user = 6, .wait_max = 10s}};
    TaskGroup tasks{loop.executor()};
    std::string said;
    int at_work = 0, most = 0;
};

TEST_F(FairGateTest, LetsInAtOnceWhileThereIsRoom) {
    ask("a"), ask("b"), ask("a");
    loop.settle();
    EXPECT_EQ(said, "a b a ");
}

TEST_F(FairGateTest, OneUserNeverHasAllSeats) {
    for (int i = 0; i < 9; ++i) ask("greedy");
    loop.settle();
    EXPECT_EQ(said, "greedy greedy greedy ");
    ask("modest");
    loop.settle();
    EXPECT_EQ(said, "greedy greedy greedy modest ") << "at once, though six wait before him";
    loop.advance(3s);
    EXPECT_EQ(most, 4);
}

TEST_F(FairGateTest, WhoWaitsIsLetInByTurns) {
    for (int i = 0; i < 3; ++i) ask("a");
    ask("b", 5s);
    for (int i = 0; i < 4; ++i) ask("a");
    for (int i = 0; i < 2; ++i) ask("c");
    loop.settle();
    EXPECT_EQ(said, "a a a b ");
    said.clear();
    loop.advance(1s);
    EXPECT_EQ(said, "a c a ") << "not all of the one who came first";
    said.clear();
    loop.advance(1s);
    EXPECT_EQ(said, "c a a ");
}

TEST_F(FairGateTest, TooMuchIsRefused) {
    for (int i = 0; i < 10; ++i) ask("a", 60s);
    loop.settle();
    EXPECT_EQ(said, "a a a a! ") << "three work, six wait, the tenth is sent away at once";
    said.clear();
    loop.advance(10s);
    EXPECT_EQ(said, "a! a! a! a! a! a! ") << "and so are the others when they have waited long enough";
    ask("a");
    loop.advance(60s);
    EXPECT_EQ(said, "a! a! a! a! a! a! a! ");
    ask("a");
    loop.settle();
    EXPECT_TRUE(said.ends_with("a ")) << "there is room again";
}

TEST_F(FairGateTest, WhoGoesAwayLeavesNothing) {
    for (int i = 0; i < 9; ++i) ask("a", 60s);
    loop.settle();
    loop.run(tasks.stop());
    for (int i = 0; i < 4; ++i) ask("b", 1s);
    loop.settle();
    EXPECT_EQ(said, "a a a b b b ");
    loop.advance(2s);
    EXPECT_EQ(at_work, 6 - 3) << "those of a were cancelled in the middle, those of b have ended";
}

}  // namespace
