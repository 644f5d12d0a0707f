#include "loadbalancing/register.hpp"

#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/haproxy.hpp"
#include "support/sshd.hpp"

#include <gtest/gtest.h>

/// What LoadBalancerFragments say and do when their load balancer, or the way to it, is in trouble.
namespace ocim::loadbalancing {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class HaproxyFaults : public ocim::test::FaultTest {
protected:
    HaproxyFaults() : FaultTest(register_kinds) { put_balancer("well", well, "'local':{}", well.master_socket()); }

    void put_balancer(const std::string& name, const ocim::test::HaproxyService& server, const std::string& way,
                      const std::string& master) {
        running.server.put(json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'LoadBalancer','metadata':{'name':'" + name +
            "'},'spec':{'domain':'" + name + ".example.com','haproxy':{" + way + ",'directory':'" + server.directory() +
            "','configFiles':['" + server.base_config() + "'],'masterSocket':'" + master + "'}}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        const auto& server = backend == "well" ? well : struck;
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'LoadBalancerFragment','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'loadBalancerRef':{'name':'" + backend + "'},'domains':['" + name +
                 ".example.org'],'servers':[{'name':'a','address':'127.0.0.1','port':" +
                 std::to_string(server.origin_ports[0]) + "}]}}"));
    }
    std::string stands(const std::string& name) override {
        return running.stands("LoadBalancerFragment", "campus", name);
    }
    void is_served() { EXPECT_EQ(struck.get("later.example.org").substr(0, 8), "origin 0"); }

    ocim::test::HaproxyService struck, well;
};

/// HAProxy on this host: the door is its master socket. Its files are root's, as we are: there are no credentials.
class LocalHaproxyFaults : public HaproxyFaults {
protected:
    LocalHaproxyFaults() { put_balancer("struck", struck, "'local':{}", files.file("door")); }
    void strike(Fault fault) override { show(front, fault, ocim::test::greeting_garbage(fault)); }
    void mend() override { front.open(); }
    ocim::test::Door& door() override { return front; }

    ocim::test::TempDir files;
    ocim::test::Door front{files.file("door"), struck.master_socket()};
};

TEST_P(LocalHaproxyFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    is_served();
}

INSTANTIATE_TEST_SUITE_P(LocalHaproxy, LocalHaproxyFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::wrong_protocol, Fault::html, Fault::cut_off,
                                         Fault::huge_body),
                         ocim::test::fault_name);

/// HAProxy on a host reached by SSH: the door is its sshd.
class SshHaproxyFaults : public HaproxyFaults {
protected:
    SshHaproxyFaults() {
        running.put_secret("ocim-system", "key", "ssh-privatekey", runtime::base64(sshd.user_key()));
        put_balancer("struck", struck,
                     "'ssh':{'host':'127.0.0.1','port':" + std::to_string(front.port()) + ",'user':'" + sshd.user() +
                         "','keyRef':{'name':'key'},'hostKey':'" + sshd.host_key() + "'}",
                     struck.master_socket());
    }
    void strike(Fault fault) override {
        if (fault != Fault::refuses_credentials) return show(front, fault, ocim::test::greeting_garbage(fault));
        sshd.admit_nobody();
        front.open();  // sessions that there were are over
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            sshd.admit_user();
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }
    int calls() override { return front.connections(); }  // a handshake takes many turns

    ocim::test::Sshd sshd;
    ocim::test::Door front{sshd.port()};
};

TEST_P(SshHaproxyFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    is_served();
}

INSTANTIATE_TEST_SUITE_P(SshHaproxy, SshHaproxyFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

class HaproxyCalls : public LocalHaproxyFaults {};

TEST_F(HaproxyCalls, AHundredFragmentsAppliedTogetherAreOneReload) {
    running.start();
    const auto before = struck.reloads();
    for (int n = 0; n < 100; ++n) put("f" + std::to_string(n), "struck");
    ASSERT_TRUE(running.until([&] { return running.ready("LoadBalancerFragment") == 100; }, deadline))
        << running.ready("LoadBalancerFragment");
    EXPECT_EQ(struck.reloads(), before + 1);
    EXPECT_EQ(struck.get("f99.example.org").substr(0, 8), "origin 0");
}

}  // namespace
}  // namespace ocim::loadbalancing
