#include "dns/powerdns.hpp"

#include "base/async.hpp"
#include "base/random.hpp"
#include "dns/record.hpp"
#include "fake_powerdns.hpp"
#include "sample.hpp"
#include "support/contract.hpp"

#include <gtest/gtest.h>

namespace ocim::dns {
namespace {

using namespace test;
using Fault = PowerDnsServer::Fault;

class PowerDnsTest : public testing::Test {
protected:
    std::unique_ptr<Zone> open(const std::string& key = "key") {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        return open_powerdns(std::make_unique<FakeHttp>(server), services, {"example.org", "localhost", Secret(key)});
    }
    std::vector<crd::DNSRecord> records(int count) {
        std::vector<crd::DNSRecord> out;
        for (int n = 0; n < count; ++n) {
            auto object = record("r" + std::to_string(n) + ".example.org", {"192.0.2.1"});
            object.metadata.name = "r" + std::to_string(n);
            object.metadata.uid = "uid-" + std::to_string(n);
            out.push_back(std::move(object));
        }
        return out;
    }

    PowerDnsServer server;
    ocim::test::RealLoop loop;  // reading a zone happens on a thread
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::unique_ptr<Zone> zone = open();
    ocim::test::Visitor<Record> visitor{loop, *zone, inputs()};
};

TEST_F(PowerDnsTest, AThousandRecordsTakeAHandfulOfCalls) {
    const auto objects = records(1000);
    visitor.must(visitor.wanted(objects));
    EXPECT_LE(server.calls, 6) << "a look, a look before writing, two batches, a look at the end";
    EXPECT_EQ(server.patches, 2);
    EXPECT_LE(server.largest_batch, 500U);
    server.calls = 0;
    EXPECT_TRUE(visitor.wanted(objects).empty());
    EXPECT_EQ(server.calls, 1) << "a sweep over all of them is one call";
}

TEST_F(PowerDnsTest, NothingIsWrittenTwice) {
    const auto actions = visitor.wanted(records(3));
    visitor.must(actions);
    EXPECT_EQ(server.writes, 1);
    visitor.must(actions);
    EXPECT_EQ(server.writes, 1) << "every write raises the serial, so what landed is not sent again";
}

TEST_F(PowerDnsTest, CulpritsAreFoundAndTheOthersGoOn) {
    const auto objects = records(300);
    server.refused = {"r7.example.org.", "r250.example.org."};
    const auto actions = visitor.wanted(objects);
    const auto answers = visitor.act(actions);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const bool bad = server.refused.contains(actions[i].key.name + ".");
        ASSERT_TRUE(answers[i]);
        EXPECT_EQ(bool(*answers[i]), !bad) << actions[i].key.name;
        if (!*answers[i]) {
            EXPECT_EQ(answers[i]->error().error_class, ErrorClass::invalid);
            EXPECT_NE(answers[i]->error().message.find("not to my taste"), std::string::npos);
        }
    }
    EXPECT_EQ(server.sets.size(), 298U);
    EXPECT_LT(server.patches, 40);
}

TEST_F(PowerDnsTest, MarksAreTxtRecordsWhereThereAreNoComments) {
    server.comments = false;
    auto object = record("*.example.org", {"192.0.2.1"});
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(server.sets.contains({"_ocim.a._wildcard.example.org.", "TXT"}));
    EXPECT_TRUE(visitor.ready(object));
    EXPECT_EQ(visitor.see().size(), 1U) << "the marks themselves are not things";

    // another process learns it from what is there
    zone = open();
    ocim::test::Visitor<Record> anew(loop, *zone, inputs());
    object.spec.ttl_seconds = 60;
    const auto changes = anew.wanted(object);
    const auto before = server.patches;
    anew.must(changes);
    EXPECT_EQ(server.patches, before + 1) << "no comment was tried";
    anew.must(anew.wanted(object, true));
    EXPECT_TRUE(server.sets.empty());
}

TEST_F(PowerDnsTest, ACnameMakesRoomInOneCall) {
    auto alias = record("www.example.org", {"lb.example.org"}, Spec::Type::cname);
    visitor.must(visitor.wanted(alias));
    auto address = record("www.example.org", {"192.0.2.1"});
    auto actions = std::vector<Action>{{Action::Verb::create, www, {{"192.0.2.1"}, 300, ours}}};
    for (auto& action : visitor.wanted(alias, true)) actions.push_back(std::move(action));
    const auto before = server.patches;
    visitor.must(actions);
    EXPECT_EQ(server.patches, before + 1);
    EXPECT_TRUE(visitor.ready(address));
}

TEST_F(PowerDnsTest, ErrorsHaveTheirClass) {
    const auto actions = visitor.wanted(records(2));
    const auto classes = [&] {
        std::vector<ErrorClass> out;
        for (const auto& answer : visitor.act(actions)) out.push_back(answer->error().error_class);
        return out;
    };
    using Both = std::vector<ErrorClass>;
    server.faults[server.calls + 1] = Fault::status_500;
    EXPECT_EQ(classes(), Both(2, ErrorClass::transient)) << "SQLite was locked";
    server.faults[server.calls + 1] = Fault::status_429;
    for (const auto& answer : visitor.act(actions)) {
        EXPECT_EQ(answer->error().error_class, ErrorClass::rate_limited);
        EXPECT_EQ(answer->error().retry_after, Duration(7'000));
    }
    server.editable = false;
    EXPECT_EQ(classes(), Both(2, ErrorClass::invalid)) << "zone files cannot be written";
    server.editable = true;
    server.faults[server.calls] = Fault::lost_after;
    for (const auto& answer : visitor.act(actions))
        EXPECT_FALSE(answer->error().outcome_unknown) << "only a look was lost";
    server.faults[server.calls + 1] = Fault::lost_after;
    for (const auto& answer : visitor.act(actions)) EXPECT_TRUE(answer->error().outcome_unknown);

    const auto refused = open("wrong");
    const auto probed = loop.run(refused->probe());
    ASSERT_FALSE(probed);
    EXPECT_EQ(probed.error().error_class, ErrorClass::auth);
    EXPECT_EQ(probed.error().message.find("wrong"), std::string::npos) << "the key is not told";
}

TEST_F(PowerDnsTest, GarbageIsNotAnEmptyZone) {
    struct Garbage final : net::HttpClient {
        std::string body;
        awaitable<Result<net::HttpReply>> send(net::HttpRequest) override {
            net::HttpReply reply;
            reply.status = 200;
            reply.body = body;
            co_return reply;
        }
    };
    for (const auto* body : {"", "<html>", "[]", "{}", R"({"rrsets":{}})", R"({"rrsets":[{"name":"a."}]})",
                             R"({"rrsets":[{"name":"a.","type":"A","records":{}}]})", R"({"rrsets":[7]})"}) {
        auto http = std::make_unique<Garbage>();
        http->body = body;
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        const auto garbled = open_powerdns(std::move(http), services, {"example.org", "localhost", Secret("key")});
        const auto seen = loop.run(garbled->observe());
        ASSERT_FALSE(seen) << body;
        EXPECT_EQ(seen.error().error_class, ErrorClass::unreachable) << body;
        EXPECT_FALSE(loop.run(garbled->probe())) << body;
    }
}

TEST_F(PowerDnsTest, ConvergesWhicheverCallIsLost) {
    for (const bool comments : {true, false}) {
        for (const auto fault : {Fault::lost_before, Fault::lost_after, Fault::status_500}) {
            for (int at = 0;; ++at) {
                SCOPED_TRACE(testing::Message() << "comments " << comments << ", fault " << int(fault) << " at " << at);
                server = PowerDnsServer();
                server.comments = comments;
                server.sets[{"person.example.org.", "A"}] = {
                    api::json::array{api::json::object{{"content", "192.0.2.77"}}}, api::json::array(), 60};
                server.faults[at] = fault;
                zone = open();
                ocim::test::Visitor<Record> swept(loop, *zone, inputs());
                const auto objects = records(3);
                const auto visit = [&](bool deleting) {
                    for (int visits = 0; visits < 4; ++visits) {
                        const auto seen = swept.look();
                        if (!seen) continue;
                        std::vector<Action> actions;
                        for (const auto& object : objects)
                            for (auto& action : deleting ? Record::remove(object, "prod", *seen)
                                                         : Record::diff(object, inputs(), *seen))
                                actions.push_back(std::move(action));
                        if (!actions.empty()) (void)swept.act(actions);
                    }
                };
                visit(false);
                const auto faults = std::exchange(server.faults, {});  // our own look is not swept
                const auto calls = server.calls;
                for (const auto& object : objects) EXPECT_TRUE(swept.ready(object));
                server.faults = faults;
                server.calls = calls;
                EXPECT_EQ(server.sets.size(), comments ? 4U : 7U) << "nothing doubled";
                visit(true);
                EXPECT_EQ(server.sets.size(), 1U) << "nothing left, and the person's record untouched";
                if (server.calls <= at) break;
            }
        }
    }
}

}  // namespace
}  // namespace ocim::dns
