#include "integration/monitoring/with_newrelic.hpp"
#include "monitoring/register.hpp"
#include "support/faults.hpp"

#include <set>

namespace ocim::monitoring {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class NewRelicTrouble : public WithNewRelic {
protected:
    /// Of a look and a probe alike.
    std::optional<ErrorClass> class_of(Watch& opened) {
        const auto seen = loop.run(opened.observe());
        const auto probed = loop.run(opened.probe());
        EXPECT_FALSE(seen);
        EXPECT_FALSE(probed);
        if (seen || probed) return std::nullopt;
        EXPECT_EQ(probed.error().message.find("NRAK"), probed.error().message.find("NRAK-…")) << "the key is not told";
        EXPECT_EQ(seen.error().error_class, probed.error().error_class);
        return probed.error().error_class;
    }
};

TEST_F(NewRelicTrouble, FailuresHaveTheirClass) {
    for (const auto* form : {"status", "region", "body"}) {
        server.set("{'auth':'" + std::string(form) + "'}");
        EXPECT_EQ(class_of(*open("NRAK-wrong")), ErrorClass::auth) << form;
    }
    EXPECT_TRUE(loop.run(watch->probe()));
    server.set("{'blind':true}");
    EXPECT_EQ(class_of(*watch), ErrorClass::auth) << "an account that it may not see is not an empty one";
    server.set("{'blind':false}");
    const struct {
        const char* fault;
        ErrorClass error_class;
    } cases[] = {
        {"'kind':'errors','class':'TIMEOUT'", ErrorClass::transient},
        {"'kind':'errors','class':'SERVER_ERROR'", ErrorClass::transient},
        {"'kind':'errors','class':'SOMETHING_NEW'", ErrorClass::transient},
        {"'kind':'errors','class':'TOO_MANY_REQUESTS'", ErrorClass::rate_limited},
        {"'kind':'errors','class':'ACCESS_DENIED'", ErrorClass::auth},
        {"'kind':'status','status':402", ErrorClass::invalid},
        {"'kind':'status','status':503", ErrorClass::transient},
        {"'kind':'status','status':429", ErrorClass::rate_limited},
    };
    for (const auto& c : cases) {
        server.fault("{'match':'.*','times':2," + std::string(c.fault) + "}");
        EXPECT_EQ(class_of(*watch), c.error_class) << c.fault;
    }
    front.shut();
    EXPECT_EQ(class_of(*watch), ErrorClass::unreachable);
    front.open();
    EXPECT_TRUE(loop.run(watch->observe())) << "it is found again without being opened anew";
    EXPECT_NE(metrics.text().find("ocim_newrelic_calls_total{call=\"list_monitors\",result=\"rate_limited\"} 2"),
              std::string::npos)
        << metrics.text();
}

TEST_F(NewRelicTrouble, WhatAMutationRefusesHasItsClass) {
    const struct {
        const char *type, *reason;
        ErrorClass error_class;
        bool unknown;
    } cases[] = {
        {"BAD_REQUEST", "what it is told is wrong", ErrorClass::invalid, false},
        {"PAYMENT_REQUIRED", "the plan is full", ErrorClass::invalid, false},
        {"UNAUTHORIZED", "the user may not", ErrorClass::auth, false},
        {"INTERNAL_SERVER_ERROR", "it may have been made", ErrorClass::transient, true},
        {"UNKNOWN_ERROR", "it may have been made", ErrorClass::transient, true},
    };
    for (const auto& c : cases) {
        const auto actions = visitor.wanted(monitor(1));
        server.fault("{'match':'syntheticsCreate.*','kind':'result','type':'" + std::string(c.type) + "'}");
        const auto refused = errors(actions);
        ASSERT_EQ(refused.size(), 1U) << c.reason;
        EXPECT_EQ(refused[0].error_class, c.error_class) << c.reason;
        EXPECT_EQ(refused[0].outcome_unknown, c.unknown) << c.reason;
    }
    server.set("{'plan':0}");
    EXPECT_NE(errors(visitor.wanted(monitor(1))).at(0).message.find("plan"), std::string::npos);
}

TEST_F(NewRelicTrouble, AMonitorThatWasMadeWithoutItsTagsIsTaggedOrGoes) {
    server.fault("{'match':'syntheticsCreate.*','kind':'result','type':'TAGGING_ERROR'}");
    visitor.must(visitor.wanted(monitor(1)));
    EXPECT_TRUE(visitor.ready(monitor(1)));
    EXPECT_EQ(server.monitors().size(), 1U);
    server.fault("{'match':'syntheticsCreate.*','kind':'result','type':'TAGGING_ERROR'}");
    server.fault("{'match':'taggingReplace.*','kind':'result','type':'CONCURRENT_TASK_EXCEPTION'}");
    EXPECT_EQ(errors(visitor.wanted(monitor(2))).size(), 1U);
    EXPECT_EQ(server.monitors().size(), 1U) << "one without a mark would be nobody's";
    visitor.must(visitor.wanted(monitor(2)));
}

TEST_F(NewRelicTrouble, AMarkSurvivesAnUpdateWhoseTagsFailed) {
    const auto guid = server.make(*monitor(1).spec.url);
    visitor.must(visitor.wanted(adopting(monitor(1))));
    auto changed = adopting(monitor(1));
    changed.spec.enabled = false;
    changed.spec.body.emplace().contains = "well";  // another value in one of our tags
    server.fault("{'match':'syntheticsUpdate.*','kind':'result','type':'TAGGING_ERROR'}");
    visitor.must(visitor.wanted(changed));
    index_catches_up();  // what is there counts, and not what we remember
    EXPECT_TRUE(visitor.ready(changed)) << visitor.report(changed).verdict.message;
    const auto now = api::to_text(server.monitors());
    EXPECT_NE(now.find(R"("team":["web"])"), std::string::npos) << now;
    EXPECT_NE(now.find(R"("ocim-uid":["uid-1"])"), std::string::npos) << now;
    EXPECT_EQ(server.monitors().size(), 1U);
}

TEST_F(NewRelicTrouble, WhatFailsForOneIsNotItsNeighboursFault) {
    const std::vector objects{monitor(1), monitor(2), monitor(3)};
    for (const auto* type : {"UNKNOWN_ERROR", "BAD_REQUEST", "INTERNAL_SERVER_ERROR"}) {
        server.fault("{'match':'syntheticsCreate.*','kind':'result','type':'" + std::string(type) + "'}");
        EXPECT_EQ(errors(visitor.wanted(objects)).size(), 1U) << type;
        EXPECT_EQ(server.monitors().size(), 2U) << type;
        visitor.must(visitor.wanted(objects, true));
    }
    server.fault("{'match':'syntheticsCreate.*','kind':'errors','class':'TIMEOUT'}");
    EXPECT_EQ(errors(visitor.wanted(objects)).size(), 1U);
    visitor.must(visitor.wanted(objects, true));
    server.fault("{'match':'syntheticsCreate.*','kind':'status','status':502}");
    EXPECT_EQ(errors(visitor.wanted(objects)).size(), 3U) << "where nothing answers, nothing more is sent";
    EXPECT_TRUE(server.monitors().empty());
}

TEST_F(NewRelicTrouble, ALostAnswerIsNotDoneTwice) {
    const std::vector objects{telling(monitor(1)), telling(monitor(2))};
    const auto once = [&](const char* call, const std::string& spoilt, bool deleting) {
        visitor.succeed(visitor.wanted(objects, !deleting));
        server.fault("{'match':'" + std::string(call) + "'," + spoilt + "}");
        for (const auto& error : errors(visitor.wanted(objects, deleting)))
            EXPECT_NE(error.error_class, ErrorClass::invalid) << error.message;
        (void)server.order("{'forget_faults':true}");
        visitor.succeed(visitor.wanted(objects, deleting));
        // of what is left unused the next call rids us
        visitor.succeed(visitor.wanted(monitor(3)));
        visitor.succeed(visitor.wanted(monitor(3), true));
        EXPECT_TRUE(visitor.wanted(objects, deleting).empty());
        const auto all = server.order("{}");
        EXPECT_EQ(all.at("monitors").as_array().size(), deleting ? 0U : 2U);
        for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
            EXPECT_EQ(all.at(list).as_object().size(), deleting ? 0U : 1U) << list;
    };
    const struct {
        const char* call;
        bool deleting;
    } cases[] = {
        {"syntheticsCreateSimpleMonitor", false},
        {"alertsPolicyCreate", false},
        {"aiNotificationsCreateDestination", false},
        {"aiNotificationsCreateChannel", false},
        {"alertsNrqlConditionStaticCreate", false},
        {"aiWorkflowsCreateWorkflow", false},
        {"syntheticsDeleteMonitor", true},
        {"aiWorkflowsDeleteWorkflow", true},
        {"alertsPolicyDelete", true},
        {"aiNotificationsDeleteDestination", true},
    };
    for (const auto& c : cases)
        for (const auto* kind : {"'kind':'status','status':502", "'kind':'drop'"})
            for (const auto* after : {"true", "false"}) {
                SCOPED_TRACE(std::string(c.call) + " " + kind + " " + after);
                once(c.call, std::string(kind) + ",'after':" + after, c.deleting);
            }
}

TEST_F(NewRelicTrouble, ItsLimitIsKept) {
    const auto objects = monitors(20);
    const auto creation = visitor.wanted(objects);
    server.set("{'quota':12,'retry_after':7}");
    (void)calls();
    const auto refused = errors(creation);
    EXPECT_LE(calls(), 13U) << "after the refusal nothing more is sent";
    ASSERT_EQ(refused.size(), 10U);
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
    EXPECT_EQ(server.monitors().size(), 20U);
}

TEST_F(NewRelicTrouble, AnAddressThatIsRefusedNamesItsField) {
    const auto refused = errors(visitor.wanted(telling(monitor(1), {"ops@localhost"})));
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].error_class, ErrorClass::invalid);
    EXPECT_NE(refused[0].message.find("spec.alertEmails"), std::string::npos) << refused[0].message;
    EXPECT_TRUE(server.monitors().empty()) << "nobody would be told";
}

