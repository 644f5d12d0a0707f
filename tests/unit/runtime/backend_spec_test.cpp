#include "runtime/backend_spec.hpp"

#include "crd/dnszones.hpp"

#include <gtest/gtest.h>

namespace ocim::runtime {
namespace {

TEST(Duration, ReadsNumbersWithUnits) {
    struct {
        const char* text;
        std::optional<std::int64_t> milliseconds;
        const char* reason;
    } const rows[] = {
        {"60s", 60'000, "the usual form"},
        {"1h30m", 5'400'000, "units add up"},
        {"250ms", 250, "ms is not minutes and then something"},
        {"1m1ms", 60'001, "m before ms"},
        {"0s", 0, "nothing is a duration"},
        {"", std::nullopt, "empty"},
        {"60", std::nullopt, "no unit"},
        {"s", std::nullopt, "no number"},
        {"-1s", std::nullopt, "negative"},
        {"1.5h", std::nullopt, "whole numbers only"},
        {"1h 30m", std::nullopt, "a space"},
        {"1d", std::nullopt, "an unknown unit"},
        {"99999999999999999999999s", std::nullopt, "would overflow"},
        {"999999999h", std::nullopt, "longer than anybody waits"},
    };
    for (const auto& row : rows) {
        const auto read = parse_duration(row.text);
        EXPECT_EQ(bool(read), row.milliseconds.has_value()) << row.text << ": " << row.reason;
        if (read && row.milliseconds) EXPECT_EQ(read->count(), *row.milliseconds) << row.reason;
        if (!read) EXPECT_EQ(read.error().error_class, ErrorClass::invalid) << row.reason;
    }
}

TEST(BackendSettings, FollowTheSpec) {
    crd::DNSZone zone;
    auto settings = settings_of(zone.spec);
    EXPECT_EQ(settings.drift_interval, Duration{60'000});
    EXPECT_TRUE(settings.repair);
    EXPECT_EQ(settings.orphan_min_age, Duration{4 * 3'600'000});
    EXPECT_FALSE(settings.delete_orphans);

    using Spec = crd::DNSZone::Spec;
    zone.spec.drift_interval = "2m";
    zone.spec.drift_policy = Spec::DriftPolicy::report;
    zone.spec.orphan_policy.action = Spec::OrphanPolicy::Action::delete_;
    zone.spec.orphan_policy.min_age = "10s";
    zone.spec.limits.in_flight = 9;
    zone.spec.limits.requests_per_second = 3;
    zone.spec.allowed_namespaces = {"campus"};
    settings = settings_of(zone.spec);
    EXPECT_EQ(settings.drift_interval, Duration{120'000});
    EXPECT_FALSE(settings.repair);
    EXPECT_TRUE(settings.delete_orphans);
    EXPECT_EQ(settings.orphan_min_age, Duration{10'000});
    EXPECT_EQ(settings.in_flight, 9U);
    EXPECT_EQ(settings.requests_per_second, 3);
    EXPECT_EQ(settings.allowed_namespaces, std::vector<std::string>{"campus"});
}

}  // namespace
}  // namespace ocim::runtime
