#include "base/async.hpp"
#include "support/test_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ocim {
namespace {

using namespace std::chrono_literals;
using test::TestLoop;
using testing::ElementsAre;
using testing::HasSubstr;
using Trace = std::vector<std::string>;

awaitable<void> note_after(Clock& clock, Duration time, Trace& trace, std::string text) {
    try {
        co_await clock.sleep(time);
        trace.push_back(text);
    } catch (const boost::system::system_error& e) {
        trace.push_back(text + (e.code() == boost::asio::error::operation_aborted ? " cancelled" : " failed"));
        throw;
    }
}

TEST(TestLoop, JumpsToTheNextTimer) {
    TestLoop loop;
    const auto start = loop.clock().now();
    const auto wall = loop.clock().wall();
    loop.run(loop.clock().sleep(5h));
    EXPECT_EQ(loop.clock().now() - start, 5h);
    EXPECT_EQ(loop.clock().wall() - wall, 5h);
}

TEST(TestLoop, SaysWhenNothingCanEverHappen) {
    TestLoop loop;
    Signal never;
    EXPECT_THROW(loop.run(never.wait()), std::runtime_error);
    loop.set_limit(1h);
    EXPECT_THROW(loop.run(loop.clock().sleep(2h)), std::runtime_error) << "longer than the limit";
    EXPECT_FALSE(loop.next_timer()) << "what was given up was cancelled";
}

TEST(Clock, TimersComeInOrderAndACancelledOneNever) {
    TestLoop loop;
    Trace trace;
    auto& clock = loop.clock();
    const auto add = [&](Duration when, const char* text) {
        return clock.call_at(clock.now() + when, [&trace, text] { trace.emplace_back(text); });
    };
    add(2ms, "second");
    const auto gone = add(1ms, "cancelled");
    add(1ms, "first");
    add(-5ms, "overdue");
    clock.cancel(gone);
    clock.cancel(gone);
    EXPECT_TRUE(trace.empty()) << "never from within call_at";
    loop.advance(10ms);
    EXPECT_THAT(trace, ElementsAre("overdue", "first", "second"));
}

TEST(SystemClock, SleepsCallsAndCancels) {
    test::RealLoop loop;
    Trace trace;
    auto& clock = loop.clock();
    const auto before = clock.now();
    const auto gone = clock.call_at(before, [&] { trace.emplace_back("cancelled"); });
    clock.call_at(before + 1ms, [&] { trace.emplace_back("called"); });
    clock.cancel(gone);
    loop.run(clock.sleep(5ms));
    EXPECT_GE(clock.now() - before, 5ms);
    EXPECT_THAT(trace, ElementsAre("called"));
}

TEST(Signal, WakesAllWhoWaitInOrderAndForgetsANotifyNobodyAwaited) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    Signal signal;
    Trace trace;
    const auto wait = [](Signal& s, Trace& out, std::string name) -> awaitable<void> {
        co_await s.wait();
        out.push_back(name);
    };
    signal.notify();
    group.spawn("a", wait(signal, trace, "a"));
    group.spawn("b", wait(signal, trace, "b"));
    loop.settle();
    EXPECT_TRUE(trace.empty());
    signal.notify();
    EXPECT_TRUE(trace.empty()) << "they go on later, not within notify";
    loop.run(group.join());
    EXPECT_THAT(trace, ElementsAre("a", "b"));
}

TEST(Signal, WaitUntilTellsNotifiedFromTooLate) {
    TestLoop loop;
    Signal signal;
    auto& clock = loop.clock();
    EXPECT_FALSE(loop.run(signal.wait_until(clock, clock.now() + 3s)));
    clock.call_at(clock.now() + 1s, [&] { signal.notify(); });
    const auto before = clock.now();
    EXPECT_TRUE(loop.run(signal.wait_until(clock, clock.now() + 3s)));
    EXPECT_EQ(clock.now() - before, 1s);
    EXPECT_FALSE(loop.next_timer()) << "the deadline's timer is gone";
}

TEST(Signal, CancelsWhoStillWaitsWhenItDies) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    auto signal = std::make_unique<Signal>();
    group.spawn("waiter", signal->wait());
    loop.settle();
    EXPECT_EQ(group.running(), 1u);
    signal.reset();
    loop.run(group.join());
}

TEST(TaskGroup, JoinWaitsForAll) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    Trace trace;
    group.spawn("slow", note_after(loop.clock(), 2s, trace, "slow"));
    group.spawn("quick", note_after(loop.clock(), 1s, trace, "quick"));
    EXPECT_EQ(group.running(), 2u);
    loop.run(group.join());
    EXPECT_THAT(trace, ElementsAre("quick", "slow"));
    EXPECT_EQ(group.running(), 0u);
}

