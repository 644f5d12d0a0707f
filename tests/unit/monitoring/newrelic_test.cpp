#include "monitoring/newrelic.hpp"
#include "monitoring/monitor.hpp"
#include "monitoring/newrelic_alerts.hpp"
#include "monitoring/newrelic_client.hpp"
#include "monitoring/newrelic_entities.hpp"
#include "monitoring/newrelic_monitor.hpp"

#include <gtest/gtest.h>
#include <functional>
#include <optional>

/// What Monitors want of New Relic.
namespace ocim::monitoring {
namespace {

using newrelic::Kept;
using newrelic::Parts;
using Object = crd::Monitor;
using Texts = std::vector<std::string>;
using runtime::Mark;
using State = runtime::Verdict::State;

const Key key{"campus/lms"};
const Mark ours{"lab", "campus/lms", "uid-1", false};
const newrelic::Owner lab{"lab", "newrelic"};

Object monitor() {
    Object out;
    out.metadata.name = "lms";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.service_ref.name = "newrelic";
    out.spec.url = "https://demo.example.org/";
    out.spec.interval_seconds = 300;
    out.spec.alert_emails = {"b@x.org", "a@x.org"};
    return out;
}

runtime::Inputs inputs(std::vector<std::string> locations = {"US_EAST_1"}) {
    crd::MonitoringService service;
    service.metadata.name = "newrelic";
    service.spec.new_relic.emplace().locations = std::move(locations);
    runtime::Inputs out;
    out.installation = "lab";
    out.add(api::encode_object(service));
    return out;
}

/// What there is once monitor() is as declared.
Snapshot watched() {
    const auto actions = Monitor::diff(monitor(), inputs(), {});
    Thing thing;
    thing.mark = ours;
    thing.synthetic = actions.at(0).order->synthetic;
    thing.synthetic->guid = "G1";
    return {{key, thing}};
}

Texts texts(const std::vector<Action>& actions) {
    Texts out;
    for (const auto& action : actions)
        out.push_back(std::string(Monitor::verb(action)) + " " + action.key.monitor + " " +
                      action.order->synthetic.guid);
    return out;
}

TEST(NewRelicMonitor, DiffTable) {
    const Texts update{"update campus/lms G1"};
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        Texts actions;
    } cases[] = {
        {"as declared", [](Object&, Snapshot&) {}, {}},
        {"nothing there", [](Object&, Snapshot& s) { s.clear(); }, {"create campus/lms "}},
        {"another URL", [](Object& o, Snapshot&) { o.spec.url = "http://x/"; }, update},
        {"another interval", [](Object& o, Snapshot&) { o.spec.interval_seconds = 60; }, update},
        {"switched off", [](Object& o, Snapshot&) { o.spec.enabled = false; }, update},
        {"switched off there", [](Object&, Snapshot& s) { s[key].synthetic->enabled = false; }, update},
        {"not told whether it is on", [](Object&, Snapshot& s) { s[key].synthetic->enabled.reset(); }, {}},
        {"another text", [](Object& o, Snapshot&) { o.spec.body.emplace().contains = "x"; }, update},
        {"another header", [](Object& o, Snapshot&) { o.spec.headers = {{"A", "b", std::nullopt}}; }, update},
        {"any certificate", [](Object& o, Snapshot&) { o.spec.tls.insecure_skip_verify = true; }, update},
        {"the same URL, spelt otherwise", [](Object& o, Snapshot&) { o.spec.url = "https://demo.example.org"; },
         update},  // its name says so
        {"others are told", [](Object& o, Snapshot&) { o.spec.alert_emails = {"c@x.org"}; }, update},
        {"told in another order", [](Object& o, Snapshot&) { o.spec.alert_emails = {"a@x.org", "b@x.org"}; }, {}},
        {"told later", [](Object& o, Snapshot&) { o.spec.alert_after_failures = 4; }, update},
        {"nobody is told any more", [](Object& o, Snapshot&) { o.spec.alert_emails.clear(); }, update},
        {"what tells is broken", [](Object&, Snapshot& s) { s[key].synthetic->alerts.clear(); }, update},
        {"retained by a former one",
         [](Object&, Snapshot& s) { s[key].mark = Mark{"lab", "campus/lms", "uid-0", true}; }, update},
        {"a former one's", [](Object&, Snapshot& s) { s[key].mark->uid = "uid-0"; }, {}},
        {"a frequency that New Relic refuses", [](Object& o, Snapshot&) { o.spec.interval_seconds = 120; }, {}},
        {"made twice",
         [](Object&, Snapshot& s) {
             s[newrelic::double_key(key.monitor, "G2")] = s[key];
             s[newrelic::double_key(key.monitor, "G2")].synthetic->guid = "G2";
         },
         {"delete campus/lms G2 G2"}},
        {"somebody else watches the same",
         [](Object&, Snapshot& s) {
             auto thing = s[key];
             thing.mark.reset();
             s = {{newrelic::stranger_key("https://demo.example.org/", "G9"), thing}};
         },
         {}},
        {"among those that watch the same the first is another installation's",
         [](Object&, Snapshot& s) {
             auto thing = s[key];
             thing.mark->installation = "other";
             s = {{newrelic::stranger_key("https://demo.example.org/", "G1"), thing}};
             thing.mark.reset();
             s.emplace(newrelic::stranger_key("https://demo.example.org/", "G9"), thing);
         },
         {}},
        {"and may be taken over",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             auto thing = s[key];
             thing.mark.reset();
             thing.synthetic->guid = "G9";
             s = {{newrelic::stranger_key("https://demo.example.org/", "G9"), thing}};
         },
         {"update campus/lms G9"}},
        {"another installation's is never taken over",
         [](Object& o, Snapshot& s) {
             o.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
             auto thing = s[key];
             thing.mark->installation = "other";
             s = {{newrelic::stranger_key("https://demo.example.org/", "G9"), thing}};
         },
         {"create campus/lms "}},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        auto seen = watched();
        c.change(object, seen);
        EXPECT_EQ(texts(Monitor::diff(object, inputs(), seen)), c.actions) << c.reason;
        const auto state = Monitor::report(object, inputs(), seen).verdict.state;
        EXPECT_EQ(state == State::ready, c.actions.empty() && state != State::stalled) << c.reason;
    }
    EXPECT_EQ(texts(Monitor::diff(monitor(), inputs({"EU_WEST_1"}), watched())), update) << "other places ask";
}

