#include "runtime/bisect.hpp"

#include "support/test_loop.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

namespace ocim::runtime {
namespace {

struct Outcome {
    std::map<int, std::string> said;  // by item: the class of its result
    int calls = 0;
    bool operator==(const Outcome&) const = default;
};

/// Tries 0..count-1 where `bad` are refused and everything from call `breaks_at` on is unreachable.
Outcome tried(int count, std::set<int> bad, int breaks_at = 1'000) {
    test::TestLoop loop;
    Outcome out;
    std::vector<int> items;
    for (int i = 0; i < count; ++i) items.push_back(i);
    std::function<awaitable<Result<void>>(std::vector<int>)> attempt =
        [&](std::vector<int> batch) -> awaitable<Result<void>> {
        if (++out.calls >= breaks_at) co_return Error{ErrorClass::unreachable, "gone"};
        for (const int item : batch)
            if (bad.contains(item)) co_return Error{ErrorClass::invalid, "refused " + std::to_string(item)};
        co_return Result<void>();
    };
    std::function<void(const int&, const Result<void>&)> report = [&](const int& item, const Result<void>& result) {
        EXPECT_FALSE(out.said.contains(item)) << "reported twice: " << item;
        out.said[item] = result ? "ok" : std::string(name_of(result.error().error_class));
    };
    loop.run(act_bisecting<int>(std::move(items), std::move(attempt), std::move(report)));
    return out;
}

TEST(Bisect, OneCallWhenNothingIsRefused) {
    const auto out = tried(100, {});
    EXPECT_EQ(out.calls, 1);
    EXPECT_EQ(out.said.size(), 100U);
}

TEST(Bisect, NothingIsNotTried) { EXPECT_EQ(tried(0, {}).calls, 0); }

TEST(Bisect, OnlyTheCulpritIsSetAside) {
    const auto out = tried(1'000, {417});
    EXPECT_LE(out.calls, 21) << "2 log2(1000) + 1";
    for (const auto& [item, said] : out.said) EXPECT_EQ(said, item == 417 ? "invalid" : "ok") << item;
    EXPECT_EQ(out.said.size(), 1'000U);
}

TEST(Bisect, SeveralCulpritsAreFound) {
    const auto out = tried(64, {0, 31, 63});
    for (const auto& [item, said] : out.said)
        EXPECT_EQ(said, item == 0 || item == 31 || item == 63 ? "invalid" : "ok") << item;
}

TEST(Bisect, AfterAnotherErrorNothingMoreIsSent) {
    const auto out = tried(8, {7}, 3);
    EXPECT_EQ(out.calls, 3);
    EXPECT_EQ(out.said.size(), 8U) << "every item is told";
    EXPECT_EQ(out.said.at(0), "ok");
    EXPECT_EQ(out.said.at(4), "unreachable");
    EXPECT_EQ(out.said.at(7), "unreachable");
}

}  // namespace
}  // namespace ocim::runtime
