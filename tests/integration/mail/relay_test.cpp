#include "mail/register.hpp"

#include "support/mail.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <set>

/// Notifications and whoever makes them, under the runtime, with a real SMTP server.
namespace ocim::mail {
namespace {

using namespace std::chrono_literals;
using ocim::test::json;

class RelayTest : public testing::Test {
protected:
    RelayTest() {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MailRelay','metadata':{'name':"
                 "'default'},'spec':{'smtp':{'host':'127.0.0.1','port':" +
                 std::to_string(service.port) + "},'from':'ocim@example.org'}}"));
    }
    void put(const std::string& name, const std::string& to) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Notification','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'mailRelayRef':{'name':'default'},'to':[" + to +
                 "],'subject':'It failed','text':'Look.'}}"));
    }
    std::string stands(const std::string& name) { return running.stands("Notification", "campus", name); }
    bool becomes(const std::string& name, const std::string& standing, Duration within = 40s) {
        return running.until([&] { return stands(name) == standing; }, within);
    }
    std::multiset<std::string> ids() {
        std::multiset<std::string> out;
        for (const auto& mail : service.mails()) out.emplace(api::find_text(mail, {"headers", "Message-ID"}));
        return out;
    }
    double counted(const std::string& result) {
        const auto text = running.metrics->text();
        const auto name = "ocim_mails_total{result=\"" + result + "\"} ";
        const auto at = text.find(name);
        return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size()));
    }

    ocim::test::MailService service;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
};

TEST_F(RelayTest, EachPersonGetsItOnceAlsoAcrossARestart) {
    put("one", "'ops@example.org','dana@example.org'");
    running.start();
    ASSERT_TRUE(becomes("one", "True Sent")) << stands("one");
    const auto given = ids();
    EXPECT_EQ(given.size(), 2u);
    EXPECT_EQ(std::set<std::string>(given.begin(), given.end()).size(), 2u);
    EXPECT_EQ(counted("taken"), 2);
    EXPECT_EQ(counted("deferred"), 0) << "there from the start";
    running.stop();
    running.start();
    put("two", "'ops@example.org'");
    ASSERT_TRUE(becomes("two", "True Sent")) << stands("two");
    EXPECT_EQ(stands("one"), "True Sent");
    EXPECT_EQ(service.mails().size(), 3u) << "the restart sent nothing again";
}

TEST_F(RelayTest, WhatIsDeferredIsTriedAgainAndSaysSo) {
    service.behave(R"({"data": "defer"})");
    put("one", "'ops@example.org'");
    running.start();
    ASSERT_TRUE(running.until([&] { return counted("deferred") >= 2; })) << running.metrics->text();
    EXPECT_TRUE(stands("one").starts_with("False ")) << stands("one");
    const auto* ready = runtime::condition(*running.server.get("Notification", "campus", "one"), "Ready");
    EXPECT_NE(api::find_text(*ready, {"message"}).find("451 4.3.0 come again"), std::string::npos)
        << api::to_text(*ready);
    const auto told = [&] {
        for (const auto& event : running.server.all("Event"))
            if (api::to_text(event).find("come again") != std::string::npos) return true;
        return false;
    };
    EXPECT_TRUE(running.until(told)) << "an Event says so";
    service.behave("{}");
    ASSERT_TRUE(becomes("one", "True Sent")) << stands("one");
    EXPECT_EQ(service.mails().size(), 1u);
}

TEST_F(RelayTest, OnePersonsRefusalIsNotTheOthers) {
    service.behave(R"({"refuse": ["gone@example.org"]})");
    put("one", "'gone@example.org','ops@example.org'");
    running.start();
    ASSERT_TRUE(running.until([&] { return service.mails().size() == 1 && counted("refused") >= 1; }));
    const auto stalled = [&] {
        const auto* object = running.server.get("Notification", "campus", "one");
        const auto* found = runtime::condition(*object, "Stalled");
        return found && api::find_text(*found, {"status"}) == "True";
    };
    ASSERT_TRUE(running.until(stalled)) << stands("one");
    running.until([] { return false; }, 3s);
    EXPECT_LE(counted("refused"), 2) << "what is refused for good is not tried for ever: once more as what is left";
    EXPECT_EQ(service.mails().size(), 1u);
}

