#include "monitoring/register.hpp"

#include "support/faults.hpp"
#include "support/haproxy.hpp"

#include <gtest/gtest.h>

/// What Monitors say when the site that they watch is in trouble. The prober itself is a part of us: what can fail is
/// the site, and a failing one must not delay what is found out about others.
namespace ocim::monitoring {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class ProberFaults : public testing::TestWithParam<Fault> {
protected:
    ProberFaults() {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MonitoringService','metadata':{"
                 "'name':'builtin'},'spec':{'prober':{}}}"));
    }
    void put(const std::string& name, std::uint16_t port) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Monitor','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'serviceRef':{'name':'builtin'},'url':'http://" + name +
                 ".example.org/','connectTo':'127.0.0.1:" + std::to_string(port) +
                 "','intervalSeconds':1,'timeoutSeconds':2}}"));
    }
    std::string up(const std::string& name) {
        const auto* object = running.server.get("Monitor", "campus", name);
        const auto* found = object ? runtime::condition(*object, "Up") : nullptr;
        return found ? std::string(api::find_text(*found, {"status"})) : "unsaid";
    }
    void strike() {
        if (GetParam() == Fault::down) return front.shut();
        if (GetParam() == Fault::slow) return front.stand_still();
        if (GetParam() != Fault::refuses_credentials) return front.say(ocim::test::http_garbage(GetParam()));
        front.say([](ocim::test::RawSocket& socket) {
            socket.read_until("\r\n\r\n");
            socket.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        });
    }

    ocim::test::HaproxyService haproxy;
    ocim::test::Door front{haproxy.origin_ports[0]};
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_P(ProberFaults, AreSaidBoundedAndOverByThemselves) {
    constexpr std::chrono::seconds deadline{100};
    put("struck", front.port());
    put("beside", haproxy.origin_ports[1]);
    running.start();
    ASSERT_TRUE(running.until([&] { return up("struck") == "True" && up("beside") == "True"; }, deadline));
    strike();
    ASSERT_TRUE(running.until([&] { return up("struck") == "False"; }, deadline)) << up("struck");
    EXPECT_EQ(running.stands("Monitor", "campus", "struck"), "True Monitored") << "what is down is the site";
    EXPECT_EQ(up("beside"), "True");
    put("beside2", haproxy.origin_ports[1]);
    EXPECT_TRUE(running.until([&] { return up("beside2") == "True"; }, deadline));
    const auto before = front.connections();
    loop.run(loop.clock().sleep(std::chrono::seconds(4)));
    EXPECT_LE(front.connections() - before, 5) << "one probe an interval";
    EXPECT_EQ(up("struck"), "False");
    front.open();
    EXPECT_TRUE(running.until([&] { return up("struck") == "True"; }, deadline)) << up("struck");
}

INSTANTIATE_TEST_SUITE_P(Prober, ProberFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::monitoring
