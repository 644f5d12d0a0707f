#include "runtime/breaker.hpp"

#include <gtest/gtest.h>

namespace ocim::runtime {
namespace {

using namespace std::chrono_literals;
using Call = Breaker::Call;

Error error(ErrorClass error_class) { return {error_class, "it said so"}; }

class BreakerTest : public testing::Test {
protected:
    std::unique_ptr<Random> random_ = make_seeded_random(1);
    Breaker breaker_{{}, *random_};
    Instant now_ = Instant(1h);
};

TEST_F(BreakerTest, WhatSaysThatAllIsLostOpensItAtOnce) {
    for (const auto call : {Call::probe, Call::observe, Call::act}) {
        for (const auto& [error_class, reason] :
             {std::pair{ErrorClass::auth, "BackendAuthFailed"}, {ErrorClass::unreachable, "BackendUnreachable"}}) {
            Breaker breaker({}, *random_);
            breaker.failed(call, error(error_class), now_);
            ASSERT_TRUE(breaker.trouble());
            EXPECT_EQ(breaker.trouble()->reason, reason);
            EXPECT_FALSE(breaker.may_observe());
            EXPECT_FALSE(breaker.may_act());
        }
    }
}

TEST_F(BreakerTest, ALateReplyDoesNotChangeWhatTheProbeSaid) {
    breaker_.failed(Call::probe, error(ErrorClass::unreachable), now_);
    for (const auto call : {Call::observe, Call::act})
        for (int i = 0; i < 5; ++i) breaker_.failed(call, error(ErrorClass::transient), now_);
    EXPECT_EQ(breaker_.trouble()->reason, "BackendUnreachable") << "or its objects would be told two reasons in turn";
    breaker_.failed(Call::probe, error(ErrorClass::auth), now_);
    EXPECT_EQ(breaker_.trouble()->reason, "BackendAuthFailed");
}

TEST_F(BreakerTest, OneActionsOwnFailureDoesNot) {
    for (const auto error_class : {ErrorClass::transient, ErrorClass::rate_limited, ErrorClass::conflict,
                                   ErrorClass::not_found, ErrorClass::invalid}) {
        for (int i = 0; i < 10; ++i) breaker_.failed(Call::act, error(error_class), now_);
        EXPECT_TRUE(breaker_.may_act()) << name_of(error_class);
    }
}

TEST_F(BreakerTest, GarbageAgainAndAgainOpensIt) {
    breaker_.failed(Call::observe, error(ErrorClass::transient), now_);
    breaker_.failed(Call::observe, error(ErrorClass::transient), now_);
    EXPECT_TRUE(breaker_.may_act());
    breaker_.succeeded(Call::probe, now_);  // the probe may well be answered
    breaker_.failed(Call::observe, error(ErrorClass::transient), now_);
    ASSERT_TRUE(breaker_.trouble());
    EXPECT_EQ(breaker_.trouble()->reason, "BackendFailing");
}

TEST_F(BreakerTest, ItClosesByAProbeAndThenALook) {
    breaker_.failed(Call::act, error(ErrorClass::unreachable), now_);
    breaker_.succeeded(Call::observe, now_);
    EXPECT_TRUE(breaker_.trouble()) << "that look began before the trouble";
    breaker_.succeeded(Call::probe, now_);
    EXPECT_TRUE(breaker_.may_observe());
    EXPECT_FALSE(breaker_.may_act());
    EXPECT_TRUE(breaker_.trouble());
    breaker_.succeeded(Call::observe, now_);
    EXPECT_TRUE(breaker_.may_act());
    EXPECT_FALSE(breaker_.trouble());
}

TEST_F(BreakerTest, AFailedTrialOpensItAgain) {
    breaker_.failed(Call::act, error(ErrorClass::unreachable), now_);
    breaker_.succeeded(Call::probe, now_);
    breaker_.failed(Call::observe, error(ErrorClass::transient), now_);
    EXPECT_TRUE(breaker_.may_act() == false && breaker_.trouble());
}

TEST_F(BreakerTest, ProbesComeEvery3SecondsWhenBusyAnd30Otherwise) {
    breaker_.succeeded(Call::observe, now_);
    EXPECT_LE(breaker_.next_probe(true), now_ + 3s);
    EXPECT_GE(breaker_.next_probe(true), now_ + 2'400ms);
    EXPECT_LE(breaker_.next_probe(false), now_ + 30s);
    EXPECT_GE(breaker_.next_probe(false), now_ + 24s);
    // a first failure, which does not open it yet, is soon looked into although nothing waits
    breaker_.failed(Breaker::Call::probe, {ErrorClass::transient, "the connection was cut"}, now_);
    EXPECT_FALSE(breaker_.trouble());
    EXPECT_LE(breaker_.next_probe(false), now_ + 3s);
    breaker_.succeeded(Breaker::Call::probe, now_);
    EXPECT_GE(breaker_.next_probe(false), now_ + 24s);
}

TEST_F(BreakerTest, ProbesOfManyBackendsSpread) {
    std::set<Instant> due;
    for (int i = 0; i < 20; ++i) {
        breaker_.failed(Call::probe, error(ErrorClass::unreachable), now_);
        due.insert(breaker_.next_probe(true));
    }
    EXPECT_GT(due.size(), 5U);
}

TEST(Pace, AllowsABurstOfOneSecondThenItsRate) {
    Pace pace(10);
    auto now = Instant(1h);
    int taken = 0;
    while (!pace.take(now)) ++taken;
    EXPECT_EQ(taken, 10);
    const auto wait = pace.take(now);
    ASSERT_TRUE(wait);
    EXPECT_LE(*wait, now + 102ms);
    EXPECT_FALSE(pace.take(*wait)) << "at the time it named it may go";
}

TEST(Pace, WaitsAsToldAndRecovers) {
    Pace pace(10);
    const auto now = Instant(1h);
    pace.slow_down(now, 7s);
    EXPECT_EQ(pace.take(now + 1s), now + 7s);
    EXPECT_FALSE(pace.take(now + 7s));
    int in_a_second = 0;
    for (auto at = now + 100s; at < now + 101s; at += 10ms)
        if (!pace.take(at)) ++in_a_second;
    EXPECT_LE(in_a_second, 5 + 5) << "half as fast, and a burst of one second";
    for (int i = 0; i < 10; ++i) pace.speed_up();
    in_a_second = 0;
    for (auto at = now + 200s; at < now + 201s; at += 10ms)
        if (!pace.take(at)) ++in_a_second;
    EXPECT_GE(in_a_second, 18);
}

}  // namespace
}  // namespace ocim::runtime
