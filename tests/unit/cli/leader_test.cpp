#include "cli/leader.hpp"

#include "runtime/lease.hpp"

#include <gtest/gtest.h>

namespace ocim::cli {
namespace {

TEST(Leader, IsReadAsItWasTold) {
    const Leader leader{"pod-1_x", "https://10.0.0.1:7481", "-----BEGIN CERTIFICATE-----\n"};
    api::json::object annotations{{"other", "kept"}};
    for (const auto& [key, value] : leader.annotations()) {
        EXPECT_TRUE(key.starts_with(runtime::Lease::told_prefix)) << key << ": the next leader would leave it there";
        annotations[key] = value;
    }
    const api::Json lease = api::json::object{{"metadata", api::json::object{{"annotations", annotations}}},
                                              {"spec", api::json::object{{"holderIdentity", "pod-1_x"}}}};
    EXPECT_EQ(Leader::of(lease), leader);
    EXPECT_TRUE(Leader{"pod-1_x"}.annotations().empty()) << "without a door nothing is told";
    EXPECT_EQ(Leader::of(api::json::object{}), Leader{});
}

}  // namespace
}  // namespace ocim::cli