TEST(TaskGroup, StopCancelsAndWaitsForTheUnwinding) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    Trace trace;
    const auto tidy = [](Clock& clock, Trace& out) -> awaitable<void> {
        bool cancelled = false;
        try {
            co_await clock.sleep(1h);
        } catch (const boost::system::system_error&) { cancelled = true; }
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        co_await clock.sleep(3s);
        out.push_back(cancelled ? "tidied" : "not cancelled");
    };
    group.spawn("sleeper", note_after(loop.clock(), 1h, trace, "sleeper"));
    group.spawn("tidy", tidy(loop.clock(), trace));
    const auto before = loop.clock().now();
    loop.run(group.stop());
    EXPECT_THAT(trace, ElementsAre("sleeper cancelled", "tidied"));
    EXPECT_EQ(loop.clock().now() - before, 3s);
    loop.run(group.stop());
    loop.run(group.join());
}

TEST(TaskGroup, CancelsATaskThatIsSpawnedWhileItStops) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    Trace trace;
    const auto spawner = [](Clock& clock, TaskGroup& owner, Trace& out) -> awaitable<void> {
        try {
            co_await clock.sleep(1h);
        } catch (const boost::system::system_error&) {}
        owner.spawn("late", note_after(clock, 1h, out, "late"));
    };
    group.spawn("spawner", spawner(loop.clock(), group, trace));
    const auto before = loop.clock().now();
    loop.run(group.stop());
    EXPECT_EQ(loop.clock().now() - before, 0s);
    EXPECT_EQ(group.running(), 0u);
}

TEST(TaskGroup, StopGoesOnWaitingWhenItsCallerIsCancelled) {
    TestLoop loop;
    TaskGroup inner(loop.executor());
    TaskGroup outer(loop.executor());
    Trace trace;
    const auto stubborn = [](Clock& clock, Trace& out) -> awaitable<void> {
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        co_await clock.sleep(5s);
        out.emplace_back("inner ended");
    };
    const auto owner = [](TaskGroup& group, Trace& out) -> awaitable<void> {
        co_await group.stop();
        out.emplace_back("stopped");
    };
    inner.spawn("stubborn", stubborn(loop.clock(), trace));
    outer.spawn("owner", owner(inner, trace));
    loop.advance(1s);
    loop.run(outer.stop());
    EXPECT_THAT(trace, ElementsAre("inner ended", "stopped"));
}

TEST(TaskGroup, LogsAnExceptionAndOthersGoOn) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    Trace trace;
    const auto broken = [](Clock& clock) -> awaitable<void> {
        co_await clock.sleep(1s);
        throw std::logic_error("a bug");
    };
    group.spawn("broken", broken(loop.clock()));
    group.spawn("sound", note_after(loop.clock(), 2s, trace, "sound"));
    testing::internal::CaptureStderr();
    loop.run(group.join());
    const auto log = testing::internal::GetCapturedStderr();
    EXPECT_THAT(log, HasSubstr("task=broken"));
    EXPECT_THAT(log, HasSubstr("a bug"));
    EXPECT_THAT(trace, ElementsAre("sound"));
}

TEST(TaskGroup, ACancelledTaskLogsNothing) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    group.spawn("sleeper", loop.clock().sleep(1h));
    testing::internal::CaptureStderr();
    loop.run(group.stop());
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

awaitable<Result<int>> answer_after(Clock& clock, Duration time, int answer) {
    co_await clock.sleep(time);
    co_return answer;
}

