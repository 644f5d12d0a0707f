#include "runtime/tally.hpp"

#include <gtest/gtest.h>

namespace ocim::runtime {
namespace {

std::int64_t others(const Tally& tally, const std::string& who, const std::string& what) {
    Inputs inputs;
    inputs.add(tally.without({"ns", who}));
    return tallied(inputs, what);
}

TEST(Tally, CountsWhatIsStoredAndWhatIsAboutToBe) {
    Tally tally;
    const ObjectKey a{"ns", "a"}, b{"ns", "b"};
    EXPECT_EQ(others(tally, "a", "x"), 0);
    tally.set(a, {"x"});
    EXPECT_EQ(others(tally, "b", "x"), 1);
    EXPECT_EQ(others(tally, "a", "x"), 0) << "oneself is no other";
    tally.promise(b, {"x"});
    EXPECT_EQ(others(tally, "a", "x"), 1) << "from the moment of the decision";
    tally.set(b, {});
    EXPECT_EQ(others(tally, "a", "x"), 1) << "another write of it is not that one";
    tally.set(b, {"x"});
    EXPECT_EQ(others(tally, "a", "x"), 1) << "once, stored or not";
    tally.set(b, {});
    EXPECT_EQ(others(tally, "a", "x"), 0) << "it was stored, and is no more";
    tally.promise(b, {"x"});
    tally.promise(b, {"y"});
    EXPECT_EQ(others(tally, "a", "x"), 0) << "it has decided otherwise";
    EXPECT_EQ(others(tally, "a", "y"), 1);
    tally.forget(b);
    EXPECT_EQ(others(tally, "a", "y"), 0);
    Inputs none;
    EXPECT_EQ(tallied(none, "x"), 0);
}

}  // namespace
}  // namespace ocim::runtime
