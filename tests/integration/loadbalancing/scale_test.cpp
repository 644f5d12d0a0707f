#include "load.hpp"
#include "real_haproxy.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <cstdlib>
#include <iostream>

/// Thousands of fragments, and thousands of visitors a second, in a real HAProxy.
/// OCIM_SCALE=full: 5,000 fragments and 10,000 requests a second.
namespace ocim::loadbalancing {
namespace {

using namespace test;
using Clock = std::chrono::steady_clock;

bool full() {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full";
}

double since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

class HaproxyScale : public RealHaproxyOf<testing::Test> {
protected:
    HaproxyScale() : RealHaproxyOf(Way::local) { loop.set_limit(std::chrono::minutes(10)); }

    std::vector<crd::LoadBalancerFragment> fragments(int count) {
        std::vector<crd::LoadBalancerFragment> out;
        for (int n = 0; n < count; ++n) {
            out.push_back(fragment(n));
            out.back().spec.health_check.interval = "60s";
        }
        return out;
    }
    const int count = full() ? 5000 : 300;
    const int rate = full() ? 10'000 : 300;
};

TEST_F(HaproxyScale, OneBadFragmentOfManyLeavesTheOthersLive) {
    auto actions = visitor.wanted(fragments(count));
    auto& bad = actions[static_cast<std::size_t>(count) / 2];
    bad.text = Secret(bad.text.reveal() + "  nonsense\n");
    const auto before = server.reloads();
    const auto began = Clock::now();
    const auto answers = visitor.act(actions);
    std::cout << count << " fragments, one of them bad: in force after " << since(began) << " s\n";
    int good = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        ASSERT_TRUE(answers[i]);
        if (*answers[i])
            ++good;
        else
            EXPECT_NE(answers[i]->error().message.find("unknown keyword 'nonsense'"), std::string::npos)
                << answers[i]->error().message;
    }
    EXPECT_EQ(good, count - 1);
    EXPECT_FALSE(*answers[static_cast<std::size_t>(count) / 2]);
    EXPECT_EQ(server.reloads(), before + 1);
    for (const int n : {0, count / 2 - 1, count / 2 + 1, count - 1})
        EXPECT_TRUE(server.get("site" + std::to_string(n) + ".example.org").ends_with(" 200")) << n;
    EXPECT_TRUE(server.get("site" + std::to_string(count / 2) + ".example.org").ends_with(" 404"));
    const auto looked = Clock::now();
    const auto seen = visitor.see();
    std::cout << "a look at all of them: " << since(looked) << " s\n";
    EXPECT_EQ(std::ranges::count_if(seen, [](const auto& item) { return item.first.part == Key::Part::fragment; }),
              count - 1);
}

TEST_F(HaproxyScale, NobodyIsLostWhenABackendIsAdded) {
    visitor.succeed(visitor.wanted(fragments(count)));
    ocim::test::Load load({server.port, "site1.example.org", rate});
    ASSERT_TRUE(ocim::test::wait_for([&] { return load.answered() > static_cast<std::uint64_t>(2 * rate); },
                                     std::chrono::seconds(120)));
    const auto before = server.reloads();
    visitor.succeed(visitor.wanted(fragment(count)));
    EXPECT_EQ(server.reloads(), before + 1);
    EXPECT_EQ(server.get("site" + std::to_string(count) + ".example.org").substr(0, 8), "origin 0");
    // and a server beside the first, and it alone: without a reload
    auto more = fragments(2)[1];
    more.spec.servers.push_back({"a1", "127.0.0.1", server.origin_ports[1]});
    visitor.succeed(visitor.wanted(more));
    more.spec.servers.erase(more.spec.servers.begin());
    visitor.succeed(visitor.wanted(more));
    EXPECT_EQ(server.reloads(), before + 1);
    EXPECT_EQ(server.get("site1.example.org").substr(0, 8), "origin 1");
    const auto told = load.answered();
    ASSERT_TRUE(ocim::test::wait_for([&] { return load.answered() > told + static_cast<std::uint64_t>(rate); },
                                     std::chrono::seconds(120)));
    load.stop();
    std::cout << load.answered() << " requests answered in " << load.seconds() << " s, " << load.mean_rate()
              << " a second, " << load.worst_second() << " in the worst second, " << load.lost() << " lost\n";
    EXPECT_EQ(load.lost(), 0U) << load.first_loss();
}

}  // namespace
}  // namespace ocim::loadbalancing