TEST_F(RelayTest, AnAnswerThatIsLostMakesACopyThatIsKnownAsOne) {
    service.behave(R"({"data": "drop"})");
    put("one", "'ops@example.org'");
    running.start();
    ASSERT_TRUE(running.until([&] { return service.mails().size() == 1; }));
    service.behave("{}");
    running.until([] { return false; }, 5s);
    EXPECT_EQ(service.mails().size(), 1u) << "it is not sent again while the first may still arrive";
    EXPECT_FALSE(stands("one").starts_with("True")) << "and nobody claims that it was sent: " << stands("one");
}

/// A Monitor's and an Instance's own reconcilers are not there: only who attends to them.
TEST_F(RelayTest, AlertsAndFailuresBecomeMail) {
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'MonitoringService','metadata':{"
             "'name':'builtin'},'spec':{'prober':{}}}"));
    const auto monitor = [&](const std::string& status) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Monitor','metadata':{'namespace':"
                 "'campus','name':'lms'},'spec':{'serviceRef':{'name':'builtin'},'url':"
                 "'http://x.example.org/','alertEmails':['ops@example.org']},'status':{" +
                 status + "}}"));
    };
    monitor("'up':true");
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'InstanceClass','metadata':{'name':'sandbox'},"
             "'spec':{'baseDomain':'x.example.org','notifications':{'emails':['ops@example.org']}}}"));
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Instance','metadata':{'namespace':"
             "'campus','name':'demo'},'spec':{'className':'sandbox','displayName':'Demo','subdomain':"
             "'demo'}}"));
    const auto appserver = [&](const std::string& name) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'AppServer','metadata':{"
                 "'namespace':'campus','name':'" +
                 name +
                 "'},'spec':{'instanceName':'demo','configurationHash':'h1'},'status':{'phase':"
                 "'ConfigurationFailed','provision':{'run':'demo-1-1'}}}"));
    };
    appserver("demo-1");
    running.server.put(
        json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'namespace':'campus','name':'demo-1-log',"
             "'annotations':{'ocim.opencraft.com/complete':'true'}},'data':{'log':'TASK one'}}"));
    running.start();
    ASSERT_TRUE(running.until([&] { return service.mails().size() == 1; }));
    monitor("'up':false,'alert':{'name':'lms-down-1','since':'2026-11-22T10:00:00Z','message':'answers 502'}");
    ASSERT_TRUE(running.until([&] { return service.mails().size() == 2; })) << service.mails().size();
    std::set<std::string> subjects;
    for (const auto& mail : service.mails()) {
        const std::string subject(api::find_text(mail, {"headers", "Subject"}));
        subjects.insert(subject);
        if (subject.find("AppServer") != std::string::npos)
            EXPECT_EQ(api::to_text(*api::find(mail, {"files"})), R"([{"name":"demo-1-log.txt","text":"TASK one"}])");
    }
    EXPECT_EQ(subjects, (std::set<std::string>{"[Ocim] AppServer demo-1 of campus/demo failed",
                                               "[Ocim] http://x.example.org/ is down"}));
    appserver("demo-2");
    running.stop();
    running.start();
    put("after", "'ops@example.org'");
    ASSERT_TRUE(becomes("after", "True Sent"));
    running.until([] { return false; }, 2s);
    EXPECT_EQ(service.mails().size(), 3u) << "neither the second attempt nor the restart is news";
    const auto* left = running.server.get("Monitor", "campus", "lms");
    EXPECT_FALSE(api::find(*left, {"metadata", "finalizers"})) << "who attends holds no deletion up";
    EXPECT_FALSE(api::find(*left, {"status", "conditions"})) << "and writes no status";
}

}  // namespace
}  // namespace ocim::mail
