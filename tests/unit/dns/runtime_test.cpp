#include "dns/powerdns.hpp"
#include "dns/record.hpp"
#include "fake_powerdns.hpp"
#include "sample.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>

/// Many records under the runtime, with the clock in our hands: what it costs, and who is hurt by a failure.
namespace ocim::dns {
namespace {

using namespace test;
using namespace std::chrono_literals;

class DnsRuntime : public testing::Test {
protected:
    DnsRuntime() { running.put_secret("ocim-system", "dns-key", "apiKey", "a2V5"); }

    void put_zone() {
        auto object = zone();
        object.spec.powerdns.emplace().url = "http://127.0.0.1:1";
        running.server.put(api::encode_object(object));
    }
    void put_records(int count) {
        for (int n = 0; n < count; ++n) put(record_of(n));
    }
    static crd::DNSRecord record_of(int n) {
        auto object = record("r" + std::to_string(n) + ".example.org", {"192.0.2.1"});
        object.metadata.name = "r" + std::to_string(n);
        object.metadata.uid.clear();
        return object;
    }
    void put(const crd::DNSRecord& object) { running.server.put(api::encode_object(object)); }
    std::string stands(const std::string& name) { return running.stands("DNSRecord", "campus", name); }

    PowerDnsServer server;
    ocim::test::TestLoop loop;
    ocim::test::Running running{loop, [this](runtime::Manager& manager) {
                                    runtime::add_external<Record>(
                                        manager,
                                        [this](const crd::DNSZone&, const runtime::Inputs&,
                                               const runtime::Services& services) -> Result<std::unique_ptr<Zone>> {
                                            return open_powerdns(std::make_unique<FakeHttp>(server), services,
                                                                 {"example.org", "localhost", Secret("key")});
                                        });
                                }};
};

TEST_F(DnsRuntime, AThousandStoredRecordsConvergeInTwentyCalls) {
    put_zone();
    put_records(1000);
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DNSRecord") == 1000; })) << running.ready("DNSRecord");
    EXPECT_LE(server.calls, 20);
    EXPECT_EQ(server.sets.size(), 1000U);

    // from here on: one read each drift interval, and a probe every 3.2 to 4 seconds
    const auto calls = server.calls, patches = server.patches;
    loop.advance(10min);
    EXPECT_EQ(server.patches, patches) << "nothing moves";
    EXPECT_LE(server.calls - calls, 10 + 188 + 2);
    EXPECT_EQ(running.ready("DNSRecord"), 1000U);
}

TEST_F(DnsRuntime, AForeignRecordIsLeftAloneAndItsObjectSaysSo) {
    server.sets[{"r1.example.org.", "A"}] = {api::json::array{api::json::object{{"content", "203.0.113.1"}}},
                                             api::json::array(), 60};
    put_zone();
    put_records(3);
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DNSRecord") == 2; }));
    EXPECT_EQ(stands("r1"), "False NotOwned");
    const auto foreign = server.sets[{"r1.example.org.", "A"}].records;
    for (int n = 0; n < 3; ++n) running.server.remove("DNSRecord", "campus", "r" + std::to_string(n));
    ASSERT_TRUE(running.until([&] { return running.server.all("DNSRecord").empty(); }));
    EXPECT_EQ(server.sets.size(), 1U);
    EXPECT_EQ((server.sets[{"r1.example.org.", "A"}].records), foreign);
    // when the person lets go of it, whoever still wants it gets it
    put(record_of(1));
    ASSERT_TRUE(running.until([&] { return stands("r1") == "False NotOwned"; }));
    server.sets.clear();
    EXPECT_TRUE(running.until([&] { return stands("r1") == "True Served"; }, 2min)) << stands("r1");
}

TEST_F(DnsRuntime, OneRecordThatTheServerRefusesStopsNoOther) {
    server.refused = {"r7.example.org."};
    put_zone();
    put_records(200);
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DNSRecord") == 199; })) << running.ready("DNSRecord");
    EXPECT_TRUE(running.until([&] { return stands("r7").starts_with("False "); }));
    EXPECT_NE(api::to_text(*running.server.get("DNSRecord", "campus", "r7")).find("not to my taste"),
              std::string::npos);
    const auto patches = server.patches;
    loop.advance(10min);
    EXPECT_EQ(server.patches, patches) << "what is refused is not sent again and again";
}

TEST_F(DnsRuntime, AZoneThatAnswersGarbageDeletesNothing) {
    put_zone();
    put_records(5);
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DNSRecord") == 5; }));
    server.always = PowerDnsServer::Fault::status_500;
    loop.advance(3min);
    EXPECT_EQ(server.sets.size(), 5U);
    server.always = PowerDnsServer::Fault::none;
    running.server.remove("DNSRecord", "campus", "r0");
    EXPECT_TRUE(running.until([&] { return server.sets.size() == 4; }, 6min)) << "recovery needs nobody";
}

TEST_F(DnsRuntime, TheOlderOfTwoObjectsHoldsAName) {
    put_zone();
    put(record_of(1));
    running.start();
    ASSERT_TRUE(running.until([&] { return stands("r1") == "True Served"; }));
    auto alias = record_of(1);
    alias.metadata.name = "alias";
    alias.spec.type = Spec::Type::cname;
    alias.spec.values = {"lb.example.org"};
    put(alias);
    ASSERT_TRUE(running.until([&] { return stands("alias") == "False Claimed"; })) << stands("alias");
    running.server.remove("DNSRecord", "campus", "r1");
    EXPECT_TRUE(running.until([&] { return stands("alias") == "True Served"; }, 2min)) << stands("alias");
    EXPECT_TRUE(server.sets.contains({"r1.example.org.", "CNAME"}));
}

}  // namespace
}  // namespace ocim::dns
