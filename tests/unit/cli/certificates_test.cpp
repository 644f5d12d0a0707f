#include "cli/certificates.hpp"

#include "support/test_loop.hpp"

#include <gtest/gtest.h>

using namespace ocim;
using namespace ocim::cli;
using namespace std::chrono_literals;

namespace {

TEST(Certificates, AreRenewedWhenAThirdOfTheirLifeIsLeft) {
    const WallTime issued = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    EXPECT_EQ(renewal_of(issued, issued + 90h), issued + 60h);
}

TEST(Certificates, AreRenewedAgainAndAgain) {
    test::TestLoop loop;
    TaskGroup tasks(loop.executor());
    const auto begin = loop.clock().wall();
    std::vector<std::chrono::hours> at;
    bool fails = false;
    auto renew = [&]() -> Result<WallTime> {
        at.push_back(std::chrono::floor<std::chrono::hours>(loop.clock().wall() - begin));
        if (fails) return Error{ErrorClass::transient, "the disk is full"};
        return loop.clock().wall() + 300h;
    };
    tasks.spawn("renew", renew_in_time(loop.clock(), begin + 300h, renew));
    loop.advance(199h);
    EXPECT_TRUE(at.empty()) << "not before its time";
    loop.advance(2h);
    ASSERT_EQ(at.size(), 1U);
    EXPECT_EQ(at[0], 200h);
    fails = true;
    loop.advance(203h);
    ASSERT_GE(at.size(), 2U) << "200 hours later again, and each hour until it succeeds";
    EXPECT_EQ(at[1], 400h);
    const auto tried = at.size();
    fails = false;
    loop.advance(1h);
    EXPECT_EQ(at.size(), tried + 1);
    loop.advance(150h);
    EXPECT_EQ(at.size(), tried + 1) << "it is good again";
    loop.run(tasks.stop());
}

TEST(Certificates, SayWhenTheyRunOut) {
    Metrics metrics;
    const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    Access access;
    access.ca = *net::make_ca("test", now);
    access.server = *net::issue_certificate(access.ca, {.common_name = "s", .dns_names = {"s"}, .server = true}, now);
    access.admin = *net::issue_certificate(access.ca, {.common_name = "a", .valid_for = 90min}, now);
    report_expiry(metrics, access);
    const auto text = metrics.text();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>((now + 90min).time_since_epoch()).count();
    EXPECT_NE(text.find("ocim_certificate_expiry_timestamp_seconds{certificate=\"admin\"} " + std::to_string(seconds)),
              text.npos)
        << text;
    EXPECT_NE(text.find("ocim_ca_expiry_timestamp_seconds "), text.npos) << text;
}

}  // namespace
