#include "base/async.hpp"
#include "integration/monitoring/with_newrelic.hpp"

#include <functional>
#include <iostream>

namespace ocim::monitoring {
namespace {

class AtNewRelic : public WithNewRelic {};

awaitable<void> look(Watch& watch) {
    const auto seen = co_await watch.observe();
    EXPECT_TRUE(seen);
}

TEST_F(AtNewRelic, KeepsTheContract) {
    ocim::test::ContractCase<Monitor> given;
    given.object = monitor;
    given.changed = [](crd::Monitor object) {
        object.spec.interval_seconds = 60;
        object.spec.enabled = false;
        object.spec.body.emplace().contains = "well";
        return telling(std::move(object));
    };
    given.adopting = adopting;
    given.stranger = [this](int n) { (void)server.make(*monitor(n).spec.url); };
    given.refused = [this] {
        auto actions = Monitor::diff(monitor(99), visitor.inputs(), {});
        actions.at(0).order->locations = {"MARS_1"};
        return actions.at(0);
    };
    ocim::test::run_contract(visitor, given);
    EXPECT_EQ(server.count("workflows"), 0U);
    EXPECT_EQ(server.count("destinations"), 0U);
}

TEST_F(AtNewRelic, WatchesASiteAsAnInstanceAsksForIt) {
    auto object = telling(monitor(1), {"b@example.org", "a@example.org"});
    object.spec.body.emplace().contains = "alive";
    object.spec.tls.insecure_skip_verify = true;
    object.spec.headers = {{"X-Site", "demo", std::nullopt}};
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(visitor.ready(object)) << visitor.report(object).verdict.message;
    const auto made = server.monitors();
    ASSERT_EQ(made.size(), 1U);
    const auto text = api::to_text(made[0]);
    for (const auto* part :
         {R"("uri":"https://m1.example.org/heartbeat")", R"("period":"EVERY_5_MINUTES")", R"("status":"ENABLED")",
          R"("locations":["EU_WEST_1","US_EAST_1"])", R"("ocim-object":["campus/m1"])", R"("ocim-uid":["uid-1"])",
          R"("responseValidationText":"alive")", R"("useTlsValidation":false)", R"({"name":"X-Site","value":"demo"})"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    const auto all = server.order("{}");
    EXPECT_NE(api::to_text(all.at("destinations")).find("a@example.org,b@example.org"), std::string::npos);
    const auto condition = api::to_text(all.at("conditions"));
    const std::string name(made[0].at("name").as_string());
    EXPECT_NE(condition.find("LIKE '%" + name.substr(name.find(" [ocim"))), std::string::npos) << condition;
    EXPECT_NE(condition.find(R"("thresholdDuration":900)"), std::string::npos) << "three failures, five minutes apart";
    EXPECT_EQ(visitor.report(object).findings.at(1).status, "True");
}

TEST_F(AtNewRelic, ChangesBehindOurBackAreSeen) {
    const auto object = telling(monitor(1));
    visitor.must(visitor.wanted(object));
    const auto guid = [&] { return std::string(server.monitors().at(0).at("guid").as_string()); };
    const std::function<void()> drifts[] = {
        [&] { server.change(guid(), "'uri':'https://other.example.org/'"); },
        [&] { server.change(guid(), "'name':'another'"); },
        [&] { server.change(guid(), "'period':'EVERY_HOUR'"); },
        [&] { server.change(guid(), "'status':'DISABLED'"); },
        [&] { server.remove(guid()); },
        [&] { server.harm("{'list':'workflows','drop':true}"); },
        [&] { server.harm("{'list':'workflows','set':{'workflowEnabled':false}}"); },
        [&] { server.harm("{'list':'conditions','set':{'enabled':false}}"); },
        [&] {
            server.harm(
                "{'list':'conditions','set':{'terms':[{'operator':'ABOVE','priority':'CRITICAL','threshold':5,"
                "'thresholdDuration':900,'thresholdOccurrences':'ALL'}]}}");
        },
        [&] {
            server.harm(
                "{'list':'conditions','set':{'terms':[{'operator':'BELOW','priority':'CRITICAL','threshold':0,"
                "'thresholdDuration':900,'thresholdOccurrences':'ALL'}]}}");
        },
        [&] {
            server.harm(
                "{'list':'conditions','set':{'terms':[{'operator':'ABOVE','priority':'CRITICAL','threshold':0,"
                "'thresholdDuration':900,'thresholdOccurrences':'AT_LEAST_ONCE'}]}}");
        },
        [&] {
            const auto channel = std::string(server.order("{}").at("channels").as_object().begin()->key());
            server.harm("{'list':'workflows','set':{'destinationConfigurations':[{'channelId':'" + channel +
                        "','notificationTriggers':['CLOSED']}]}}");
        },
        [&] {
            server.harm(
                "{'list':'workflows','set':{'mutingRulesHandling':'DONT_NOTIFY_FULLY_OR_PARTIALLY_MUTED_ISSUES'}}");
        },
        [&] { server.harm("{'list':'policies','drop':true}"); },
        [&] { server.harm("{'list':'channels','set':{'active':false}}"); },
        [&] { server.harm("{'list':'destinations','set':{'properties':[{'key':'email','value':'x@y.org'}]}}"); }};
    for (std::size_t i = 0; i < std::size(drifts); ++i) {
        SCOPED_TRACE(i);
        drifts[i]();
        EXPECT_FALSE(visitor.ready(object));
        visitor.must(visitor.wanted(object));
        EXPECT_TRUE(visitor.ready(object)) << visitor.report(object).verdict.message;
        EXPECT_EQ(server.monitors().size(), 1U);
        for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
            EXPECT_EQ(server.count(list), 1U) << list;
    }
}

TEST_F(AtNewRelic, ALookAlikeIsLeftAloneAndKeepsItsTagsWhenItIsTakenOver) {
    const auto theirs = server.make(*monitor(1).spec.url);
    const auto before = api::to_text(server.monitors());
    EXPECT_EQ(visitor.report(monitor(1)).verdict.reason, "NotOwned");
    visitor.must(visitor.wanted({monitor(1), monitor(2)}));
    visitor.must(visitor.wanted({monitor(1), monitor(2)}, true));
    EXPECT_EQ(api::to_text(server.monitors()), before);
    visitor.must(visitor.wanted(adopting(monitor(1))));
    const auto now = api::to_text(server.monitors());
    EXPECT_NE(now.find(theirs), std::string::npos);
    EXPECT_NE(now.find(R"("team":["web"])"), std::string::npos) << now;
    EXPECT_NE(now.find(R"("ocim-uid":["uid-1"])"), std::string::npos) << now;
}

TEST_F(AtNewRelic, WhatIsRetainedStaysUntilItsNamesakeComes) {
    auto object = monitor(1);
    object.spec.deletion_policy = crd::Monitor::Spec::DeletionPolicy::retain;
    visitor.must(visitor.wanted(object));
    visitor.must(visitor.wanted(object, true));
    EXPECT_TRUE(visitor.wanted(object, true).empty());
    ASSERT_EQ(server.monitors().size(), 1U);
    EXPECT_TRUE(Monitor::marked(visitor.see()).at(0).mark.retained);
    object.metadata.uid = "another-uid";
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(visitor.ready(object));
    EXPECT_EQ(server.monitors().size(), 1U);
}

TEST_F(AtNewRelic, WhoIsToldIsSharedAndGoesWithTheLast) {
    const auto one = telling(monitor(1)), two = telling(monitor(2)), other = telling(monitor(3), {"else@example.org"});
    visitor.must(visitor.wanted({one, two, other}));
    EXPECT_EQ(server.count("workflows"), 2U);
    EXPECT_EQ(server.count("policies"), 2U);
    visitor.must(visitor.wanted(one, true));
    EXPECT_EQ(server.count("workflows"), 2U);
    EXPECT_TRUE(visitor.ready(two));
    visitor.must(visitor.wanted(telling(two, {"else@example.org"})));
    for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
        EXPECT_EQ(server.count(list), 1U) << list;
    auto silent = other;
    silent.spec.alert_emails.clear();
    visitor.must(visitor.wanted({monitor(2), silent}));
    for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
        EXPECT_EQ(server.count(list), 0U) << list;
}

TEST_F(AtNewRelic, WhatTellsOfNothingIsAnOrphan) {
    visitor.must(visitor.wanted(telling(monitor(1))));
    server.remove(std::string(server.monitors().at(0).at("guid").as_string()));
    const auto seen = visitor.see();
    const auto orphans = Monitor::marked(seen);
    ASSERT_EQ(orphans.size(), 1U);
    EXPECT_EQ(orphans[0].mark.installation, "prod");
    visitor.must(Monitor::sweep(orphans[0].key, seen));
    for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
        EXPECT_EQ(server.count(list), 0U) << list;
}

TEST_F(AtNewRelic, AnOrphanGoesByItsMark) {
    visitor.must(visitor.wanted(telling(monitor(1))));
    const auto theirs = server.make("https://elsewhere.example.org/");
    const auto seen = visitor.see();
    const auto orphans = Monitor::marked(seen);
    ASSERT_EQ(orphans.size(), 1U) << "only what is marked can be one";
    visitor.must(Monitor::sweep(orphans[0].key, seen));
    ASSERT_EQ(server.monitors().size(), 1U);
    EXPECT_EQ(server.monitors().at(0).at("guid"), theirs.c_str());
    EXPECT_EQ(server.count("policies"), 0U);
}

TEST_F(AtNewRelic, WhatWasMadeTwiceIsThereOnceInTheEnd) {
    // the answer to a creation is lost, the index is behind, and it is asked for again
    const auto creation = visitor.wanted(telling(monitor(1)));
    server.set("{'index':'held'}");
    server.fault("{'match':'syntheticsCreate.*','kind':'status','status':502,'after':true}");
    const auto lost = errors(creation);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_TRUE(lost[0].outcome_unknown) << "the runtime waits, then";
    visitor.succeed(creation);
    server.set("{'index':'at once'}");
    ASSERT_EQ(server.monitors().size(), 2U);
    visitor.must(visitor.wanted(telling(monitor(1))));
    EXPECT_TRUE(visitor.ready(telling(monitor(1))));
    EXPECT_EQ(server.monitors().size(), 1U);
}

TEST_F(AtNewRelic, WhatIsFoundIsSaid) {
    const auto object = monitor(1);
    visitor.must(visitor.wanted(object));
    EXPECT_EQ(visitor.report(object).findings.at(0).reason, "NotProbedYet");
    server.set("{'locations_running':2}");
    EXPECT_EQ(visitor.report(object).status.up, true);
    server.set("{'locations_running':1,'locations_failing':1}");
    const auto said = visitor.report(object);
    EXPECT_EQ(said.status.up, false);
    EXPECT_EQ(said.status.message, "fails at 1 location");
    ASSERT_EQ(said.notes.size(), 1U);
    EXPECT_EQ(said.notes[0].reason, "ProbeFailed");
    EXPECT_EQ(visitor.report(object).status.last_probe, said.status.last_probe) << "nothing has changed since";
    EXPECT_TRUE(visitor.ready(object)) << "it is watched, whatever is found";
}

TEST_F(AtNewRelic, TheIndexMayBeBehind) {
    const auto object = monitor(1);
    server.set("{'index':'held'}");
    visitor.must(visitor.wanted(object));
    EXPECT_TRUE(visitor.wanted(object).empty()) << "what was made is not made again";
    auto changed = object;
    changed.spec.enabled = false;
    visitor.must(visitor.wanted(changed));
    EXPECT_TRUE(visitor.ready(changed));
    server.set("{'index':'at once'}");
    EXPECT_TRUE(visitor.ready(changed));
    server.set("{'index':'held'}");
    visitor.must(visitor.wanted(changed, true));
    EXPECT_TRUE(visitor.see().empty()) << "what was deleted lingers in the index";
    server.set("{'index':'at once'}");
    EXPECT_TRUE(visitor.see().empty());
}

TEST_F(AtNewRelic, WhatIsNotListedAfterLongIsAskedForBeforeItCountsAsGone) {
    server.set("{'index':'held'}");
    visitor.must(visitor.wanted(monitor(1)));
    index_catches_up();
    (void)calls();
    EXPECT_TRUE(visitor.wanted(monitor(1)).empty());
    EXPECT_EQ(calls("entities"), 1U);
    server.remove(std::string(server.monitors().at(0).at("guid").as_string()));
    EXPECT_EQ(visitor.wanted(monitor(1)).size(), 1U);
}

TEST_F(AtNewRelic, NewRelicsOwnTagsKeepNothingFromBeingSeen) {
    visitor.must(visitor.wanted(monitor(1)));
    (void)visitor.see();
    // once the list has shown what was written, that stands in for the list no more
    const std::string guid(server.monitors().at(0).at("guid").as_string());
    server.change(guid, "'period':'EVERY_HOUR'");
    ASSERT_EQ(visitor.wanted(monitor(1)).size(), 1U);
    visitor.must(visitor.wanted(monitor(1)));
    EXPECT_TRUE(visitor.ready(monitor(1)));
    const auto now = api::to_text(server.monitors());
    EXPECT_EQ(now.find("trustedAccountId"), std::string::npos) << "nobody may write these: " << now;
}

TEST_F(AtNewRelic, WhoIsToldStaysWhileAMonitorOfTheSystemBeforeIsNotListed) {
    const auto one = telling(monitor(1)), two = telling(monitor(2));
    visitor.must(visitor.wanted(one));
    server.set("{'index':'held'}");
    visitor.must(visitor.wanted(two));
    // the key was replaced, and the first goes
    const auto second = open();
    ocim::test::Visitor<Monitor> after{loop, *second, visitor.inputs()};
    after.succeed(after.wanted(one, true));
    EXPECT_EQ(server.monitors().size(), 1U);
    for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
        EXPECT_EQ(server.count(list), 1U) << list << ": the second one's";
    index_catches_up();
    server.set("{'index':'at once'}");
    after.must(after.wanted(monitor(3)));
    EXPECT_EQ(server.count("workflows"), 1U);
    after.must(after.wanted(two, true));
    EXPECT_EQ(server.count("workflows"), 0U) << "it has gone with the last";
}

TEST_F(AtNewRelic, ABatchRemovesOnlyWhatItsOwnMonitorsLeft) {
    // an unlisted monitor of somebody else may use it: for what only seems unused there are orphans
    visitor.must(visitor.wanted(telling(monitor(1))));
    server.remove(std::string(server.monitors().at(0).at("guid").as_string()));
    visitor.must(visitor.wanted(monitor(2)));
    EXPECT_EQ(server.count("workflows"), 1U);
    EXPECT_EQ(Monitor::marked(visitor.see()).size(), 2U) << "it is told of";
}

TEST_F(AtNewRelic, ServicesOfOneAccountShareNothing) {
    visitor.must(visitor.wanted(telling(monitor(1))));
    const auto other = open("NRAK-key", "second");
    ocim::test::Visitor<Monitor> second{loop, *other, inputs("NRAK-key", "http://127.0.0.1:1", "second")};
    auto theirs = telling(monitor(2));
    theirs.spec.service_ref.name = "second";
    index_catches_up();
    second.must(second.wanted(theirs));
    EXPECT_EQ(server.count("workflows"), 2U) << "the same people, and another group";
    for (auto* service : {&visitor, &second})
        EXPECT_EQ(Monitor::marked(service->see()).size(), 2U) << "the Monitors, and no alerts of the other's";
    second.must(second.wanted(theirs, true));
    EXPECT_EQ(server.count("workflows"), 1U);
    EXPECT_TRUE(visitor.ready(telling(monitor(1))));
}

TEST_F(AtNewRelic, AnUnusedGroupIsTheOrphanOfItsOwnServiceAlone) {
    const std::string long_name(100, 'n');
    for (const auto& name : {std::string("main"), std::string("main2"), long_name + "1", long_name + "2"}) {
        const auto other = open("NRAK-key", name);
        ocim::test::Visitor<Monitor> service{loop, *other, inputs("NRAK-key", "http://127.0.0.1:1", name)};
        auto theirs = telling(monitor(2));
        theirs.spec.service_ref.name = name;
        service.must(service.wanted(theirs));
        server.remove(std::string(server.monitors().at(0).at("guid").as_string()));
        EXPECT_EQ(Monitor::marked(service.see()).size(), 1U) << name;
    }
    EXPECT_EQ(server.count("workflows"), 4U);
    EXPECT_TRUE(Monitor::marked(visitor.see()).empty());
}

TEST_F(AtNewRelic, AMarkMadeByHandOnAForeignMonitorBreaksNothing) {
    const auto url = *monitor(1).spec.url;
    const auto marked = server.make("https://a.example.org/");
    const auto guid = server.make(url);
    server.change(marked, "'tags':{'ocim-installation':['prod'],'ocim-uid':['x'],'ocim-object':['unmarked " + url +
                              " " + guid + "']}");
    EXPECT_EQ(visitor.see().size(), 1U);
}

TEST_F(AtNewRelic, ALookThatOverlapsChangesUndoesNothing) {
    const std::vector objects{telling(monitor(1)), telling(monitor(2)), telling(monitor(3))};
    const auto creation = visitor.wanted(objects);
    (void)calls();
    // what it says of alerts is from before, and comes when the first monitor has been made: two lists, five, and one
    server.fault("{'match':'account','kind':'late','calls':8}");
    TaskGroup tasks(loop.executor());
    tasks.spawn("a look", look(*watch));
    const auto asked = [&] { return server.order("{}").at("calls").as_array().size() == 2; };
    for (int i = 0; i < 400 && !asked(); ++i) loop.run(loop.clock().sleep(Duration(10)));
    ASSERT_TRUE(asked());
    visitor.succeed(creation);
    loop.run(tasks.join());
    EXPECT_TRUE(visitor.wanted(objects).empty());
    EXPECT_EQ(server.monitors().size(), 3U);
    for (const auto* list : {"workflows", "channels", "destinations", "policies", "conditions"})
        EXPECT_EQ(server.count(list), 1U) << list;
}

TEST_F(AtNewRelic, WhatTheIndexLosesIsAskedForByItsGuid) {
    visitor.must(visitor.wanted(monitors(3)));
    (void)visitor.see();
    server.set("{'lost':true}");
    (void)calls();
    EXPECT_TRUE(visitor.wanted(monitors(3)).empty()) << "it is there all the same";
    EXPECT_EQ(calls("entities"), 1U);
    server.set("{'lost':false}");
    server.remove(std::string(server.monitors().at(0).at("guid").as_string()));
    EXPECT_EQ(visitor.wanted(monitors(3)).size(), 1U) << "and that one is gone";
}

TEST_F(AtNewRelic, CallsForAThousandMonitors) {
    constexpr int count = 1'000;
    std::vector<crd::Monitor> objects;
    for (const auto& object : monitors(count)) objects.push_back(telling(object));
    const auto creation = visitor.wanted(objects);
    (void)calls();
    visitor.succeed(creation);
    const auto create = calls();
    const auto removal = visitor.wanted(objects, true);
    const auto sweep = calls();
    EXPECT_EQ(removal.size(), std::size_t{count}) << "no page is forgotten";
    EXPECT_TRUE(visitor.wanted(objects).empty());
    (void)calls();
    visitor.succeed(removal);
    const auto remove = calls();
    std::cout << "calls for " << count << " monitors: create " << create << ", sweep " << sweep << ", delete " << remove
              << "\n";
    EXPECT_EQ(create, count + 2U + 5U) << "a look; a mutation each; who is told is made once";
    EXPECT_EQ(sweep, 5U + 1U) << "200 a page, and all lists of alerts at once";
    EXPECT_EQ(remove, count + 6U + 5U);
    EXPECT_TRUE(server.monitors().empty());
    EXPECT_EQ(server.count("policies"), 0U);
}

TEST_F(AtNewRelic, PagesOfAnySizeAreFollowed) {
    std::vector<crd::Monitor> objects;
    for (int n = 0; n < 7; ++n) objects.push_back(telling(monitor(n), {"m" + std::to_string(n) + "@example.org"}));
    visitor.must(visitor.wanted(objects));
    server.set("{'page':3}");
    EXPECT_TRUE(visitor.wanted(objects).empty()) << "what is on a later page is not made again";
    server.fault("{'match':'entitySearch','kind':'status','status':502}");
    const auto seen = visitor.look();
    ASSERT_FALSE(seen) << "a part is not the whole";
    for (const auto* list : {"policies", "nrqlConditions", "entities"}) {
        server.set("{'stuck':'" + std::string(list) + "'}");
        EXPECT_FALSE(visitor.look()) << list << ": a page that leads to itself is not the last";
    }
    EXPECT_EQ(seen.error().error_class, ErrorClass::transient);
    EXPECT_FALSE(seen.error().outcome_unknown);
}

}  // namespace
}  // namespace ocim::monitoring
