#include "dns/register.hpp"

#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/name_server.hpp"

#include <gtest/gtest.h>

/// DNSRecords under the runtime with a real name server that is in trouble, or whose key changes.
namespace ocim::dns {
namespace {

using ocim::test::Fault;
using ocim::test::json;
using ocim::test::NameServerService;

void put_key(ocim::test::Running& running, const std::string& name, const NameServerService::Key& key) {
    const auto data = [](const std::string& text) { return runtime::base64(text); };
    running.server.put(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'" + name +
                            "'},'data':{'keyName':'" + data(key.name) + "','algorithm':'" + data(key.algorithm) +
                            "','secret':'" + data(key.secret) + "'}}"));
}

void put_zone(ocim::test::Running& running, const std::string& name, const std::string& domain, std::uint16_t port,
              const std::string& interval) {
    running.server.put(json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSZone','metadata':{'name':'" + name +
                            "'},'spec':{'domain':'" + domain +
                            "','rfc2136':{'server':'127.0.0.1','port':" + std::to_string(port) +
                            "},'credentialsRef':{'name':'key'},'driftInterval':'" + interval + "'}}"));
}

void put_record(ocim::test::Running& running, const std::string& name, const std::string& zone,
                const std::string& domain, const std::string& address) {
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':"
             "'campus','name':'" +
             name + "'},'spec':{'zoneRef':{'name':'" + zone + "'},'name':'" + name + "." + domain +
             "','type':'A','values':['" + address + "']}}"));
}

/// What is said in a name server's place.
ocim::test::Door::Script dns_garbage(Fault fault) {
    return [fault](ocim::test::RawSocket& socket) {
        if (ocim::test::read_message(socket).empty()) return;
        switch (fault) {
            case Fault::cut_off: socket.send(std::string("\x02\x00half", 6)); return;
            case Fault::huge_body:
                while (socket.send(std::string(0x10000, '\x7f'))) {}
                return;
            case Fault::down:
            case Fault::slow:
            case Fault::refuses_credentials:
            case Fault::html:
            case Fault::truncated_json:
            case Fault::wrong_protocol: break;
        }
        socket.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    };
}

class NameServerFaults : public ocim::test::FaultTest {
protected:
    using Kind = NameServerService::Kind;
    explicit NameServerFaults(Kind kind = Kind::bind)
        : FaultTest(register_kinds), struck("example.org", kind), well("example.net", other(kind)) {
        put_key(running, "key", struck.key);
        put_zone(running, "struck", "example.org", front.port(), "60s");
        put_zone(running, "well", "example.net", well.port, "60s");
    }
    void put(const std::string& name, const std::string& backend) override {
        put_record(running, name, backend, backend == "well" ? "example.net" : "example.org", "192.0.2.1");
    }
    std::string stands(const std::string& name) override { return running.stands("DNSRecord", "campus", name); }
    void strike(Fault fault) override {
        auto another = good;
        another.secret = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc=";
        if (fault == Fault::refuses_credentials)
            struck.restart_with_key(another);
        else
            show(front, fault, dns_garbage(fault));
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            struck.restart_with_key(good);
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }
    static Kind other(Kind kind) { return kind == Kind::bind ? Kind::knot : Kind::bind; }

    NameServerService struck, well;
    const NameServerService::Key good = struck.key;
    ocim::test::Door front{struck.port};
};

TEST_P(NameServerFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(struck.dig("later.example.org", "A"), "192.0.2.1\n");
}

/// What the other server says is another thing only where it is asked: the rest is a door's doing.
class KnotFaults : public NameServerFaults {
protected:
    KnotFaults() : NameServerFaults(Kind::knot) {}
};

TEST_P(KnotFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(struck.dig("later.example.org", "A"), "192.0.2.1\n");
}

INSTANTIATE_TEST_SUITE_P(Rfc2136, KnotFaults, testing::Values(Fault::down, Fault::refuses_credentials),
                         ocim::test::fault_name);
INSTANTIATE_TEST_SUITE_P(Rfc2136, NameServerFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::cut_off),
                         ocim::test::fault_name);

class NameServerEndToEnd : public testing::TestWithParam<NameServerService::Kind> {
protected:
    NameServerService server{"example.org", GetParam()};
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_P(NameServerEndToEnd, LivesThroughDriftAnotherKeyAndDeletion) {
    put_key(running, "key", server.key);
    put_zone(running, "zone", "example.org", server.port, "1s");
    put_record(running, "www", "zone", "example.org", "192.0.2.1");
    running.start();
    const auto served = [&](const std::string& what) {
        return running.until([&] { return server.dig("www.example.org", "A") == what; });
    };
    ASSERT_TRUE(served("192.0.2.1\n"));
    ASSERT_TRUE(running.until([&] { return running.stands("DNSRecord", "campus", "www") == "True Served"; }));
    ASSERT_EQ(server.change("update delete www.example.org A"), "");
    EXPECT_TRUE(served("192.0.2.1\n")) << "drift is put right";
    EXPECT_TRUE(running.until([&] { return running.events("DriftDetected") == 1; }));

    // another key, of another name and algorithm: the program goes on
    server.restart_with_key({"ocim-2", "hmac-sha512", "YW5vdGhlci1zZWNyZXQtYW5vdGhlci1zZWNyZXQ="});
    EXPECT_TRUE(running.until([&] { return running.stands("DNSZone", "", "zone") == "False BackendAuthFailed"; }))
        << running.stands("DNSZone", "", "zone");
    put_key(running, "key", server.key);
    running.server.merge("DNSRecord", "campus", "www", R"({"spec":{"values":["192.0.2.2"]}})");
    EXPECT_TRUE(served("192.0.2.2\n")) << "the new key is used without a restart";

    running.server.remove("DNSRecord", "campus", "www");
    EXPECT_TRUE(running.until([&] { return running.stands("DNSRecord", "campus", "www") == "gone"; }));
    EXPECT_EQ(server.dig("www.example.org", "A"), "");
}

INSTANTIATE_TEST_SUITE_P(Servers, NameServerEndToEnd,
                         testing::Values(NameServerService::Kind::bind, NameServerService::Kind::knot),
                         [](const auto& info) {
                             return info.param == NameServerService::Kind::bind ? "Bind" : "Knot";
                         });

}  // namespace
}  // namespace ocim::dns