TEST(NewRelicMonitor, RemovesItsOwnOnly) {
    auto object = monitor();
    EXPECT_EQ(texts(Monitor::remove(object, "lab", watched())), Texts{"delete campus/lms G1"});
    EXPECT_TRUE(Monitor::remove(object, "other", watched()).empty());
    auto others = watched();
    others[key].mark->uid = "uid-2";
    EXPECT_TRUE(Monitor::remove(object, "lab", others).empty());
    EXPECT_EQ(texts(Monitor::sweep(key, others)), Texts{"delete campus/lms G1"});
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    const auto left = Monitor::remove(object, "lab", watched());
    ASSERT_EQ(texts(left), Texts{"update campus/lms G1"});
    EXPECT_TRUE(left[0].mark.retained);
    auto retained = watched();
    retained[key].mark->retained = true;
    EXPECT_TRUE(Monitor::remove(object, "lab", retained).empty());
}

TEST(NewRelicMonitor, RefusesByFieldWhatAPingCannotDo) {
    const struct {
        std::function<void(Object::Spec&)> change;
        const char* field;
    } cases[] = {
        {[](auto&) {}, ""},
        {[](auto& s) { s.interval_seconds = 86'400; }, ""},
        {[](auto& s) { s.interval_seconds = 30; }, "spec.intervalSeconds"},
        {[](auto& s) { s.interval_seconds = 90; }, "spec.intervalSeconds"},
        {[](auto& s) { s.interval_seconds = 120; }, "spec.intervalSeconds"},
        {[](auto& s) {
             s.url.reset();
             s.tcp.emplace().address = "demo.example.org:443";
         },
         "spec.tcp"},
        {[](auto& s) { s.basic_auth = {"watch", {"auth", "header"}}; }, "spec.basicAuth"},
        {[](auto& s) { s.alert_emails = {"a@x.org", "b,c@x.org"}; }, "spec.alertEmails[1]"},
        {[](auto& s) { s.connect_to = "192.0.2.1:80"; }, "spec.connectTo"},
        {[](auto& s) { s.expected_status = 204; }, "spec.expectedStatus"},
        {[](auto& s) { s.body.emplace().excludes = "x"; }, "spec.body.excludes"},
        {[](auto& s) { s.headers = {{"A", std::nullopt, api::SecretKeyRef{"s", "k"}}}; }, "spec.headers[0].valueRef"},
    };
    for (const auto& c : cases) {
        auto object = monitor();
        c.change(object.spec);
        const auto causes = Monitor::admit(object, nullptr, inputs());
        EXPECT_EQ(causes.empty() ? "" : causes[0].field, c.field);
        const auto verdict = Monitor::report(object, inputs(), {}).verdict;
        EXPECT_EQ(verdict.reason, *c.field ? "InvalidSpec" : "OutOfSync");
        if (*c.field) EXPECT_TRUE(verdict.message.starts_with(c.field)) << verdict.message;
    }
}

TEST(NewRelicMonitor, ItsNameFitsAndSaysWhoIsTold) {
    auto object = monitor();
    object.spec.url = "https://demo.example.org/" + std::string(500, 'x');
    const auto order = *Monitor::diff(object, inputs(), {}).at(0).order;
    EXPECT_EQ(order.synthetic.name.size(), 256U);
    EXPECT_TRUE(order.synthetic.name.ends_with(newrelic::alert_word(order.group->id)));
    EXPECT_EQ(order.group->emails, (Texts{"a@x.org", "b@x.org"}));
    object.spec.alert_emails.clear();
    object.spec.url = "https://demo.example.org/";
    EXPECT_EQ(Monitor::diff(object, inputs(), {}).at(0).order->synthetic.name, *object.spec.url);
}

TEST(NewRelicMonitor, AHostAloneHasAPath) {
    EXPECT_EQ(newrelic::canonical_url("https://demo.example.org"), "https://demo.example.org/");
    for (const auto* same : {"https://demo.example.org/", "http://x/a", "http://x?a", "http://x#a", "nonsense", ""})
        EXPECT_EQ(newrelic::canonical_url(same), same);
}

TEST(NewRelicMonitor, WhatIsMadeIsWaitedForAsLongAsTheIndexMayTake) {
    crd::MonitoringService service;
    service.spec.new_relic.emplace();
    const auto settings = Monitor::settings(service);
    EXPECT_TRUE(settings.creates_twice);
    EXPECT_GE(settings.landing_max, newrelic::index_delay_max);
    EXPECT_EQ(settings.in_flight, 1U) << "what is shared is made once";
    EXPECT_LE(settings.actions_max, 50U) << "a batch is cut off after 90 s, and an action is some calls";
}

TEST(NewRelicErrors, WordsHaveTheirClass) {
    const struct {
        const char *word, *reason;
        ErrorClass error_class;
        bool unknown;
    } cases[] = {
        {"ENTITY_IN_USE", "something refers to it that was not seen", ErrorClass::conflict, false},
        {"DUPLICATE", "a workflow of the name was not seen", ErrorClass::conflict, false},
        {"LIMIT_REACHED", "the account is full", ErrorClass::invalid, false},
        {"VALIDATION_ERROR", "what it was told is wrong", ErrorClass::invalid, false},
        {"UNAUTHORIZED_ACCOUNT", "the user may not", ErrorClass::auth, false},
        {"NOT_PERMITTED", "the user may not tag", ErrorClass::auth, false},
        {"CONCURRENT_TASK_EXCEPTION", "somebody else tags it", ErrorClass::transient, false},
        {"SOMETHING_NEW", "it may be anything", ErrorClass::transient, true},
    };
    for (const auto& c : cases) {
        const auto error = newrelic::classified(c.word, "", true);
        EXPECT_EQ(error.error_class, c.error_class) << c.reason;
        EXPECT_EQ(error.outcome_unknown, c.unknown) << c.reason;
    }
}

TEST(NewRelicTags, OthersStayAndNewRelicsOwnAreNotWritten) {
    const auto entity = *api::parse_json(R"({"tagsWithMetadata":[
        {"key":"accountId","values":[{"mutable":false,"value":"7"}]},
        {"key":"team","values":[{"mutable":true,"value":"web"},{"mutable":false,"value":"given"}]},
        {"key":"ocim-uid","values":[{"mutable":true,"value":"old"}]},
        {"key":"ocim-retained","values":[{"mutable":true,"value":"true"}]}]})");
    const auto theirs = newrelic::mutable_tags(entity.value);
    EXPECT_EQ(theirs, (newrelic::Tags{{"team", {"web"}}, {"ocim-uid", {"old"}}, {"ocim-retained", {"true"}}}));
    const newrelic::Tags own{{"ocim-uid", {"new"}}, {"team", {"none of ours"}}};
    EXPECT_EQ(newrelic::joined(theirs, own), (newrelic::Tags{{"team", {"web"}}, {"ocim-uid", {"new"}}}));
    EXPECT_EQ(newrelic::ours_of(own), (newrelic::Tags{{"ocim-uid", {"new"}}}));
}

