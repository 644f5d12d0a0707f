#include "mail/notices.hpp"
#include "crd/appservers.hpp"
#include "crd/instanceclasses.hpp"
#include "crd/monitoringservices.hpp"
#include "crd/notifications.hpp"
#include "mail/alerts.hpp"
#include "mail/failures.hpp"

#include <gtest/gtest.h>

namespace ocim::mail {
namespace {

using crd::AppServer;
using crd::Notification;
using Phase = AppServer::Status::Phase;

/// Makes what a composition wants, as the runtime does, and says what was new.
template <class Kind>
class Attended {
public:
    std::vector<Notification> visit(const typename Kind::Object& object, const runtime::Inputs& inputs) {
        runtime::Children children;
        for (const auto& item : there) children.add(api::encode_object(item));
        const auto made = Kind::compose(object, children, inputs);
        std::vector<Notification> fresh, kept;
        for (const auto& child : made.children) {
            EXPECT_TRUE(child.create_only) << "what was told is not told otherwise";
            auto one = *api::decode_object<Notification>(child.object);
            const auto same = [&](const auto& item) { return item.metadata.name == one.metadata.name; };
            if (std::ranges::none_of(there, same)) {
                one.metadata.creation_timestamp = rfc3339(inputs.now);
                fresh.push_back(one);
            }
            kept.push_back(std::move(one));
        }
        if (made.complete) there = std::move(kept);
        return fresh;
    }
    std::vector<Notification> there;
};

class FailuresTest : public testing::Test {
protected:
    FailuresTest() {
        instance.metadata.name = "demo";
        instance.metadata.namespace_ = "campus";
        instance.spec.class_name = "sandbox";
        instance.spec.display_name = "Demo ü";
        instance.spec.monitoring.emplace().emails = {"dana@example.org"};
        of_class.metadata.name = "sandbox";
        of_class.spec.notifications.emplace().emails = {"ops@example.org", "dana@example.org"};
    }
    AppServer& appserver(const std::string& name, std::optional<std::string> hash = "h1") {
        AppServer out;
        out.metadata.name = name;
        out.metadata.namespace_ = "campus";
        out.metadata.uid = "uid-" + name;
        out.spec.instance_name = "demo";
        out.spec.configuration_hash = std::move(hash);
        out.status.phase = Phase::configuring;
        return appservers.emplace_back(std::move(out));
    }
    static void fail(AppServer& appserver, const std::string& task = "TASK [site : install]") {
        appserver.status.phase = Phase::configuration_failed;
        appserver.status.provision.emplace().failed_task = task;
        api::Condition ready;
        ready.type = "Ready";
        ready.status = "False";
        ready.reason = "ConfigurationFailed";
        ready.message = "the playbook ended with 2";
        appserver.status.conditions = {ready};
    }
    std::vector<Notification> visit() {
        runtime::Inputs inputs;
        inputs.now = *parse_rfc3339("2026-11-22T10:00:00Z") + std::chrono::seconds(++seconds);
        inputs.add(api::encode_object(of_class));
        for (const auto& one : appservers) {
            auto known = api::encode_object(one);
            known.as_object()["status"] = api::encode(one.status);
            inputs.add(std::move(known));
        }
        return attended.visit(instance, inputs);
    }

