#include "compute/register.hpp"
#include "fault_proxy.hpp"
#include "support/openstack.hpp"

#include <gtest/gtest.h>

/// What VirtualMachines do when Nova is in trouble: a proxy in front of it loses answers, refuses, stalls and lies.
namespace ocim::compute {
namespace {

using ocim::test::FaultProxy;
using ocim::test::json;
using ocim::test::OpenStack;
using std::chrono_literals::operator""s;

constexpr auto patience = 240s;

using Fault = FaultProxy::Fault;

class OpenStackFaults : public testing::Test {
protected:
    OpenStackFaults() {
        stack.need_key_pair("ops");
        region = ocim::test::region_through(stack, {{"nova", proxy.port()}});
        stack.declare(running, "stack", "'waitForSSH':false,'region':'" + region + "'");
    }
    void TearDown() override {
        running.stop();
        stack.clear();
    }
    void put(const std::string& name) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'VirtualMachine','metadata':{'namespace':'campus',"
                 "'name':'" +
                 name +
                 "'},'spec':{'cloudRef':{'name':'stack'},'keyName':'ops','image':{'name':'debian-12'},'flavor':{'name':"
                 "'small'}}}"));
    }
    bool stands_so(const std::string& name, const std::string& how) {
        return running.until([&] { return running.stands("VirtualMachine", "campus", name) == how; }, patience);
    }

    OpenStack stack;
    FaultProxy proxy{stack.port("nova"), "/v2.1/servers"};
    std::string region;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, [](auto& manager) { register_kinds(manager, LocalMachines::refused); }};
};

TEST_F(OpenStackFaults, AMachineWhoseBirthWasNotAnsweredIsFoundAgainAndNotMadeTwice) {
    proxy.suffer(Fault::lose_creates, 1);
    put("demo");
    running.start();
    ASSERT_TRUE(stands_so("demo", "True Running")) << running.stands("VirtualMachine", "campus", "demo");
    EXPECT_EQ(proxy.left(), 0) << "an answer was lost";
    EXPECT_EQ(proxy.creates(), 1);
    EXPECT_EQ(stack.servers().size(), 1U);
}

TEST_F(OpenStackFaults, NothingIsMadeOrDeletedOfWhatCannotBeKnown) {
    put("demo");
    running.start();
    ASSERT_TRUE(stands_so("demo", "True Running"));
    const auto id = std::string(api::find_text(stack.servers().at(0), {"id"}));
    for (const auto fault : {Fault::half_a_list, Fault::failing, Fault::busy, Fault::rate_limited}) {
        proxy.suffer(fault, 3);
        EXPECT_TRUE(running.until([&] { return proxy.left() <= 0; }, patience)) << static_cast<int>(fault);
        EXPECT_EQ(proxy.creates(), 1);
        EXPECT_TRUE(stands_so("demo", "True Running")) << static_cast<int>(fault);
        const auto servers = stack.servers();
        ASSERT_EQ(servers.size(), 1U);
        EXPECT_EQ(api::find_text(servers[0], {"id"}), id);
    }
}

TEST_F(OpenStackFaults, SeveralMachinesAreMadeAtATimeAndNoMoreThanTheCloudAllows) {
    constexpr int machines = 4, allowed = 3;
    stack.declare(running, "stack", "'waitForSSH':false,'region':'" + region + "'", "2s",
                  ",'limits':{'requestsPerSecond':100,'inFlight':3}");
    const auto name = [](int number) { return "many-" + std::to_string(number); };
    proxy.hold_creates_until(allowed, 20s);  // one after another, none would come before the first has gone on
    for (int i = 0; i < machines; ++i) put(name(i));
    running.start();
    EXPECT_TRUE(running.until([&] { return proxy.creates() == machines; }, patience)) << proxy.creates();
    EXPECT_EQ(proxy.creates_at_once(), allowed);
}

TEST_F(OpenStackFaults, MachinesAreMadeAndDeletedThroughTrouble) {
    proxy.suffer(Fault::busy, 4);
    put("demo");
    running.start();
    ASSERT_TRUE(stands_so("demo", "True Running")) << running.stands("VirtualMachine", "campus", "demo");
    proxy.suffer(Fault::failing, 4);
    running.server.remove("VirtualMachine", "campus", "demo");
    EXPECT_TRUE(stands_so("demo", "gone"));
    EXPECT_TRUE(stack.servers().empty());
}

}  // namespace
}  // namespace ocim::compute
