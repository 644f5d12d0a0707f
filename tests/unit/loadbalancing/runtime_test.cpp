#include "fake_machine.hpp"
#include "loadbalancing/fragment.hpp"
#include "loadbalancing/haproxy.hpp"
#include "sample.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>

/// Many fragments under the runtime, with the clock in our hands: what it costs, and who is hurt by a failure.
namespace ocim::loadbalancing {
namespace {

using namespace test;
using namespace std::chrono_literals;

class LoadBalancingRuntime : public testing::Test {
protected:
    void put_balancer() { running.server.put(api::encode_object(balancer())); }
    void put(crd::LoadBalancerFragment object) {
        object.metadata.uid.clear();
        running.server.put(api::encode_object(object));
    }
    std::string stands(int n) { return running.stands("LoadBalancerFragment", "campus", "site" + std::to_string(n)); }

    Machine machine;
    ocim::test::TestLoop loop;
    ocim::test::Running running{loop, [this](runtime::Manager& manager) {
                                    runtime::add_external<Fragment>(
                                        manager,
                                        [this](const crd::LoadBalancer&, const runtime::Inputs&,
                                               const runtime::Services& services) -> Result<std::unique_ptr<System>> {
                                            return open_haproxy(std::make_unique<FakeHost>(machine), services,
                                                                {"/x", {}, "/run/s"});
                                        });
                                }};
};

TEST_F(LoadBalancingRuntime, AHundredFragmentsAppliedTogetherAreOneReload) {
    put_balancer();
    running.start();
    loop.advance(2s);
    for (int n = 0; n < 100; ++n) put(fragment(n));
    ASSERT_TRUE(running.until([&] { return running.ready("LoadBalancerFragment") == 100; }));
    EXPECT_EQ(machine.reloads, 1);
    loop.advance(10min);
    EXPECT_EQ(machine.reloads, 1) << "nothing moves";
    for (int n = 0; n < 100; ++n) running.server.remove("LoadBalancerFragment", "campus", "site" + std::to_string(n));
    ASSERT_TRUE(running.until([&] { return running.server.all("LoadBalancerFragment").empty(); }));
    EXPECT_LE(machine.reloads, 3);
    EXPECT_EQ(machine.files.size(), 2U) << "only an empty map and an empty list of certificates are left";
    EXPECT_EQ(machine.files["domains.map"], "");
}

TEST_F(LoadBalancingRuntime, ADomainMovesFromOneFragmentToAnother) {
    put_balancer();
    auto first = fragment(1), second = fragment(2);
    first.spec.domains = {"a.example.org", "moving.example.org"};
    put(first);
    running.start();
    ASSERT_TRUE(running.until([&] { return stands(1) == "True Applied"; }));
    second.spec.domains = {"b.example.org", "moving.example.org"};
    put(second);
    ASSERT_TRUE(running.until([&] { return stands(2) == "False Claimed"; })) << stands(2);
    running.server.merge("LoadBalancerFragment", "campus", "site1", R"({"spec":{"domains":["a.example.org"]}})");
    ASSERT_TRUE(running.until([&] { return stands(2) == "True Applied"; }, 2min)) << stands(2);
    EXPECT_NE(machine.files["domains.map"].find("moving.example.org " + name_of(2)), std::string::npos);
}

TEST_F(LoadBalancingRuntime, AFaultyFragmentStopsNoOther) {
    machine.faulty = {"192.0.2.66"};
    put_balancer();
    for (int n = 0; n < 20; ++n) {
        auto object = fragment(n);
        if (n == 7) object.spec.servers[0].address = "192.0.2.66";
        put(object);
    }
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("LoadBalancerFragment") == 19; }));
    EXPECT_TRUE(running.until([&] { return stands(7).starts_with("False "); }));
    EXPECT_NE(api::to_text(*running.server.get("LoadBalancerFragment", "campus", "site7")).find("line 3: no good"),
              std::string::npos);
    const auto checks = machine.checks;
    loop.advance(10min);
    EXPECT_EQ(machine.checks, checks) << "what is refused is not tried again and again";
    running.server.merge("LoadBalancerFragment", "campus", "site7",
                         R"({"spec":{"servers":[{"name":"a1","address":"192.0.2.5","port":80}]}})");
    EXPECT_TRUE(running.until([&] { return stands(7) == "True Applied"; })) << stands(7);
}

TEST_F(LoadBalancingRuntime, WhatIsChangedByHandIsPutRight) {
    put_balancer();
    put(fragment(1));
    running.start();
    ASSERT_TRUE(running.until([&] { return stands(1) == "True Applied"; }));
    const auto files = machine.files;
    machine.files["conf.d/" + name_of(1) + ".cfg"] += "  # by hand\n";
    loop.advance(70s);
    EXPECT_EQ(machine.files, files);
    EXPECT_EQ(running.events("DriftDetected"), 1);
}

}  // namespace
}  // namespace ocim::loadbalancing