class NewRelicReopened : public testing::Test {
protected:
    void put_monitor(const std::string& name) {
        running.server.put(json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Monitor','metadata':{'namespace':'campus','name':'" +
            name + "'},'spec':{'serviceRef':{'name':'newrelic'},'url':'https://" + name +
            ".example.org/','intervalSeconds':300}}"));
    }
    void put_service() {
        running.server.put(json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MonitoringService','metadata':{'name':'newrelic'},"
            "'spec':{'newRelic':{'accountID':1234567,'locations':['US_EAST_1'],'url':'http://127.0.0.1:" +
            std::to_string(server.port) + "/graphql'},'credentialsRef':{'name':'key'},'driftInterval':'1s'}}"));
    }
    void put_key(const std::string& key) {
        running.put_secret("ocim-system", "key", "apiKey", runtime::base64(key));
        server.set("{'key':'" + key + "'}");
    }
    bool comes_to(const std::string& name, const std::string& standing) {
        return running.until([&] { return running.stands("Monitor", "campus", name) == standing; });
    }

    ocim::test::RealLoop loop;
    ocim::test::NewRelicService server;
    ocim::test::Running running{loop, register_kinds};
};

/// Five minutes are longer than a test waits.
TEST_F(NewRelicReopened, WhatAnEarlierRunHadMadeGoesAtOnceAndWhatIsNotListedWaits) {
    put_key("NRAK-key");
    put_service();
    for (const auto* name : {"listed", "unlisted", "unsaid"}) put_monitor(name);
    running.start();
    for (const auto* name : {"listed", "unlisted", "unsaid"}) ASSERT_TRUE(comes_to(name, "True Monitored")) << name;
    const auto made = server.monitors();
    std::set<std::string> guids;
    for (const auto& one : made) guids.emplace(one.at("guid").as_string());
    const auto guid = [&](const std::string& name) {
        return std::string(api::find_text(*running.server.get("Monitor", "campus", name), {"status", "newRelicGUID"}));
    };
    EXPECT_EQ(guids, (std::set<std::string>{guid("listed"), guid("unlisted"), guid("unsaid")})) << "people find it";
    running.stop();
    running.server.merge("Monitor", "campus", "unsaid", R"({"status":{"newRelicGUID":null}})", true);
    server.remove(guid("unlisted"));
    running.start();
    for (const auto* name : {"listed", "unlisted", "unsaid"}) running.server.remove("Monitor", "campus", name);
    ASSERT_TRUE(running.until([&] { return running.stands("Monitor", "campus", "listed") == "gone"; }));
    ASSERT_TRUE(running.until([&] { return server.monitors().empty(); }));
    EXPECT_NE(running.stands("Monitor", "campus", "unlisted"), "gone") << "another one may be on its way";
    EXPECT_NE(running.stands("Monitor", "campus", "unsaid"), "gone") << "nobody knows which one it made";
    EXPECT_EQ(server.violations(), "[]");
}