TEST(NewRelicAlerts, AGroupsTimesAreWhatNewRelicTakes) {
    const struct {
        int period, after, window, duration;
    } cases[] = {{60, 1, 60, 60},           {60, 3, 60, 180},         {300, 3, 300, 900},      {1'800, 2, 900, 3'600},
                 {3'600, 100, 900, 86'400}, {86'400, 3, 900, 86'400}, {21'600, 5, 900, 86'400}};
    for (const auto& c : cases) {
        const auto group = newrelic::make_group(lab, {"a@x.org"}, c.period, c.after);
        EXPECT_EQ(group.window_seconds, c.window) << c.period;
        EXPECT_EQ(group.duration_seconds, c.duration) << c.period;
        EXPECT_EQ(group.duration_seconds % group.window_seconds, 0) << c.period;
    }
    const auto one = newrelic::make_group(lab, {"a@x.org", "b@x.org", "a@x.org"}, 300, 3);
    EXPECT_EQ(one, newrelic::make_group(lab, {"b@x.org", "a@x.org"}, 300, 3));
    EXPECT_EQ(one.id, newrelic::make_group(lab, {"B@x.org", "a@X.org"}, 300, 3).id);
    EXPECT_NE(one.id, newrelic::make_group({"other", "newrelic"}, {"b@x.org", "a@x.org"}, 300, 3).id);
    EXPECT_NE(one.id, newrelic::make_group({"lab", "second"}, {"b@x.org", "a@x.org"}, 300, 3).id)
        << "of two services neither may remove what the other uses";
    EXPECT_NE(one.id, newrelic::make_group(lab, {"a@x.org"}, 300, 3).id);
}