TEST(WithDeadline, Table) {
    const struct {
        const char* reason;
        Duration work, limit;
        bool in_time;
    } cases[] = {
        {"well in time", 1s, 2s, true},
        {"too late", 3s, 2s, false},
        {"at once, though the limit is nothing", 0s, 0s, true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        TestLoop loop;
        auto& clock = loop.clock();
        const auto before = clock.now();
        const auto result = loop.run(with_deadline(clock, c.limit, "the call", answer_after(clock, c.work, 42)));
        EXPECT_EQ(clock.now() - before, std::min(c.work, c.limit));
        ASSERT_EQ(static_cast<bool>(result), c.in_time);
        if (c.in_time)
            EXPECT_EQ(*result, 42);
        else
            EXPECT_EQ(result.error(), (Error{ErrorClass::unreachable, "the call took longer than 2000 ms", {}, true}));
        EXPECT_FALSE(loop.next_timer()) << "nothing is left behind";
    }
}

TEST(WithDeadline, GivesTheErrorAndTheExceptionOfTheWork) {
    TestLoop loop;
    auto& clock = loop.clock();
    const auto refuses = []() -> awaitable<Result<int>> { co_return Error{ErrorClass::auth, "no"}; };
    const auto throws = [](Clock& c) -> awaitable<Result<int>> {
        co_await c.sleep(1s);
        throw std::logic_error("a bug");
    };
    EXPECT_EQ(loop.run(with_deadline(clock, 1s, "x", refuses())).error(), (Error{ErrorClass::auth, "no"}));
    EXPECT_THROW((void)loop.run(with_deadline(clock, 2s, "x", throws(clock))), std::logic_error);
}

TEST(WithDeadline, CancellingTheCallerCancelsTheWorkAndWaitsForIt) {
    TestLoop loop;
    TaskGroup group(loop.executor());
    Trace trace;
    const auto work = [](Clock& clock, Trace& out) -> awaitable<Result<int>> {
        co_await note_after(clock, 1h, out, "work");
        co_return 1;
    };
    const auto caller = [work](Clock& clock, Trace& out) -> awaitable<void> {
        auto task = work(clock, out);
        (void)co_await with_deadline(clock, 2h, "x", std::move(task));
        out.emplace_back("went on");
    };
    group.spawn("caller", caller(loop.clock(), trace));
    loop.advance(1s);
    loop.run(group.stop());
    EXPECT_THAT(trace, ElementsAre("work cancelled"));
    EXPECT_FALSE(loop.next_timer());
}

TEST(BlockingPool, RunsOnAnotherThreadAndResumesOnTheLoop) {
    TestLoop loop;
    BlockingPool pool(loop.executor(), "test", 2, 8);
    const auto call = [](BlockingPool& p) -> awaitable<Result<std::pair<std::thread::id, std::thread::id>>> {
        std::function<Result<std::thread::id>()> work = [] {
            return Result<std::thread::id>(std::this_thread::get_id());
        };
        CO_TRY(const auto there, co_await p.call(std::move(work)));
        co_return std::pair(there, std::this_thread::get_id());
    };
    const auto ids = loop.run(call(pool));
    ASSERT_TRUE(ids);
    EXPECT_NE(ids->first, std::this_thread::get_id());
    EXPECT_EQ(ids->second, std::this_thread::get_id());
}

TEST(BlockingPool, AVirtualClockStandsStillDuringACall) {
    TestLoop loop;
    BlockingPool pool(loop.executor(), "test", 1, 8);
    const auto before = loop.clock().now();
    std::function<Result<int>()> slow = [] {
        std::this_thread::yield();
        return Result<int>(7);
    };
    for (int i = 0; i < 200; ++i) {
        const auto result = loop.run(with_deadline(loop.clock(), 1s, "slow", pool.call(slow)));
        ASSERT_TRUE(result) << i;
    }
    EXPECT_EQ(loop.clock().now(), before);
}

TEST(BlockingPool, RefusesWhenTooManyWait) {
    TestLoop loop;
    std::promise<void> gate;
    auto opened = gate.get_future().share();
    TaskGroup group(loop.executor());
    std::vector<std::string> outcomes;
    {
        BlockingPool pool(loop.executor(), "narrow", 1, 2);
        const auto call = [](BlockingPool& p, std::shared_future<void> open, Trace& out) -> awaitable<void> {
            std::function<void()> work = [open] { open.wait(); };
            const auto result = co_await p.run(std::move(work));
            out.push_back(result ? "ok" : result.error().message);
        };
        for (int i = 0; i < 5; ++i) group.spawn("call", call(pool, opened, outcomes));
        while (outcomes.empty()) loop.context().run_one();
        EXPECT_THAT(outcomes[0], HasSubstr("2 calls are waiting already"));
        gate.set_value();
        loop.run(group.join());
    }
    EXPECT_GE(std::ranges::count(outcomes, "ok"), 2);
    EXPECT_LE(std::ranges::count(outcomes, "ok"), 3) << "one in flight, two waiting";
    EXPECT_EQ(outcomes.size(), 5u);
}

TEST(BlockingPool, ACancelledCallerStillWaitsForItsCall) {
    TestLoop loop;
    std::promise<void> gate;
    auto opened = gate.get_future().share();
    BlockingPool pool(loop.executor(), "test", 1, 8);
    TaskGroup group(loop.executor());
    bool ended = false;
    const auto call = [](BlockingPool& p, std::shared_future<void> open, bool& out) -> awaitable<void> {
        std::function<void()> work = [open] { open.wait(); };
        const auto result = co_await p.run(std::move(work));
        out = static_cast<bool>(result);
    };
    group.spawn("call", call(pool, opened, ended));
    loop.context().restart();
    loop.context().poll();
    TaskGroup stopper(loop.executor());
    stopper.spawn("stop", group.stop());
    loop.context().restart();
    loop.context().poll();
    EXPECT_EQ(group.running(), 1u);
    gate.set_value();
    loop.run(stopper.join());
    EXPECT_TRUE(ended);
}

TEST(Loop, CoroutinesThatNeverEndGoWithIt) {
    // under the address sanitizer this fails when a waiter and its coroutine keep each other alive
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> seen = owned;
    {
        TestLoop loop;
        Signal signal;
        auto group = std::make_unique<TaskGroup>(loop.executor());
        const auto hold = [](Clock& clock, Signal& s, std::shared_ptr<int>, int how) -> awaitable<void> {
            if (how == 0) { co_await s.wait(); }
            if (how == 1) { co_await clock.sleep(1h); }
            auto task = clock.sleep(1h);
            co_await detail::run_until(clock, clock.now() + 2h, std::move(task));
        };
        for (int how = 0; how < 3; ++how) group->spawn("held", hold(loop.clock(), signal, owned, how));
        auto& keeper = *group;
        group->spawn("joiner", keeper.join());
        owned.reset();
        loop.settle();
        EXPECT_FALSE(seen.expired());
        loop.context().stop();
        group.reset();
    }
    EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace ocim
