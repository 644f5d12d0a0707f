#include "runtime/queue.hpp"

#include <gtest/gtest.h>

namespace ocim::runtime {
namespace {

using namespace std::chrono_literals;
using Priority = WorkQueue::Priority;

class WorkQueueTest : public testing::Test {
protected:
    std::unique_ptr<Random> random_ = make_seeded_random(1);
    Metrics metrics_;
    WorkQueue queue_{{"test", 1s, 300s, 10s}, *random_, metrics_};
    Instant now_ = Instant(1h);
};

TEST_F(WorkQueueTest, AKeyIsInItOnce) {
    queue_.add("a", now_, Priority::high);
    queue_.add("a", now_, Priority::low);
    EXPECT_EQ(queue_.take(now_), "a");
    EXPECT_EQ(queue_.take(now_), std::nullopt);
}

TEST_F(WorkQueueTest, AKeyAddedWhileOutComesOnceMoreAfterwards) {
    queue_.add("a", now_, Priority::high);
    ASSERT_EQ(queue_.take(now_), "a");
    queue_.add("a", now_ + 5s, Priority::low);
    queue_.add("a", now_ + 9s, Priority::low);
    EXPECT_EQ(queue_.take(now_ + 9s), std::nullopt) << "still out";
    queue_.done("a", now_ + 1s);
    EXPECT_EQ(queue_.take(now_ + 4s), std::nullopt) << "not due";
    EXPECT_EQ(queue_.take(now_ + 5s), "a");
    queue_.done("a", now_ + 5s);
    EXPECT_EQ(queue_.take(now_ + 60s), std::nullopt);
}

TEST_F(WorkQueueTest, TheEarliestWishWins) {
    queue_.add("a", now_ + 60s, Priority::low);
    queue_.add("a", now_ + 1s, Priority::low);
    queue_.add("a", now_ + 30s, Priority::low);
    EXPECT_EQ(queue_.next_due(), now_ + 1s);
    EXPECT_EQ(queue_.take(now_ + 1s), "a");
    EXPECT_EQ(queue_.next_due(), std::nullopt);
}

TEST_F(WorkQueueTest, PeopleGoBeforeSweeps) {
    queue_.add("sweep", now_, Priority::low);
    queue_.add("person", now_ + 1s, Priority::high);
    EXPECT_EQ(queue_.take(now_ + 2s), "person");
    EXPECT_EQ(queue_.take(now_ + 2s), "sweep");
}

TEST_F(WorkQueueTest, AHighWishRaisesAKeyThatWaits) {
    queue_.add("a", now_, Priority::low);
    queue_.add("b", now_, Priority::low);
    queue_.add("b", now_ + 1s, Priority::high);
    EXPECT_EQ(queue_.take(now_ + 1s), "b");
}

TEST_F(WorkQueueTest, NoLoadOfHighKeysStarvesALowOne) {
    constexpr int low_keys = 5;
    for (int i = 0; i < low_keys; ++i) queue_.add("low" + std::to_string(i), now_, Priority::low);
    int turns_after_bound = 0, served = 0;
    auto time = now_;
    for (int turn = 0; served < low_keys && turn < 10'000; ++turn, time += 10ms) {
        queue_.add("high" + std::to_string(turn), time, Priority::high);
        queue_.add("more" + std::to_string(turn), time, Priority::high);  // twice as many as can be served
        const auto key = queue_.take(time);
        ASSERT_TRUE(key);
        if (key->starts_with("low")) ++served;
        if (time - now_ >= 10s) ++turns_after_bound;
        queue_.done(*key, time);
    }
    EXPECT_EQ(served, low_keys);
    EXPECT_LE(turns_after_bound, 2 * low_keys + 1);
}

TEST_F(WorkQueueTest, SweepsDoNotStarvePeopleEither) {
    for (int i = 0; i < 1'000; ++i) queue_.add("low" + std::to_string(i), now_, Priority::low);
    queue_.add("person", now_ + 20s, Priority::high);
    const auto first = queue_.take(now_ + 20s), second = queue_.take(now_ + 20s);
    EXPECT_TRUE(first == "person" || second == "person") << "every second turn at least is for high keys";
}

TEST_F(WorkQueueTest, FailuresAreTriedLaterAndLater) {
    Duration last{};
    for (int i = 0; i < 12; ++i) {
        const auto due = queue_.retry("a", now_);
        const auto wait = std::chrono::duration_cast<Duration>(due - now_);
        const auto full = std::min<Duration>(Duration(1'000) * (1 << i), 300s);
        EXPECT_LE(wait, full);
        EXPECT_GE(wait, full * 2 / 3 - 1ms) << "jitter takes a third at most";
        last = wait;
        ASSERT_EQ(queue_.take(due), "a");
        queue_.done("a", due);
    }
    EXPECT_GE(last, 200s);
    queue_.forget("a");
    EXPECT_LE(queue_.retry("a", now_), now_ + 1s);
}

TEST_F(WorkQueueTest, ARetryWaitsAsLongAsThePeerAsked) { EXPECT_GE(queue_.retry("a", now_, 45s), now_ + 45s); }

TEST_F(WorkQueueTest, ItIsMeasured) {
    queue_.add("a", now_, Priority::high);
    queue_.add("b", now_, Priority::high);
    ASSERT_TRUE(queue_.take(now_ + 2s));
    const auto text = metrics_.text();
    const std::string labels = R"({controller="test",name="test"} )";
    EXPECT_NE(text.find("workqueue_depth" + labels + "1"), std::string::npos) << text;
    EXPECT_NE(text.find("workqueue_adds_total" + labels + "2"), std::string::npos);
    EXPECT_NE(text.find("workqueue_queue_duration_seconds_sum" + labels + "2"), std::string::npos);
}

}  // namespace
}  // namespace ocim::runtime
