#include "dns/gandi.hpp"

#include "base/random.hpp"
#include "dns/record.hpp"
#include "dns/register.hpp"
#include "runtime/base64.hpp"
#include "support/contract.hpp"
#include "support/faults.hpp"
#include "support/gandi.hpp"

#include <gtest/gtest.h>
#include <iostream>

/// DNSRecords at a LiveDNS that holds us to its rules.
namespace ocim::dns {
namespace {

using ocim::test::Fault;
using ocim::test::GandiService;
using ocim::test::json;
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

std::vector<crd::DNSRecord> records(int count) {
    std::vector<crd::DNSRecord> out;
    for (int n = 0; n < count; ++n) out.push_back(record(n));
    return out;
}

crd::DNSRecord adopting(crd::DNSRecord object) {
    object.spec.adoption_policy = Spec::AdoptionPolicy::adopt;
    return object;
}

class LiveDns : public testing::Test {
protected:
    ~LiveDns() override { EXPECT_EQ(server.violations(), "[]"); }

    static runtime::Inputs inputs(const std::string& token, const std::string& url, const std::string& domain) {
        crd::DNSZone zone;
        zone.metadata.name = "zone";
        zone.spec.domain = domain;
        zone.spec.gandi.emplace().url = url;
        zone.spec.credentials_ref.name = "key";
        zone.spec.external_dns.adopt_owners = {"old"};
        runtime::Inputs out;
        out.installation = "prod";
        out.add(api::encode_object(zone));
        out.add(json(
            "{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'key'},'data':{'token':'" +
            runtime::base64(token) + "'}}"));
        return out;
    }
    std::string url(std::uint16_t port) const { return "http://127.0.0.1:" + std::to_string(port) + "/v5/livedns"; }
    std::unique_ptr<Zone> open(const std::string& token = "token", const std::string& domain = "example.org") {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        const auto given = inputs(token, url(front.port()), domain);
        auto opened = Record::open(*given.get<crd::DNSZone>("", "zone"), given, services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    std::vector<Error> errors(const std::vector<Action>& actions) {
        std::vector<Error> out;
        for (const auto& answer : visitor.act(actions))
            if (answer && !*answer) out.push_back(answer->error());
        return out;
    }

    GandiService server{"example.org"};
    ocim::test::Door front{server.port};
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::unique_ptr<Zone> zone = open();
    ocim::test::Visitor<Record> visitor{loop, *zone, inputs("token", "http://127.0.0.1:1", "example.org")};
};

TEST_F(LiveDns, KeepsTheContract) {
    ocim::test::ContractCase<Record> given;
    given.object = record;
    given.changed = [](crd::DNSRecord object) {
        object.spec.values = {"192.0.2.2", "192.0.2.3"};
        object.spec.ttl_seconds = 600;
        return object;
    };
    given.adopting = adopting;
    given.stranger = [this](int n) { server.put("r" + std::to_string(n), "A", "192.0.2.1"); };
    given.refused = [] {
        const Mark mark{"prod", "campus/bad", "uid-bad", false};
        return Action{Action::Verb::create, {"bad.example.org", "A"}, {{"192.0.2.1"}, 60, mark}};
    };
    ocim::test::run_contract(visitor, given);
}

TEST_F(LiveDns, KeepsEveryTypeAsDeclared) {
    const std::string odd = R"(v=x; "quoted" \back\slash; 'single' (ünïcode) ☃)" + std::string(300, 'y');
    std::vector<crd::DNSRecord> objects(10, record(0));
    const auto declare = [&](std::size_t i, std::string name, Spec::Type type, std::vector<std::string> values) {
        objects[i].metadata.uid = "uid-t" + std::to_string(i);
        objects[i].spec.name = std::move(name);
        objects[i].spec.type = type;
        objects[i].spec.values = std::move(values);
    };
    declare(0, "example.org", Spec::Type::a, {"192.0.2.7", "192.0.2.6"});
    declare(1, "a.example.org", Spec::Type::aaaa, {"2001:DB8:0::1"});
    declare(2, "c.example.org", Spec::Type::cname, {"LB.Example.net."});
    declare(3, "t.example.org", Spec::Type::txt, {odd, "second"});
    declare(4, "*.example.org", Spec::Type::a, {"192.0.2.8"});
    declare(5, "example.org", Spec::Type::mx, {"010 mail.example.org", "20 mail2.example.net."});
    declare(6, "_sip._tcp.example.org", Spec::Type::srv, {"0 5 5060 sip.example.org"});
    declare(7, "example.org", Spec::Type::caa, {"0 issue letsencrypt.org"});
    declare(8, "sub.example.org", Spec::Type::ns, {"ns1.example.net", "ns2.example.net"});
    declare(9, "bücher.example.org", Spec::Type::cname, {"münchen.example.net"});
    visitor.must(visitor.wanted(objects));
    for (const auto& object : objects) EXPECT_TRUE(visitor.ready(object)) << object.spec.name;
    EXPECT_EQ(server.values("@", "A"), R"(["192.0.2.6","192.0.2.7"])");
    EXPECT_EQ(server.values("@", "MX"), R"(["10 mail.example.org.","20 mail2.example.net."])");
    EXPECT_EQ(server.values("*", "A"), R"(["192.0.2.8"])");
    EXPECT_EQ(server.values("_ocim.a._wildcard", "TXT").substr(0, 25), R"(["\"heritage=external-dns)");
    EXPECT_EQ(server.values("xn--bcher-kva", "CNAME"), R"(["xn--mnchen-3ya.example.net."])");
    EXPECT_EQ(visitor.report(objects[3]).status.served, (std::vector<std::string>{"second", odd}));
    visitor.must(visitor.wanted(objects, true));
    EXPECT_EQ(server.count(), 1U) << "the domain's own NS";
}

TEST_F(LiveDns, ChangesBehindOurBackAreSeen) {
    const auto object = record(1);
    visitor.must(visitor.wanted(object));
    const std::function<void()> drifts[] = {[&] { server.put("r1", "A", "203.0.113.9"); },
                                            [&] { server.put("r1", "A", "192.0.2.1", 999); },
                                            [&] { server.remove("r1", "A"); }};
    for (const auto& drift : drifts) {
        drift();
        EXPECT_FALSE(visitor.ready(object));
        visitor.must(visitor.wanted(object));
        EXPECT_EQ(server.values("r1", "A"), R"(["192.0.2.1"])");
    }
    server.remove("_ocim.a.r1", "TXT");
    EXPECT_EQ(visitor.report(object).verdict.reason, "NotOwned") << "without its mark it is a person's";
}

TEST_F(LiveDns, WhatIsRetainedStaysUntilItsNamesakeComes) {
    auto object = record(1);
    object.spec.deletion_policy = Spec::DeletionPolicy::retain;
    visitor.must(visitor.wanted(object));
    visitor.must(visitor.wanted(object, true));
    EXPECT_TRUE(visitor.wanted(object, true).empty());
    EXPECT_NE(server.values("r1", "A"), "");
    object.metadata.uid = "another-uid";
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(visitor.ready(object));
}

TEST_F(LiveDns, TakesOverWhatAStoppedExternalDnsHeld) {
    for (const auto& [name, owner] : {std::pair{"r1", "old"}, std::pair{"r2", "running"}}) {
        server.put(name, "A", "192.0.2.9");
        server.put("a-" + std::string(name), "TXT",
                   "\"heritage=external-dns,external-dns/owner=" + std::string(owner) +
                       ",external-dns/resource=ingress/a/b\"");
    }
    EXPECT_TRUE(visitor.wanted(record(1)).empty());
    visitor.must(visitor.wanted({adopting(record(1)), adopting(record(2))}));
    EXPECT_TRUE(visitor.ready(record(1)));
    EXPECT_EQ(server.values("a-r1", "TXT"), "");
    EXPECT_EQ(server.values("r2", "A"), R"(["192.0.2.9"])") << "its owner is at work";
    EXPECT_EQ(visitor.report(adopting(record(2))).verdict.reason, "NotOwned");
}

TEST_F(LiveDns, ARecordIsTwoCallsAndAPageHoldsMany) {
    constexpr std::size_t count = 300;
    const auto objects = records(count);
    const auto creation = visitor.wanted(objects);
    (void)server.calls();
    visitor.succeed(creation);
    const auto create = server.calls();
    const auto removal = visitor.wanted(objects, true);
    const auto sweep = server.calls();
    EXPECT_EQ(removal.size(), count) << "no page is forgotten";
    EXPECT_EQ(server.count(), 2 * count + 1);
    (void)server.calls();
    visitor.succeed(removal);
    const auto remove = server.calls();
    std::cout << "calls for " << count << " records: create " << create << ", sweep " << sweep << ", delete " << remove
              << "\n";
    EXPECT_EQ(create, 2 * count + 1) << "a look; there is no call for several record sets";
    EXPECT_EQ(sweep, 2U) << "500 a page";
    EXPECT_EQ(remove, 2 * count + 2) << "a look of two pages";
    EXPECT_EQ(server.count(), 1U);
}

TEST_F(LiveDns, PagesOfAnySizeAreFollowed) {
    const auto objects = records(10);
    visitor.must(visitor.wanted(objects));
    server.set("{'page_max':3}");
    EXPECT_TRUE(visitor.wanted(objects).empty()) << "what is on a later page is not made again";
    server.fault("{'match':'GET /v5/livedns/domains/example.org/records','kind':'status','status':502}");
    const auto seen = visitor.look();
    ASSERT_FALSE(seen) << "a part is not the whole";
    EXPECT_EQ(seen.error().error_class, ErrorClass::transient);
}

TEST_F(LiveDns, ItsLimitIsKept) {
    const auto objects = records(20);
    const auto creation = visitor.wanted(objects);
    server.set("{'quota':12,'retry_after':7}");
    (void)server.calls();
    const auto refused = errors(creation);
    EXPECT_LE(server.calls(), 13U) << "after the refusal nothing more is sent";
    ASSERT_GE(refused.size(), 14U);
    for (const auto& error : refused) {
        EXPECT_EQ(error.error_class, ErrorClass::rate_limited);
        EXPECT_EQ(error.retry_after, Duration(7'000));
        EXPECT_FALSE(error.outcome_unknown);
    }
    server.set("{'quota':0,'retry_after':null}");
    const auto seen = visitor.look();
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().retry_after, Duration(5'000)) << "it did not say";
    server.set("{'quota':null}");
    visitor.must(visitor.wanted(objects));
}

TEST_F(LiveDns, FailuresHaveTheirClass) {
    const auto class_of = [this](Zone& opened) {
        const auto seen = loop.run(opened.observe());
        const auto probed = loop.run(opened.probe());
        EXPECT_FALSE(seen);
        EXPECT_FALSE(probed);
        if (!probed) EXPECT_EQ(probed.error().message.find("wrong-token"), std::string::npos) << "it is not told";
        return seen || probed ? std::nullopt : std::optional(probed.error().error_class);
    };
    EXPECT_EQ(class_of(*open("wrong-token")), ErrorClass::auth);
    EXPECT_EQ(class_of(*open("token", "example.net")), ErrorClass::not_found);
    EXPECT_TRUE(loop.run(zone->probe()));
    server.set("{'expired':true}");
    EXPECT_EQ(class_of(*zone), ErrorClass::auth) << "with a page instead of JSON";
    server.set("{'expired':false}");
    front.shut();
    EXPECT_EQ(class_of(*zone), ErrorClass::unreachable);
    front.open();
    EXPECT_TRUE(loop.run(zone->observe())) << "it is found again without being opened anew";
}

TEST_F(LiveDns, ALostAnswerIsNotDoneTwice) {
    const auto objects = records(3);
    for (const bool deleting : {false, true}) {
        for (const char* target : {"r1/A", "_ocim.a.r1/TXT"}) {
            SCOPED_TRACE(target);
            for (const char* spoilt : {"'kind':'status','status':502,'after':true", "'kind':'status','status':502",
                                       "'kind':'drop','after':true"}) {
                visitor.must(visitor.wanted(objects, !deleting));
                server.fault(std::string("{'match':'(PUT|DELETE) .*/") + target + "'," + spoilt + "}");
                const auto lost = errors(visitor.wanted(objects, deleting));
                // what was cut off may be said again unseen: a record set is put or deleted as a whole
                EXPECT_TRUE(!lost.empty() || std::string_view(spoilt).find("drop") != std::string_view::npos);
                if (!lost.empty()) EXPECT_TRUE(lost.front().outcome_unknown);
                visitor.must(visitor.wanted(objects, deleting));
                EXPECT_TRUE(visitor.wanted(objects, deleting).empty());
                EXPECT_EQ(server.count(), deleting ? 1U : 7U);
            }
        }
    }
}

TEST_F(LiveDns, ACnameIsAloneAtItsName) {
    server.put("r1", "TXT", "\"of a person\"");
    auto alias = record(1);
    alias.spec.type = Spec::Type::cname;
    alias.spec.values = {"lb.example.net"};
    EXPECT_EQ(visitor.report(alias).verdict.reason, "Conflict");
    const Mark mark{"prod", "campus/r1", "uid-1", false};
    const auto refused = errors({{Action::Verb::create, {"r1.example.org", "CNAME"}, {{"lb.example.net"}, 300, mark}}});
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].error_class, ErrorClass::conflict);
    EXPECT_EQ(server.values("_ocim.cname.r1", "TXT"), "");
}

TEST_F(LiveDns, ATimeToLiveThatItRefusesIsSaidAtOnce) {
    auto object = record(1);
    object.spec.ttl_seconds = 60;
    const auto causes = Record::admit(object, nullptr, visitor.inputs());
    ASSERT_EQ(causes.size(), 1U);
    EXPECT_EQ(causes[0].field, "spec.ttlSeconds");
    object.spec.ttl_seconds = 2'592'001;
    EXPECT_EQ(Record::admit(object, nullptr, visitor.inputs()).size(), 1U);
    EXPECT_TRUE(visitor.wanted(object).empty());
}

class LiveDnsFaults : public ocim::test::FaultTest {
protected:
    LiveDnsFaults() : FaultTest(register_kinds) {
        running.put_secret("ocim-system", "key", "token", runtime::base64("token"));
        put_zone("struck", "example.org", front.port());
        put_zone("well", "example.net", well.port);
    }
    void put_zone(const std::string& name, const std::string& domain, std::uint16_t port) {
        running.server.put(json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSZone','metadata':{'name':'" +
                                name + "'},'spec':{'domain':'" + domain +
                                "','gandi':{'url':'http://127.0.0.1:" + std::to_string(port) +
                                "/v5/livedns'},'credentialsRef':{'name':'key'},'driftInterval':'60s'}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DNSRecord','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'zoneRef':{'name':'" + backend + "'},'name':'" + name + ".example." +
                 (backend == "well" ? "net" : "org") + "','type':'A','values':['192.0.2.1']}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("DNSRecord", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            struck.set("{'token':'another'}");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        front.open();
        if (GetParam() != Fault::refuses_credentials) return;
        // rotated: the service keeps its new token, and the Secret learns it
        running.put_secret("ocim-system", "key", "token", runtime::base64("another"));
        well.set("{'token':'another'}");
    }
    ocim::test::Door& door() override { return front; }

    GandiService struck{"example.org"}, well{"example.net"};
    ocim::test::Door front{struck.port};
};

TEST_P(LiveDnsFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_NE(struck.values("later", "A"), "");
    EXPECT_EQ(struck.violations(), "[]");
}

INSTANTIATE_TEST_SUITE_P(Gandi, LiveDnsFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::html),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::dns
