#include "compute/register.hpp"
#include "support/door.hpp"
#include "support/openstack.hpp"

#include <gtest/gtest.h>
#include <atomic>

/// What VirtualMachines do when Nova is in trouble: a proxy in front of it loses answers, refuses, stalls and lies.
namespace ocim::compute {
namespace {

using ocim::test::json;
using ocim::test::OpenStack;
using ocim::test::RawSocket;
using std::chrono_literals::operator""s;

constexpr auto patience = 240s;

/// In front of Nova. Each request has a connection of its own.
class FaultProxy {
public:
    enum class Fault { none, lose_creates, busy, rate_limited, failing, half_a_list };

    explicit FaultProxy(std::uint16_t target) : target_(target), door_(target) {
        door_.say([this](RawSocket& client) { serve(client); });
    }
    std::uint16_t port() const { return door_.port(); }
    void suffer(Fault fault, int times) {
        left_ = times;
        fault_ = fault;
    }
    int left() const { return left_; }
    int creates() const { return creates_; }

private:
    bool strikes(Fault fault) { return fault_ == fault && left_.fetch_sub(1) > 0; }
    void serve(RawSocket& client) {
        auto request = client.read_until("\r\n\r\n");
        const auto body = request.find("\r\n\r\n");
        if (body == std::string::npos) return;
        const std::string field = "Content-Length: ";
        const auto at = request.find(field);
        const auto length = at == std::string::npos || at > body ? 0 : std::stoul(request.substr(at + field.size()));
        while (request.size() < body + 4 + length) {
            const auto more = client.read_some();
            if (more.empty()) return;
            request += more;
        }
        const bool create = request.starts_with("POST /v2.1/servers ");
        if (create) ++creates_;
        const std::string head = "Connection: close\r\nContent-Length: 0\r\n";
        if (strikes(Fault::busy)) {
            client.send("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n" + head + "\r\n");
            return;
        }
        if (strikes(Fault::rate_limited)) {
            client.send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n" + head + "\r\n");
            return;
        }
        if (strikes(Fault::failing)) {
            client.send("HTTP/1.1 500 Internal Server Error\r\n" + head + "\r\n");
            return;
        }
        request.insert(request.find("\r\n") + 2, "Connection: close\r\n");
        auto server = RawSocket::connect(target_);
        server.send(request);
        auto answer = server.read_all();
        if (create && strikes(Fault::lose_creates)) return;
        if (request.starts_with("GET /v2.1/servers/detail") && strikes(Fault::half_a_list)) {
            client.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{\"servers\":[");
            return;
        }
        client.send(answer);
    }

    const std::uint16_t target_;
    std::atomic<Fault> fault_ = Fault::none;
    std::atomic<int> left_ = 0, creates_ = 0;
    ocim::test::Door door_;
};

using Fault = FaultProxy::Fault;

class OpenStackFaults : public testing::Test {
protected:
    OpenStackFaults() {
        stack.need_key_pair("ops");
        region = "door-" + std::to_string(proxy.port());
        const OpenStack admin(OpenStack::Who::admin);
        const auto services = admin.call("GET", stack.auth_url + "/services");
        admin.call("POST", stack.auth_url + "/regions", R"({"region":{"id":")" + region + R"("}})");
        for (const auto& service : api::find(services, {"services"})->get_array()) {
            const auto type = std::string(api::find_text(service, {"type"}));
            std::string url;
            if (type == "compute") url = "http://127.0.0.1:" + std::to_string(proxy.port()) + "/v2.1";
            if (type == "image") url = "http://127.0.0.1:" + std::to_string(stack.port("glance"));
            if (type == "network") url = "http://127.0.0.1:" + std::to_string(stack.port("neutron"));
            if (url.empty()) continue;
            admin.call("POST", stack.auth_url + "/endpoints",
                       R"({"endpoint":{"interface":"public","region_id":")" + region + R"(","url":")" + url +
                           R"(","service_id":")" + std::string(api::find_text(service, {"id"})) + R"("}})");
        }
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
    FaultProxy proxy{stack.port("nova")};
    std::string region;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
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
