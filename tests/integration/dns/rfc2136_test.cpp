#include "dns/record.hpp"

#include "base/async.hpp"
#include "base/random.hpp"
#include "dns/message.hpp"
#include "dns/rfc2136.hpp"
#include "dns/values.hpp"
#include "support/contract.hpp"
#include "support/door.hpp"
#include "support/name_server.hpp"
#include "support/tsig_peer.hpp"

#include <gtest/gtest.h>
#include <iostream>

/// DNSRecords in a real BIND and a real Knot DNS, checked with dig.
namespace ocim::dns {
namespace {

using ocim::test::NameServerService;
using Kind = NameServerService::Kind;
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

/// A transfer of two records, with these serials at its ends; without a second one it has no end. As our key signs it.
std::string transfer(const std::string& request, const std::vector<int>& serials) {
    auto message = question(id_of(request), opcode_query, "example.org", type_axfr);
    message[2] = static_cast<char>(message[2] | '\x84');  // an answer, with authority
    std::vector<std::pair<Key, std::string>> listed;
    for (const auto serial : serials)
        listed.push_back(
            {{"example.org", "SOA"}, "ns1.example.org. a.example.org. " + std::to_string(serial) + " 9 9 9 9"});
    listed.insert(listed.begin() + 1, {{{"r1.example.org", "A"}, "192.0.2.1"}, {{"r2.example.org", "A"}, "192.0.2.1"}});
    for (const auto& [key, content] : listed) {
        const auto wire = wire_record(key, class_in, 300, content);
        if (wire) message += *wire;
    }
    set_count(message, 1, static_cast<unsigned>(listed.size()));
    ocim::test::TsigPeer peer(ocim::test::TsigPeer::signature_of(request), "secret-secret-secret-secret-sec!");
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    return peer.answer(std::move(message), true, now);
}

class RealNameServer : public testing::TestWithParam<Kind> {
protected:
    static crd::DNSZone zone_object() {
        crd::DNSZone out;
        out.metadata.name = "zone";
        out.spec.domain = "example.org";
        out.spec.credentials_ref.name = "key";
        out.spec.external_dns.adopt_owners = {"old"};
        return out;
    }
    static runtime::Inputs inputs() {
        runtime::Inputs out;
        out.installation = "prod";
        out.add(api::encode_object(zone_object()));
        return out;
    }
    std::unique_ptr<Zone> open(std::uint16_t port, const NameServerService::Key& key,
                               const std::string& domain = "example.org") {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        auto tsig = make_tsig_key(key.name, key.algorithm, Secret(key.secret));
        EXPECT_TRUE(tsig);
        return open_rfc2136(services,
                            {domain, "127.0.0.1", std::to_string(port), *std::move(tsig), {}, Duration(3000)});
    }
    std::vector<ErrorClass> classes(const std::vector<Action>& actions) {
        std::vector<ErrorClass> out;
        for (const auto& answer : visitor.act(actions))
            if (answer && !*answer) out.push_back(answer->error().error_class);
        return out;
    }
    void by_hand(const std::string& commands) { ASSERT_EQ(server.change(commands), ""); }

