#include "mail/notification.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::mail {
namespace {

using Object = crd::Notification;
using State = runtime::Verdict::State;
using Texts = std::vector<std::string>;

Object notification() {
    Object out;
    out.metadata.name = "demo-failed";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.metadata.creation_timestamp = "2026-11-22T10:00:00Z";
    out.spec.mail_relay_ref.name = "default";
    out.spec.to = {"ops@example.org", "dana@example.org"};
    out.spec.subject = "It failed";
    out.spec.text = "Look at it.\n";
    return out;
}

Key key(const std::string& to) { return {"campus/demo-failed", "uid-1", to}; }

runtime::Inputs inputs(const std::string& now = "2026-11-22T10:00:05Z") {
    runtime::Inputs out;
    out.installation = "lab";
    out.now = *parse_rfc3339(now);
    return out;
}

api::Json log(const std::string& text, bool complete) {
    api::json::object metadata{{"namespace", "campus"}, {"name", "demo-1-log"}};
    if (complete) metadata["annotations"] = api::json::object{{"ocim.opencraft.com/complete", "true"}};
    return api::json::object{{"apiVersion", "v1"},
                             {"kind", "ConfigMap"},
                             {"metadata", std::move(metadata)},
                             {"data", api::json::object{{"log", text}}}};
}

Texts texts(const std::vector<Action>& actions) {
    Texts out;
    for (const auto& action : actions) out.push_back(Notifications::describe(action));
    return out;
}

TEST(Notification, DiffTable) {
    const std::string ops = "send campus/demo-failed to ops@example.org",
                      dana = "send campus/demo-failed to dana@example.org";
    const WallTime noon = *parse_rfc3339("2026-11-22T12:00:00Z");
    const struct {
        const char* reason;
        std::function<void(Object&, Snapshot&)> change;
        std::string now;
        Texts actions;
    } cases[] = {
        {"nobody has it yet", [](Object&, Snapshot&) {}, "2026-11-22T10:00:05Z", {ops, dana}},
        {"one has it, as the relay's answer said",
         [&](Object&, Snapshot& seen) { seen[key("ops@example.org")] = {noon}; },
         "2026-11-22T10:00:05Z",
         {dana}},
        {"one has it, as our status says after a restart",
         [](Object& o, Snapshot&) { o.status.sent = {{"dana@example.org", "2026-11-22T10:00:01Z"}}; },
         "2026-11-22T10:00:05Z",
         {ops}},
        {"an object of the same name before it had it",
         [&](Object&, Snapshot& seen) { seen[{"campus/demo-failed", "uid-0", "ops@example.org"}] = {noon}; },
         "2026-11-22T10:00:05Z",
         {ops, dana}},
        {"an address twice",
         [](Object& o, Snapshot&) { o.spec.to = {"ops@example.org", "ops@example.org"}; },
         "2026-11-22T10:00:05Z",
         {ops}},
        {"nobody wants to hear of it any more", [](Object&, Snapshot&) {}, "2026-11-26T10:00:00Z", {}},
    };
    for (const auto& c : cases) {
        auto object = notification();
        Snapshot seen;
        c.change(object, seen);
        EXPECT_EQ(texts(Notifications::diff(object, inputs(c.now), seen)), c.actions) << c.reason;
    }
    EXPECT_TRUE(Notifications::remove(notification(), "lab", {}).empty());
}

TEST(Notification, ALogIsWaitedForUntilItIsWhole) {
    auto object = notification();
    object.spec.to = {"ops@example.org"};
    object.spec.log_ref = api::LocalRef{"demo-1-log"};
    ASSERT_EQ(Notifications::needs(object).size(), 1u);
    EXPECT_TRUE(Notifications::needs(object)[0].optional);

    auto given = inputs();
    EXPECT_TRUE(Notifications::diff(object, given, {}).empty());
    auto said = Notifications::report(object, given, {});
    EXPECT_EQ(said.verdict.reason, "WaitingForLog");
    EXPECT_TRUE(said.look_again);
    given.add(log("half", false));
    EXPECT_TRUE(Notifications::diff(object, given, {}).empty()) << "more is to come";

    given = inputs();
    given.add(log("whole", true));
    auto actions = Notifications::diff(object, given, {});
    ASSERT_EQ(actions.size(), 1u);
    ASSERT_TRUE(actions[0].message.attachment);
    EXPECT_EQ(actions[0].message.attachment->name, "demo-1-log.txt");
    EXPECT_EQ(actions[0].message.attachment->text, "whole");

    given = inputs();
    given.add(log(std::string(300'000, 'x') + "end", true));
    const auto text = Notifications::diff(object, given, {}).at(0).message.attachment->text;
    EXPECT_EQ(text.size(), 128u * 1024);
    EXPECT_TRUE(text.ends_with("end"));

    actions = Notifications::diff(object, inputs("2026-11-22T10:02:30Z"), {});
    ASSERT_EQ(actions.size(), 1u) << "it will never come";
    EXPECT_FALSE(actions[0].message.attachment);
    EXPECT_TRUE(actions[0].message.text.ends_with("There is no log.\n"));
}

TEST(Notification, TheSameMailHasTheSameIdHoweverOftenItIsTried) {
    const auto object = notification();
    const auto first = Notifications::diff(object, inputs(), {});
    const auto again = Notifications::diff(object, inputs("2026-11-22T11:00:00Z"), {{key("ops@example.org"), Thing{}}});
    ASSERT_EQ(first.size(), 2u);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_NE(first[0].message.id, first[1].message.id);
    EXPECT_EQ(first[1].message.id, again[0].message.id);
}

TEST(Notification, StatusSaysWhoHasIt) {
    auto object = notification();
    const Snapshot one{{key("dana@example.org"), {*parse_rfc3339("2026-11-22T10:00:07Z")}}};
    auto said = Notifications::report(object, inputs(), one);
    EXPECT_EQ(said.verdict.state, State::progressing);
    ASSERT_EQ(said.status.sent.size(), 1u);
    EXPECT_EQ(said.status.sent[0].to, "dana@example.org");
    EXPECT_EQ(said.status.sent[0].at, "2026-11-22T10:00:07Z");

    object.status = said.status;
    const Snapshot other{{key("ops@example.org"), {*parse_rfc3339("2026-11-22T10:01:00Z")}}};
    said = Notifications::report(object, inputs(), other);
    EXPECT_EQ(said.verdict.state, State::ready);
    EXPECT_EQ(said.verdict.reason, "Sent");
    EXPECT_EQ(said.status.sent_at, "2026-11-22T10:01:00Z");
    object.status = said.status;
    said = Notifications::report(object, inputs("2026-12-22T10:00:00Z"), {});
    EXPECT_EQ(said.verdict.state, State::ready) << "after a restart, and long after";
    EXPECT_EQ(said.status.sent.size(), 2u);

    object = notification();
    EXPECT_EQ(Notifications::report(object, inputs("2026-11-26T10:00:00Z"), {}).verdict.reason, "GivenUp");
}

TEST(Notification, AnAddressThatIsNoneIsRefusedAtOnce) {
    auto object = notification();
    EXPECT_TRUE(Notifications::admit(object, nullptr, inputs()).empty());
    object.spec.to.push_back("a@example.org>,<b@example.org");
    const auto causes = Notifications::admit(object, nullptr, inputs());
    ASSERT_EQ(causes.size(), 1u);
    EXPECT_EQ(causes[0].field, "spec.to[2]");
}

TEST(MailRelay, ItsSecretsAreThoseOfTheInstallation) {
    crd::MailRelay relay;
    relay.spec.smtp.host = "192.0.2.1";
    relay.spec.smtp.tls.mode = crd::MailRelay::Spec::Smtp::Tls::Mode::disabled;
    relay.spec.smtp.credentials_ref.emplace().name = "smtp";
    relay.spec.from = "ocim@example.org";
    const auto needs = Notifications::backend_needs(relay);
    ASSERT_EQ(needs.size(), 1u);
    EXPECT_EQ(needs[0].namespace_, "ocim-system");
}

}  // namespace
}  // namespace ocim::mail