    crd::Instance instance;
    crd::InstanceClass of_class;
    std::vector<AppServer> appservers;
    Attended<Failures> attended;
    int seconds = 0;
};

TEST_F(FailuresTest, PeopleOfTheClassAndOfTheInstanceHearOfIt) {
    appserver("demo-1");
    EXPECT_TRUE(visit().empty()) << "it is still at it";
    fail(appservers[0]);
    const auto told = visit();
    ASSERT_EQ(told.size(), 1u);
    const auto& spec = told[0].spec;
    EXPECT_EQ(spec.mail_relay_ref.name, "default");
    EXPECT_EQ(spec.to, (std::vector<std::string>{"dana@example.org", "ops@example.org"})) << "each once";
    EXPECT_EQ(spec.subject, "AppServer demo-1 of campus/demo failed");
    EXPECT_NE(spec.text.find("(Demo ü)"), std::string::npos);
    EXPECT_NE(spec.text.find("the playbook ended with 2"), std::string::npos);
    EXPECT_NE(spec.text.find("TASK [site : install]"), std::string::npos);
    ASSERT_TRUE(spec.log_ref);
    EXPECT_EQ(spec.log_ref->name, "demo-1-log");
    EXPECT_TRUE(visit().empty()) << "once";
}

TEST_F(FailuresTest, ARetryThatFailsInTheSameWayIsNoNews) {
    fail(appserver("demo-1"));
    EXPECT_EQ(visit().size(), 1u);
    fail(appserver("demo-2"));
    EXPECT_TRUE(visit().empty());
    appservers.clear();
    fail(appserver("demo-3"));
    EXPECT_TRUE(visit().empty()) << "also after the others are gone";
    fail(appserver("demo-4"), "TASK [site : start]");
    EXPECT_TRUE(visit().empty()) << "the task is known only after the failure";
    appserver("demo-6").status.phase = Phase::error;
    EXPECT_EQ(visit().size(), 1u) << "another cause";
    fail(appservers.back());
    EXPECT_TRUE(visit().empty()) << "of one AppServer once, whatever is learnt of it later";
    fail(appserver("demo-5", "h2"));
    EXPECT_EQ(visit().size(), 1u) << "another configuration";
    fail(appserver("by-hand", std::nullopt));
    fail(appserver("by-hand-2", std::nullopt));
    EXPECT_EQ(visit().size(), 2u) << "what people make are attempts of their own";
}

TEST_F(FailuresTest, OfAMachineThatNeverCameThereIsNoLog) {
    appserver("demo-1").status.phase = Phase::error;
    const auto told = visit();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_FALSE(told[0].spec.log_ref);
}

TEST_F(FailuresTest, OnlyItsOwnAppServersAreAskedForAndThereMayBeNobodyToTell) {
    EXPECT_EQ(Failures::needs(instance).back(),
              (runtime::Reference{crd::AppServer::kind, "campus", "", true, "spec.instanceName", "demo"}));
    fail(appserver("demo-1"));
    of_class.spec.notifications.reset();
    instance.spec.monitoring->emails = {"a@example.org,b@example.org"};
    EXPECT_TRUE(visit().empty()) << "no address that is one";
    of_class.spec.notifications.emplace().emails = {"ops@example.org"};
    of_class.spec.notifications->mail_relay_ref = api::LocalRef{"office"};
    const auto told = visit();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].spec.mail_relay_ref.name, "office");
}

TEST_F(FailuresTest, OnlySoManyAreKeptAndWhatStillFailsIsNotToldTwice) {
    fail(appserver("demo-0", "h0"));
    EXPECT_EQ(visit().size(), 1u);
    for (int n = 1; n < 40; ++n) {
        appservers.resize(1);
        fail(appserver("demo-" + std::to_string(n), "h" + std::to_string(n)));
        EXPECT_EQ(visit().size(), 1u);
    }
    EXPECT_TRUE(visit().empty());
    EXPECT_LE(attended.there.size(), 21u);
}

class AlertsTest : public testing::Test {
protected:
    AlertsTest() {
        monitor.metadata.name = "lms";
        monitor.metadata.namespace_ = "campus";
        monitor.spec.service_ref.name = "builtin";
        monitor.spec.url = "https://demo.example.org/heartbeat";
        monitor.spec.alert_emails = {"ops@example.org"};
        service.metadata.name = "builtin";
    }
    void down(const std::string& since) {
        auto& alert = monitor.status.alert.emplace();
        alert.name = "lms-down-" + since;
        alert.since = "2026-11-22T10:00:00Z";
        alert.message = "answers 502";
    }
    std::vector<Notification> visit() {
        runtime::Inputs inputs;
        inputs.now = *parse_rfc3339("2026-11-22T10:00:00Z");
        inputs.add(api::encode_object(service));
        return attended.visit(monitor, inputs);
    }
    crd::Monitor monitor;
    crd::MonitoringService service;
    Attended<Alerts> attended;
};

TEST_F(AlertsTest, OneMailWhenItGoesAndOneWhenItComesBack) {
    EXPECT_TRUE(visit().empty());
    down("1");
    auto told = visit();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].metadata.name, "lms-down-1");
    EXPECT_EQ(told[0].spec.subject, "https://demo.example.org/heartbeat is down");
    EXPECT_NE(told[0].spec.text.find("answers 502"), std::string::npos);
    EXPECT_TRUE(visit().empty());
    monitor.status.alert->recovered_at = "2026-11-22T10:30:00Z";
    told = visit();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].spec.subject, "https://demo.example.org/heartbeat is up again");
    EXPECT_TRUE(visit().empty());
    down("2");
    EXPECT_EQ(visit().size(), 1u);
    EXPECT_EQ(attended.there.size(), 3u) << "what was told before stays, sent or not";
}

TEST_F(AlertsTest, NobodyToTell) {
    monitor.spec.alert_emails.clear();
    down("1");
    EXPECT_TRUE(visit().empty());
}

TEST(Notices, NamesFit) {
    EXPECT_EQ(notice_name("demo", "failed-1"), "demo-failed-1");
    const auto name = notice_name(std::string(253, 'a'), "failed-1");
    EXPECT_EQ(name.size(), 253u);
    EXPECT_NE(name, notice_name(std::string(252, 'a') + "b", "failed-1"));
    EXPECT_EQ(short_hash("a").size(), 8u);
    EXPECT_NE(short_hash("a"), short_hash("b"));
}

}  // namespace
}  // namespace ocim::mail
