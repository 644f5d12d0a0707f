#include "gitops/workshop.hpp"

#include "support/test_loop.hpp"

#include <gtest/gtest.h>

namespace ocim::gitops {
namespace {

awaitable<void> work(Workshop& workshop, Clock& clock, std::size_t& most, std::size_t& done) {
    const auto place = co_await workshop.enter();
    most = std::max(most, workshop.taken());
    co_await clock.sleep_until(clock.now() + Duration(1'000));
    ++done;
}

TEST(Workshop, HasSoManyPlacesAndEverybodyGetsOne) {
    test::TestLoop loop;
    Workshop workshop(loop.executor(), 2);
    TaskGroup people(loop.executor());
    std::size_t most = 0, done = 0;
    for (int i = 0; i < 5; ++i) people.spawn("one", work(workshop, loop.clock(), most, done));
    const auto began = loop.clock().now();
    loop.run(people.join());
    EXPECT_EQ(most, 2U);
    EXPECT_EQ(done, 5U);
    EXPECT_EQ(loop.clock().now() - began, Duration(3'000)) << "two at a time";
    EXPECT_EQ(workshop.taken(), 0U);
}

TEST(Workshop, WhoIsCancelledLeavesHisPlace) {
    test::TestLoop loop;
    Workshop workshop(loop.executor(), 1);
    std::size_t most = 0, done = 0;
    {
        TaskGroup people(loop.executor());
        for (int i = 0; i < 3; ++i) people.spawn("one", work(workshop, loop.clock(), most, done));
        loop.run(people.stop());
    }
    EXPECT_EQ(workshop.taken(), 0U);
    TaskGroup people(loop.executor());
    people.spawn("one", work(workshop, loop.clock(), most, done));
    loop.run(people.join());
    EXPECT_EQ(done, 1U);
}

}  // namespace
}  // namespace ocim::gitops