TEST_F(NewRelicReopened, WhatIsNotListedYetIsNeitherMadeAgainNorGone) {
    put_key("NRAK-key");
    put_service();
    server.set("{'index':'held'}");
    put_monitor("stays");
    put_monitor("goes");
    running.start();
    ASSERT_TRUE(comes_to("stays", "True Monitored")) << running.stands("Monitor", "campus", "stays");
    ASSERT_TRUE(comes_to("goes", "True Monitored"));
    put_key("NRAK-another");
    ASSERT_TRUE(comes_to("stays", "False EarlierCallsMayLand")) << running.stands("Monitor", "campus", "stays");
    running.server.remove("Monitor", "campus", "goes");
    put_monitor("new");
    ASSERT_TRUE(comes_to("new", "True Monitored")) << "of what is new nothing can be late";
    EXPECT_EQ(server.monitors().size(), 3U) << "each once";
    EXPECT_NE(running.stands("Monitor", "campus", "goes"), "gone");
    server.set("{'index':'at once'}");
    EXPECT_TRUE(running.until([&] { return server.monitors().size() == 2; })) << "it was removed when it was listed";
    EXPECT_TRUE(comes_to("stays", "True Monitored"));
    EXPECT_EQ(server.violations(), "[]");
}

class NewRelicFaults : public ocim::test::FaultTest {
protected:
    NewRelicFaults() : FaultTest(register_kinds) {
        running.put_secret("ocim-system", "key", "apiKey", runtime::base64("NRAK-key"));
        put_service("struck", front.port());
        put_service("well", well.port);
    }
    void put_service(const std::string& name, std::uint16_t port) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MonitoringService','metadata':{'name':'" + name +
                 "'},'spec':{'newRelic':{'accountID':1234567,'locations':['US_EAST_1'],'url':'http://127.0.0.1:" +
                 std::to_string(port) + "/graphql'},'credentialsRef':{'name':'key'},'driftInterval':'60s'}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Monitor','metadata':{'namespace':"
                 "'campus','name':'" +
                 name + "'},'spec':{'serviceRef':{'name':'" + backend + "'},'url':'https://" + name +
                 ".example.org/','intervalSeconds':300}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("Monitor", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            struck.set("{'key':'NRAK-another'}");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        front.open();
        if (GetParam() != Fault::refuses_credentials) return;
        // rotated: the service keeps its new key, and the Secret learns it
        running.put_secret("ocim-system", "key", "apiKey", runtime::base64("NRAK-another"));
        well.set("{'key':'NRAK-another'}");
    }
    ocim::test::Door& door() override { return front; }

    ocim::test::NewRelicService struck, well;
    ocim::test::Door front{struck.port};
};

TEST_P(NewRelicFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(struck.monitors().size(), 31U) << "each once";
    EXPECT_EQ(struck.violations(), "[]");
}

INSTANTIATE_TEST_SUITE_P(NewRelic, NewRelicFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::truncated_json, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

}  // namespace
}  // namespace ocim::monitoring
