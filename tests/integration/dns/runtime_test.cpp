#include "dns/register.hpp"

#include "runtime/base64.hpp"
#include "support/door.hpp"
#include "support/powerdns.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// DNSRecords from the declaration to the name server's answer: the runtime, the kind and a real PowerDNS.
namespace ocim::dns {
namespace {

using ocim::test::json;

class DnsEndToEnd : public testing::Test {
protected:
    DnsEndToEnd() {
        running.put_secret("ocim-system", "key", "apiKey", runtime::base64(powerdns.api_key));
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSZone','metadata':{'name':'zone'},"
                 "'spec':{'domain':'example.org','powerdns':{'url':'" +
                 front.url() + "'},'credentialsRef':{'name':'key'},'driftInterval':'1s'}}"));
    }
    void put(const std::string& name, const std::string& address) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'zoneRef':{'name':'zone'},'name':'" + name +
                 ".example.org','type':'A','values':['" + address + "']}}"));
    }
    ocim::test::PowerDnsService powerdns{"example.org"};
    ocim::test::Door front{powerdns.api_port};  // counts what goes over the wire
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_F(DnsEndToEnd, AThousandStoredRecordsConvergeInTwentyCalls) {
    for (int n = 0; n < 1000; ++n) put("r" + std::to_string(n), "192.0.2.1");
    running.server.merge("DNSZone", "", "zone", R"({"spec":{"driftInterval":"60s"}})");
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DNSRecord") == 1000; })) << running.ready("DNSRecord");
    EXPECT_LE(front.turns(), 20);
    EXPECT_GE(front.turns(), 3) << "the count counts: a look, and a write for every 500";
    const auto patches = [&] {
        const auto heard = front.heard();
        return std::ranges::count_if(heard, [](const auto& text) { return text.starts_with("PATCH "); });
    };
    const auto written = patches();
    EXPECT_GE(written, 2) << "500 records a write";
    EXPECT_LE(written, 8);
    EXPECT_EQ(powerdns.dig("r0.example.org", "A"), "192.0.2.1\n");
    EXPECT_EQ(powerdns.dig("r999.example.org", "A"), "192.0.2.1\n");

    // a sweep is one read of the zone, whatever the number of its records
    const auto before = front.turns();
    running.server.merge("DNSZone", "", "zone", R"({"spec":{"driftInterval":"2s"}})");
    ASSERT_TRUE(running.until([&] { return front.turns() >= before + 4; }));
    EXPECT_EQ(patches(), 0) << "nothing is written anew";
    const auto began = loop.clock().now();
    const auto from = front.turns();
    ASSERT_TRUE(running.until([&] { return loop.clock().now() - began >= std::chrono::seconds(8); }));
    EXPECT_LE(front.turns() - from, 5) << "four sweeps in 8 s";
}

TEST_F(DnsEndToEnd, LivesThroughDriftOutageAndDeletion) {
    put("www", "192.0.2.1");
    running.start();
    const auto served = [&](const std::string& what) {
        return running.until([&] { return powerdns.dig("www.example.org", "A") == what; });
    };
    ASSERT_TRUE(served("192.0.2.1\n"));
    ASSERT_TRUE(running.until([&] { return running.stands("DNSRecord", "campus", "www") == "True Served"; }));

    const auto by_hand = powerdns.call("PATCH", "/zones/example.org.",
                                       R"({"rrsets":[{"name":"www.example.org.","type":"A","changetype":"DELETE"}]})");
    ASSERT_NE(by_hand.find("204"), std::string::npos) << by_hand;
    EXPECT_TRUE(served("192.0.2.1\n")) << "drift is put right";
    EXPECT_TRUE(running.until([&] { return running.events("DriftDetected") == 1; }));

    powerdns.service->stop();
    EXPECT_TRUE(running.until([&] { return running.stands("DNSZone", "", "zone").starts_with("False "); }));
    running.server.merge("DNSRecord", "campus", "www", R"({"spec":{"values":["192.0.2.2"]}})");
    EXPECT_TRUE(running.until([&] { return running.stands("DNSRecord", "campus", "www").starts_with("False "); }));
    powerdns.service->start();
    EXPECT_TRUE(served("192.0.2.2\n")) << "recovery needs nobody";

    running.stop();  // a restart in between changes nothing
    running.start();
    running.server.remove("DNSRecord", "campus", "www");
    EXPECT_TRUE(running.until([&] { return running.stands("DNSRecord", "campus", "www") == "gone"; }));
    EXPECT_EQ(powerdns.dig("www.example.org", "A"), "");
}

}  // namespace
}  // namespace ocim::dns