    NameServerService server{"example.org", GetParam()};
    ocim::test::Door front{server.port};  // counts what goes over the wire
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_system_random();
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::unique_ptr<Zone> zone = open(front.port(), server.key);
    ocim::test::Visitor<Record> visitor{loop, *zone, inputs()};
};

TEST_P(RealNameServer, KeepsTheContract) {
    ocim::test::ContractCase<Record> given;
    given.object = record;
    given.changed = [](crd::DNSRecord object) {
        object.spec.values = {"192.0.2.2", "192.0.2.3"};
        object.spec.ttl_seconds = 60;
        return object;
    };
    given.adopting = adopting;
    given.stranger = [this](int n) { by_hand("update add " + record(n).spec.name + " 300 A 192.0.2.1"); };
    given.refused = [] {
        const Mark mark{"prod", "campus/bad", "uid-bad", false};
        return Action{Action::Verb::create, {"www.example.net", "A"}, {{"192.0.2.1"}, 300, mark}};
    };
    ocim::test::run_contract(visitor, given);
}

TEST_P(RealNameServer, ServesEveryTypeAsDeclared) {
    const std::string odd = R"(v=x; "quoted" \back\slash; 'single' $HOME (ünïcode) ☃)" + std::string(300, 'y');
    std::vector<crd::DNSRecord> objects(10, record(0));
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
    declare(5, "example.org", Spec::Type::mx, {"010 NS1.example.org", "20 mail2.example.net."});
    declare(6, "_sip._tcp.example.org", Spec::Type::srv, {"0 5 5060 sip.example.org"});
    declare(7, "example.org", Spec::Type::caa, {"0 issue letsencrypt.org", "0 iodef \"mailto:a@example.org\""});
    declare(8, "sub.example.org", Spec::Type::ns, {"ns1.example.net", "ns2.example.net"});
    declare(9, "bücher.example.org", Spec::Type::cname, {"münchen.example.net"});
    visitor.must(visitor.wanted(objects));
    for (const auto& object : objects) {
        EXPECT_TRUE(visitor.wanted(object).empty()) << object.spec.name;
        EXPECT_TRUE(visitor.ready(object)) << object.spec.name;
    }
    EXPECT_EQ(server.dig("a.example.org", "A"), "192.0.2.6\n192.0.2.7\n");
    EXPECT_EQ(server.dig("a.example.org", "AAAA"), "2001:db8::1\n");
    EXPECT_EQ(server.dig("c.example.org", "CNAME"), "lb.example.net.\n");
    EXPECT_EQ(server.dig("any.w.example.org", "A"), "192.0.2.8\n");
    EXPECT_EQ(server.dig("example.org", "MX"), "10 ns1.example.org.\n20 mail2.example.net.\n");
    EXPECT_EQ(server.dig("_sip._tcp.example.org", "SRV"), "0 5 5060 sip.example.org.\n");
    EXPECT_EQ(server.dig("example.org", "CAA"), "0 iodef \"mailto:a@example.org\"\n0 issue \"letsencrypt.org\"\n");
    EXPECT_EQ(server.dig("xn--bcher-kva.example.org", "CNAME"), "xn--mnchen-3ya.example.net.\n");
    EXPECT_EQ(visitor.report(objects[3]).status.served, (std::vector<std::string>{"second", odd}));
    EXPECT_EQ(server.dig("_ocim.cname.c.example.org", "TXT"),
              "\"heritage=external-dns,external-dns/owner=ocim-prod,external-dns/resource=dnsrecord/campus/r0,"
              "ocim/uid=uid-t2\"\n");
    visitor.must(visitor.wanted(objects, true));
    EXPECT_EQ(server.dig("a.example.org", "A"), "");
    EXPECT_EQ(visitor.see().size(), 2U) << "the zone's own NS and its address";
}

TEST_P(RealNameServer, ChangesBehindOurBackAreSeen) {
    auto object = record(1);
    visitor.must(visitor.wanted(object));
    for (const auto* drift : {"update delete r1.example.org A\nupdate add r1.example.org 300 A 203.0.113.9",
                              "update delete r1.example.org A", "update add r1.example.org 300 A 203.0.113.9",
                              "update delete r1.example.org A\nupdate add r1.example.org 77 A 192.0.2.1"}) {
        by_hand(drift);
        EXPECT_FALSE(visitor.ready(object)) << drift;
        visitor.must(visitor.wanted(object));
        EXPECT_EQ(server.dig("r1.example.org", "A"), "192.0.2.1\n") << drift;
        EXPECT_EQ(server.ttl("r1.example.org", "A"), "300\n") << drift;
    }
    by_hand("update delete _ocim.a.r1.example.org TXT");
    EXPECT_EQ(visitor.report(object).verdict.reason, "NotOwned") << "without its mark it is a person's";
}

TEST_P(RealNameServer, WhatIsRetainedStaysUntilItsNamesakeComes) {
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

TEST_P(RealNameServer, ACnameMakesRoomAndIsAlone) {
    auto alias = record(1);
    alias.spec.type = Spec::Type::cname;
    alias.spec.values = {"lb.example.net"};
    visitor.must(visitor.wanted(alias));
    const auto address = record(1);
    EXPECT_EQ(visitor.report(address).verdict.reason, "Conflict");
    const Mark mark{"prod", "campus/r1", "uid-1", false};
    std::vector<Action> both{{Action::Verb::create, {"r1.example.org", "A"}, {{"192.0.2.1"}, 300, mark}}};
    EXPECT_EQ(classes(both), std::vector{ErrorClass::conflict}) << "a server would ignore it without a word";
    for (auto& action : visitor.wanted(alias, true)) both.push_back(std::move(action));
    const auto before = front.connections();
    visitor.succeed(both);
    EXPECT_EQ(front.connections() - before, 2) << "a look and one message";
    EXPECT_TRUE(visitor.ready(address));
}

TEST_P(RealNameServer, TakesOverWhatAStoppedExternalDnsHeld) {
    const auto registered = [&](const std::string& name, const std::string& label, const std::string& owner) {
        by_hand("update add " + name + " 300 A 192.0.2.1\nupdate add " + label +
                " 300 TXT \"heritage=external-dns,external-dns/owner=" + owner +
                ",external-dns/resource=ingress/default/web\"");
    };
    registered("r1.example.org", "a-r1.example.org", "old");
    registered("r2.example.org", "a-r2.example.org", "running");
    registered("r3.example.org", "r3.example.org", "old");
    for (const int n : {1, 2, 3}) {
        EXPECT_TRUE(visitor.wanted(record(n)).empty());
        EXPECT_EQ(visitor.report(record(n)).verdict.reason, "NotOwned");
    }
    EXPECT_NE(visitor.report(adopting(record(2))).verdict.message.find("\"running\""), std::string::npos);
    visitor.must(visitor.wanted({adopting(record(1)), adopting(record(2)), adopting(record(3))}));
    EXPECT_TRUE(visitor.ready(record(1)));
    EXPECT_FALSE(visitor.ready(adopting(record(2)))) << "its owner is at work";
    EXPECT_TRUE(visitor.ready(record(3))) << "as older releases registered it";
    EXPECT_EQ(server.dig("a-r1.example.org", "TXT"), "") << "what it was registered with is gone";
    EXPECT_EQ(server.dig("r3.example.org", "TXT"), "");
    EXPECT_NE(server.dig("a-r2.example.org", "TXT"), "");
}

TEST_P(RealNameServer, AThousandRecordsTakeAHandfulOfCalls) {
    const auto objects = records(1000);
    const auto creation = visitor.wanted(objects);
    auto before = front.connections();
    const auto calls = [&] { return front.connections() - std::exchange(before, front.connections()); };
    visitor.succeed(creation);
    const int create = calls();
    const auto removal = visitor.wanted(objects, true);
    const int sweep = calls();
    EXPECT_EQ(server.dig("r999.example.org", "A"), "192.0.2.1\n");
    visitor.succeed(removal);
    const int remove = calls();
    std::cout << "calls for 1000 records: create " << create << ", sweep " << sweep << ", delete " << remove << "\n";
    EXPECT_LE(create, 6);
    EXPECT_EQ(sweep, 1);
    EXPECT_LE(remove, 8);
    EXPECT_EQ(visitor.see().size(), 2U);
}

TEST_P(RealNameServer, FailuresHaveTheirClass) {
    const auto class_of = [this](Zone& opened) {
        const auto seen = loop.run(opened.observe());
        EXPECT_FALSE(seen);
        return seen ? std::nullopt : std::optional(seen.error().error_class);
    };
    auto wrong = server.key, unknown = server.key;
    wrong.secret = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc=";
    unknown.name = "nobody";
    for (const auto& key : {wrong, unknown}) {
        const auto refused = open(server.port, key);
        EXPECT_EQ(class_of(*refused), ErrorClass::auth) << key.name;
        const auto probed = loop.run(refused->probe());
        ASSERT_FALSE(probed);
        EXPECT_EQ(probed.error().error_class, ErrorClass::auth) << probed.error().message;
        EXPECT_EQ(probed.error().message.find(key.secret), std::string::npos) << "the secret is not told";
    }
    const auto elsewhere = open(server.port, server.key, "example.net");
    EXPECT_FALSE(loop.run(elsewhere->observe()));
    EXPECT_FALSE(loop.run(elsewhere->probe()));
    EXPECT_TRUE(loop.run(zone->probe()));
    server.service->stop();
    EXPECT_EQ(class_of(*open(server.port, server.key)), ErrorClass::unreachable);
    front.stand_still();
    EXPECT_EQ(class_of(*zone), ErrorClass::unreachable) << "no answer within the time";
    front.open();
    server.start();
    EXPECT_TRUE(loop.run(zone->observe())) << "it is found again without being opened anew";
}

TEST_P(RealNameServer, ATransferThatIsNotWholeIsNoLook) {
    std::size_t length = 0;
    const auto leads = [this, &length](ocim::test::RawSocket& client) {
        const auto request = ocim::test::read_message(client);
        if (request.empty()) return;
        auto peer = ocim::test::RawSocket::connect(server.port);
        peer.send(request);
        client.send(ocim::test::read_message(peer).substr(0, length));
    };
    visitor.must(visitor.wanted(records(3)));
    for (length = 2; length < 120; length += 13) {
        front.say(leads);
        const auto seen = loop.run(zone->observe());
        ASSERT_FALSE(seen) << "cut off after " << length << " bytes";
        EXPECT_EQ(seen.error().error_class, ErrorClass::unreachable) << seen.error().message;
    }
    const struct {
        const char* reason;
        std::vector<int> serials;
        std::optional<ErrorClass> expected;
    } cases[] = {{"whole", {7, 7}, std::nullopt},
                 {"it changed meanwhile", {7, 8}, ErrorClass::transient},
                 {"an older end", {8, 7}, ErrorClass::transient},
                 {"no end, and then nothing", {7}, ErrorClass::unreachable}};
    for (const auto& c : cases) {
        front.say([&c](ocim::test::RawSocket& client) {
            const auto request = ocim::test::read_message(client);
            if (request.empty()) return;
            const auto answer = transfer(request.substr(2), c.serials);
            client.send(be16(static_cast<unsigned>(answer.size())) + answer);
        });
        const auto seen = loop.run(zone->observe());
        EXPECT_EQ(bool(seen), !c.expected) << c.reason << (seen ? "" : ": " + seen.error().message);
        if (c.expected && !seen)
            EXPECT_EQ(seen.error().error_class, *c.expected) << c.reason << ": " << seen.error().message;
    }
    front.open();
    EXPECT_EQ(visitor.see().size(), 5U);
}

TEST_P(RealNameServer, ALostAnswerIsNotDoneTwice) {
    const auto objects = records(3);
    const auto creation = visitor.wanted(objects);
    front.say(ocim::test::losing_answers(server.port));
    for (const auto& answer : visitor.act(creation)) {
        ASSERT_TRUE(answer && !*answer);
        EXPECT_TRUE(answer->error().outcome_unknown);
    }
    front.open();
    EXPECT_EQ(server.dig("r2.example.org", "A"), "192.0.2.1\n") << "it had its effect";
    for (const auto& object : objects) EXPECT_TRUE(visitor.ready(object));
    const auto serial = server.dig("example.org", "SOA");
    visitor.must(creation);
    EXPECT_EQ(server.dig("example.org", "SOA"), serial) << "nothing is written twice";
    const auto removal = visitor.wanted(objects, true);
    front.say(ocim::test::losing_answers(server.port));
    (void)visitor.act(removal);
    front.open();
    visitor.must(removal);
    EXPECT_TRUE(visitor.wanted(objects, true).empty());
}

TEST_P(RealNameServer, ABusyServerIsAskedMoreSlowly) {
    const auto creation = visitor.wanted(records(3));
    front.say(ocim::test::refusing(server.port, 2, false));
    EXPECT_EQ(classes(creation), std::vector(3, ErrorClass::rate_limited)) << "SERVFAIL";
    front.say(ocim::test::refusing(server.port, 2, true));
    EXPECT_EQ(classes(creation), std::vector(3, ErrorClass::rate_limited)) << "SERVFAIL to the look";
    front.say(ocim::test::refusing(server.port, 5, false));
    for (const auto found : classes(creation))
        EXPECT_TRUE(found == ErrorClass::rate_limited || found == ErrorClass::auth) << "REFUSED";
    const auto before = front.connections();
    EXPECT_EQ(classes(visitor.wanted(record(7))), std::vector{ErrorClass::rate_limited}) << "one alone";
    EXPECT_LE(front.connections() - before, 4);
    front.open();
    visitor.must(creation);
}

TEST_P(RealNameServer, ManyThatAreRefusedCostAFewCalls) {
    const auto creation = visitor.wanted(records(500));
    front.say(ocim::test::refusing(server.port, 5, false));
    const auto before = front.connections();
    const auto found = classes(creation);
    EXPECT_EQ(found.size(), 500U);
    EXPECT_EQ(found.back(), ErrorClass::auth);
    EXPECT_LE(front.connections() - before, 20);
}

TEST_P(RealNameServer, WhatOthersDoMeanwhileIsNotOverwritten) {
    // after our look, before our message
    const auto creation = visitor.wanted(records(4));
    bool done = false;
    front.say([this, &done](ocim::test::RawSocket& client) {
        const auto request = ocim::test::read_message(client);
        if (request.empty()) return;
        if (ocim::test::is_update(request) && !std::exchange(done, true))
            (void)server.change("update add r2.example.org 300 A 203.0.113.9");
        auto peer = ocim::test::RawSocket::connect(server.port);
        peer.send(request);
        client.send(ocim::test::read_message(peer));
    });
    const auto answers = visitor.act(creation);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        ASSERT_TRUE(answers[i]);
        EXPECT_EQ(bool(*answers[i]), i != 2) << i;
        if (!*answers[i]) EXPECT_EQ(answers[i]->error().error_class, ErrorClass::conflict);
    }
    EXPECT_EQ(server.dig("r2.example.org", "A"), "203.0.113.9\n");
    EXPECT_EQ(server.dig("_ocim.a.r2.example.org", "TXT"), "") << "record and mark, or neither";
}

/// One whose configuration knows policies by name.
class ServerWithPolicy : public RealNameServer {};

TEST_P(ServerWithPolicy, ANameThatPolicyForbidsStopsNoOther) {
    auto objects = records(20);
    objects[7].spec.name = "forbidden.example.org";
    const auto answers = visitor.act(visitor.wanted(objects));
    for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i] && *answers[i], i != 7) << i;
    EXPECT_NE(answers[7]->error().message.find("REFUSED"), std::string::npos) << answers[7]->error().message;
    EXPECT_TRUE(visitor.ready(objects[8]));
}

INSTANTIATE_TEST_SUITE_P(Servers, RealNameServer, testing::Values(Kind::bind, Kind::knot),
                         [](const auto& info) { return info.param == Kind::bind ? "Bind" : "Knot"; });
INSTANTIATE_TEST_SUITE_P(Bind, ServerWithPolicy, testing::Values(Kind::bind));

}  // namespace
}  // namespace ocim::dns
