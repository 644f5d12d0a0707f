#include "dns/record.hpp"

#include "base/async.hpp"
#include "base/random.hpp"
#include "support/contract.hpp"
#include "support/door.hpp"
#include "support/powerdns.hpp"

#include <gtest/gtest.h>
#include <iostream>
#include <utility>

/// DNSRecords in a real PowerDNS, checked with dig.
namespace ocim::dns {
namespace {

using ocim::test::PowerDnsService;
using Spec = crd::DNSRecord::Spec;

crd::DNSRecord record(int n) {
    crd::DNSRecord out;
    out.metadata.name = "r" + std::to_string(n);
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-" + std::to_string(n);
    out.spec.zone_ref.name = "zone";
    out.spec.name = out.metadata.name + ".example.org";
    out.spec.type = Spec::Type::a;
    out.spec.values = {"192.0.2.1"};
    return out;
}

class RealPowerDns : public testing::TestWithParam<PowerDnsService::Backend> {
protected:
    crd::DNSZone zone_object(const std::string& domain = "example.org") {
        crd::DNSZone out;
        out.metadata.name = "zone";
        out.spec.domain = domain;
        out.spec.powerdns.emplace().url = front.url();
        out.spec.credentials_ref.name = "dns-key";
        out.spec.external_dns.adopt_owners = {"old"};
        return out;
    }
    runtime::Inputs inputs(const std::string& key) {
        runtime::Inputs out;
        out.installation = "prod";
        out.add(api::encode_object(zone_object()));
        namespace json = api::json;
        out.add(json::object{{"apiVersion", "v1"},
                             {"kind", "Secret"},
                             {"metadata", json::object{{"name", "dns-key"}, {"namespace", "ocim-system"}}},
                             {"data", json::object{{"apiKey", key}}}});
        return out;
    }
    std::unique_ptr<Zone> open(const crd::DNSZone& zone, const std::string& key = "dGVzdC1rZXk=") {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        auto opened = Record::open(zone, inputs(key), services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }

    PowerDnsService server{"example.org", GetParam()};
    ocim::test::Door front{server.api_port};  // counts what goes over the wire
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::unique_ptr<Zone> zone = open(zone_object());
    ocim::test::Visitor<Record> visitor{loop, *zone, inputs("")};
};

TEST_P(RealPowerDns, KeepsTheContract) {
    ocim::test::ContractCase<Record> given;
    given.object = record;
    given.changed = [](crd::DNSRecord object) {
        object.spec.values = {"192.0.2.2", "192.0.2.3"};
        object.spec.ttl_seconds = 60;
        return object;
    };
    given.adopting = [](crd::DNSRecord object) {
        object.spec.adoption_policy = crd::DNSRecord::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) {
        const auto name = record(n).spec.name;
        const auto said = server.call("PATCH", "/zones/example.org.",
                                      R"({"rrsets":[{"name":")" + name +
                                          R"(.","type":"A","ttl":300,"changetype":)"
                                          R"("REPLACE","records":[{"content":"192.0.2.1","disabled":false}]}]})");
        ASSERT_NE(said.find("204"), std::string::npos) << said;
    };
    given.refused = [] {
        // the server refuses a CNAME at the zone's own name, where the SOA is
        const Mark mark{"prod", "campus/bad", "uid-bad", false};
        return Action{Action::Verb::create, {"example.org", "CNAME"}, {{"x.example.net"}, 300, mark}};
    };
    ocim::test::run_contract(visitor, given);
}

TEST_P(RealPowerDns, ServesEveryTypeAsDeclared) {
    const std::string odd = R"(v=x; "quoted" \back\slash; 'single' $HOME ünïcode ☃)" + std::string(300, 'y');
    std::vector<crd::DNSRecord> objects(11, record(0));
    const auto declare = [&](std::size_t i, std::string name, Spec::Type type, std::vector<std::string> values) {
        objects[i].metadata.uid = "uid-t" + std::to_string(i);
        objects[i].spec.name = std::move(name);
        objects[i].spec.type = type;
        objects[i].spec.values = std::move(values);
    };
    declare(0, "A.Example.org.", Spec::Type::a, {"192.0.2.7", "192.0.2.6"});
    declare(1, "a.example.org", Spec::Type::aaaa, {"2001:DB8:0::1"});
    declare(2, "c.example.org", Spec::Type::cname, {"LB.Example.net."});
    declare(3, "t.example.org", Spec::Type::txt, {odd, "second"});
    declare(4, "*.w.example.org", Spec::Type::a, {"192.0.2.8"});
    declare(5, "example.org", Spec::Type::txt, {"apex"});
    declare(6, "example.org", Spec::Type::mx, {"010 Mail.example.org", "20 mail2.example.net."});
    declare(7, "_sip._tcp.example.org", Spec::Type::srv, {"0 5 5060 sip.example.org"});
    declare(8, "example.org", Spec::Type::caa, {"0 issue letsencrypt.org"});
    declare(9, "sub.example.org", Spec::Type::ns, {"ns1.example.net", "ns2.example.net"});
    declare(10, "bücher.example.org", Spec::Type::cname, {"münchen.example.net"});
    visitor.must(visitor.wanted(objects));
    for (const auto& object : objects) {
        EXPECT_TRUE(visitor.wanted(object).empty()) << object.spec.name;
        EXPECT_TRUE(visitor.ready(object)) << object.spec.name;
    }
    EXPECT_EQ(server.dig("a.example.org", "A"), "192.0.2.6\n192.0.2.7\n");
    EXPECT_EQ(server.dig("a.example.org", "AAAA"), "2001:db8::1\n");
    EXPECT_EQ(server.dig("c.example.org", "CNAME"), "lb.example.net.\n");
    EXPECT_EQ(server.dig("any.w.example.org", "A"), "192.0.2.8\n");
    EXPECT_EQ(server.dig("example.org", "MX"), "10 mail.example.org.\n20 mail2.example.net.\n");
    EXPECT_EQ(server.dig("_sip._tcp.example.org", "SRV"), "0 5 5060 sip.example.org.\n");
    EXPECT_EQ(server.dig("example.org", "CAA"), "0 issue \"letsencrypt.org\"\n");
    EXPECT_EQ(server.dig("xn--bcher-kva.example.org", "CNAME"), "xn--mnchen-3ya.example.net.\n");
    const auto text = server.dig("t.example.org", "TXT");
    EXPECT_NE(text.find(R"("v=x; \"quoted\" \\back\\slash; 'single' $HOME \195\188n\195\175code \226\152\131)"),
              std::string::npos)
        << text;
    EXPECT_EQ(visitor.report(objects[3]).status.served, (std::vector<std::string>{"second", odd}));
    visitor.must(visitor.wanted(objects, true));
    EXPECT_EQ(server.dig("a.example.org", "A"), "");
}

TEST_P(RealPowerDns, ChangesBehindOurBackAreSeen) {
    auto object = record(1);
    visitor.must(visitor.wanted(object));
    const auto by_hand = [&](const std::string& change) {
        const auto said = server.call("PATCH", "/zones/example.org.",
                                      R"({"rrsets":[{"name":"r1.example.org.","type":"A",)" + change + "}]}");
        ASSERT_NE(said.find("204"), std::string::npos) << said;
    };
    by_hand(R"("ttl":300,"changetype":"REPLACE","records":[{"content":"203.0.113.9","disabled":false}])");
    EXPECT_FALSE(visitor.ready(object));
    visitor.must(visitor.wanted(object));
    EXPECT_EQ(server.dig("r1.example.org", "A"), "192.0.2.1\n");
    by_hand(R"("changetype":"DELETE")");
    EXPECT_FALSE(visitor.ready(object));
    visitor.must(visitor.wanted(object));
    EXPECT_EQ(server.dig("r1.example.org", "A"), "192.0.2.1\n");
}

TEST_P(RealPowerDns, WhatIsRetainedStaysUntilItsNamesakeComes) {
    auto object = record(1);
    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    visitor.must(visitor.wanted(object));
    visitor.must(visitor.wanted(object, true));
    EXPECT_TRUE(visitor.wanted(object, true).empty());
    EXPECT_EQ(server.dig("r1.example.org", "A"), "192.0.2.1\n");
    object.metadata.uid = "another-uid";
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(visitor.ready(object));
}

TEST_P(RealPowerDns, TakesOverWhatAStoppedExternalDnsHeld) {
    const auto registered = [&](const std::string& name, const std::string& owner) {
        const auto set = [](const std::string& at, const std::string& type, const std::string& content) {
            namespace json = api::json;
            return json::object{{"name", at + ".example.org."},
                                {"type", type},
                                {"ttl", 300},
                                {"changetype", "REPLACE"},
                                {"records", json::array{json::object{{"content", content}, {"disabled", false}}}}};
        };
        const auto text =
            "\"heritage=external-dns,external-dns/owner=" + owner + ",external-dns/resource=ingress/a/b\"";
        const api::json::array sets{set(name, "A", "192.0.2.9"), set("a-" + name, "TXT", text)};
        const auto said =
            server.call("PATCH", "/zones/example.org.", api::to_text(api::Json(api::json::object{{"rrsets", sets}})));
        ASSERT_NE(said.find("204"), std::string::npos) << said;
    };
    registered("r1", "old");
    registered("r2", "running");
    auto first = record(1), second = record(2);
    EXPECT_TRUE(visitor.wanted(first).empty());
    EXPECT_EQ(visitor.report(first).verdict.reason, "NotOwned");
    first.spec.adoption_policy = second.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    visitor.must(visitor.wanted({first, second}));
    EXPECT_TRUE(visitor.ready(first));
    EXPECT_EQ(visitor.report(second).verdict.reason, "NotOwned") << "its owner is at work";
    EXPECT_EQ(server.dig("r1.example.org", "A"), "192.0.2.1\n");
    EXPECT_EQ(server.dig("a-r1.example.org", "TXT"), "");
    EXPECT_EQ(server.dig("r2.example.org", "A"), "192.0.2.9\n");
}

TEST_P(RealPowerDns, AThousandRecordsAtOnce) {
    std::vector<crd::DNSRecord> objects;
    for (int n = 0; n < 1000; ++n) objects.push_back(record(n));
    const auto creation = visitor.wanted(objects);
    int before = front.turns();
    const auto calls = [&] { return front.turns() - std::exchange(before, front.turns()); };
    visitor.succeed(creation);
    const int create = calls();
    const auto removal = visitor.wanted(objects, true);
    const int sweep = calls();
    EXPECT_EQ(server.dig("r999.example.org", "A"), "192.0.2.1\n");
    visitor.succeed(removal);
    const int remove = calls();
    std::cout << "calls for 1000 records: create " << create << ", sweep " << sweep << ", delete " << remove << "\n";
    EXPECT_LE(create, 6) << "a look, and a write for every 500 sets; marks that are TXT records count too";
    EXPECT_EQ(sweep, 1);
    EXPECT_LE(remove, 6);
    EXPECT_EQ(server.dig("r999.example.org", "A"), "");
}

TEST_P(RealPowerDns, FailuresHaveTheirClass) {
    const auto class_of = [this](Zone& opened) {
        const auto seen = loop.run(opened.observe());
        const auto probed = loop.run(opened.probe());
        EXPECT_FALSE(seen);
        EXPECT_FALSE(probed);
        return seen || probed ? std::nullopt : std::optional(probed.error().error_class);
    };
    EXPECT_EQ(class_of(*open(zone_object(), "d3Jvbmc=")), ErrorClass::auth);
    EXPECT_EQ(class_of(*open(zone_object("example.net"))), ErrorClass::not_found);
    EXPECT_TRUE(loop.run(zone->probe()));
    server.service->stop();
    front.shut();
    EXPECT_EQ(class_of(*zone), ErrorClass::unreachable);
    server.service->start();
    server.service->wait_for_port(server.api_port);
    front.open();
    EXPECT_TRUE(loop.run(zone->observe())) << "it is found again without being opened anew";
}

INSTANTIATE_TEST_SUITE_P(Backends, RealPowerDns,
                         testing::Values(PowerDnsService::Backend::sqlite3, PowerDnsService::Backend::lmdb),
                         [](const auto& info) {
                             return info.param == PowerDnsService::Backend::sqlite3 ? "Sqlite3" : "Lmdb";
                         });

}  // namespace
}  // namespace ocim::dns
