#include "registry/quota.hpp"

#include "fixture.hpp"

#include <gtest/gtest.h>

namespace ocim::registry {
namespace {

TEST(Quota, ReadsWholeQuantities) {
    const struct {
        const char* text;
        std::optional<std::int64_t> number;
    } cases[] = {{"0", 0},
                 {"10", 10},
                 {"2k", 2000},
                 {"1Ki", 1024},
                 {"3M", 3'000'000},
                 {"", {}},
                 {"1.5", {}},
                 {"x", {}},
                 {"1m", {}},
                 {"10 ", {}},
                 {"1Q", {}},
                 {"9999999999999999999", {}},
                 {"9223372036854775807k", {}}};
    for (const auto& c : cases) EXPECT_EQ(whole_quantity(c.text), c.number) << c.text;
}

TEST(Quota, KnowsHowKindsAreCalled) {
    using Names = std::vector<std::string>;
    EXPECT_EQ(quota_names("", "secrets"), (Names{"count/secrets", "secrets"}));
    EXPECT_EQ(quota_names("", "serviceaccounts"), (Names{"count/serviceaccounts"}));
    EXPECT_EQ(quota_names("x.org", "widgets"), (Names{"count/widgets.x.org"}));
    EXPECT_EQ(counted_by("count/widgets.x.org"), std::pair(std::string("x.org"), std::string("widgets")));
    EXPECT_EQ(counted_by("secrets"), std::pair(std::string(), std::string("secrets")));
    EXPECT_FALSE(counted_by("cpu"));
}

}  // namespace
}  // namespace ocim::registry
