#include "dns/register.hpp"

#include "runtime/base64.hpp"
#include "support/powerdns.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>

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
                 powerdns.url() + "'},'credentialsRef':{'name':'key'},'driftInterval':'1s'}}"));
    }
    void put(const std::string& name, const std::string& address) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'zoneRef':{'name':'zone'},'name':'" + name +
                 ".example.org','type':'A','values':['" + address + "']}}"));
    }
    /// PATCHes and GETs to the server, as our own metrics count them.
    double calls() const {
        double sum = 0;
        const auto text = running.metrics->text();
        for (auto at = text.find("\nrest_client_requests_total{"); at != std::string::npos;
             at = text.find("\nrest_client_requests_total{", at + 1))
            sum += std::stod(text.substr(text.find("} ", at) + 2));
        return sum;
    }

    ocim::test::PowerDnsService powerdns{"example.org"};
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_F(DnsEndToEnd, AThousandStoredRecordsConvergeInTwentyCalls) {
    for (int n = 0; n < 1000; ++n) put("r" + std::to_string(n), "192.0.2.1");
    running.server.merge("DNSZone", "", "zone", R"({"spec":{"driftInterval":"60s"}})");
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DNSRecord") == 1000; })) << running.ready("DNSRecord");
    EXPECT_LE(calls(), 20);
    EXPECT_EQ(powerdns.dig("r0.example.org", "A"), "192.0.2.1\n");
    EXPECT_EQ(powerdns.dig("r999.example.org", "A"), "192.0.2.1\n");
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