TEST(NewRelicAlerts, WhatIsWrongIsNotKept) {
    const auto group = newrelic::make_group(lab, {"a@x.org"}, 300, 3);
    const auto query =
        "SELECT filter(count(*), WHERE result = 'FAILED') FROM SyntheticCheck WHERE monitorName LIKE '% [ocim " +
        group.id + "]' FACET monitorName";
    const Parts good{{{"d", {"a@x.org"}, true}},
                     {{"c", "d", true}},
                     {{"p", "PER_CONDITION_AND_TARGET"}},
                     {{"n", "p", query, true, 300, 900}},
                     {{"w", {"p"}, {"c"}, true}}};
    const struct {
        const char* reason;
        std::function<void(Parts&)> change;
        Kept kept;
    } cases[] = {
        {"as declared", [](Parts&) {}, {"d", "c", "p", "n", "w"}},
        {"nothing", [](Parts& p) { p = {}; }, {}},
        {"the workflow is off", [](Parts& p) { p.workflows[0].good = false; }, {"d", "c", "p", "n", ""}},
        {"the workflow is of another policy",
         [](Parts& p) { p.workflows[0].policies = {"q"}; },
         {"d", "c", "p", "n", ""}},
        {"the channel leads elsewhere", [](Parts& p) { p.channels[0].destination = "e"; }, {"d", "", "p", "n", ""}},
        {"another query", [](Parts& p) { p.conditions[0].query = "SELECT 1"; }, {"d", "c", "p", "", "w"}},
        {"the condition is off", [](Parts& p) { p.conditions[0].good = false; }, {"d", "c", "p", "", "w"}},
        {"other addresses", [](Parts& p) { p.destinations[0].emails = {"x@x.org"}; }, {"", "", "p", "", ""}},
        {"another duration", [](Parts& p) { p.conditions[0].duration_seconds = 600; }, {"", "", "p", "", ""}},
        {"another preference", [](Parts& p) { p.policies[0].preference = "PER_POLICY"; }, {"d", "c", "", "", ""}},
    };
    for (const auto& c : cases) {
        auto parts = good;
        c.change(parts);
        const auto kept = newrelic::kept_of(parts, lab, group.id);
        EXPECT_EQ(kept, c.kept) << c.reason;
        EXPECT_EQ(newrelic::whole(parts, kept), c.kept == cases[0].kept) << c.reason;
    }
    auto doubled = good;
    doubled.workflows.push_back({"w2", {"p"}, {"c"}, true});
    EXPECT_FALSE(newrelic::whole(doubled, newrelic::kept_of(doubled, lab, group.id))) << "they would be told twice";
    EXPECT_EQ(newrelic::kept_of(good, {"other", "newrelic"}, group.id).condition, "") << "the id says whose it is";
}

}  // namespace
}  // namespace ocim::monitoring
