#include "integration/messaging/with_rabbitmq.hpp"
#include "support/http_relay.hpp"

#include <gtest/gtest.h>

/// A broker whose answers are lost, one that has enough of us, and somebody else between us and it.
namespace ocim::messaging {
namespace {

using ocim::test::http_reply;
using ocim::test::Trouble;
using test::numbered;
using What = Trouble::What;

class RabbitMQInTrouble : public test::WithRabbitMQ {
protected:
    RabbitMQInTrouble() { door.say(relay.script()); }

    ocim::test::HttpRelay relay{rabbitmq().management_port()};
    ocim::test::Door door{rabbitmq().management_port()};
};

TEST_F(RabbitMQInTrouble, ConvergesWhicheverAnswerIsLost) {
    const auto object = numbered(1);
    auto direct = open();
    auto look = visitor(*direct);
    auto between = open("admin", door.url());
    auto through = visitor(*between);
    const struct {
        const char *method, *path;
        bool deleting = false;
    } cases[] = {
        {"PUT", "/api/vhosts/"},         {"PUT", "/api/users/"},
        {"PUT", "/api/permissions/"},    {"PUT", "/api/topic-permissions/"},
        {"PUT", "/api/vhost-limits/"},   {"PUT", "/api/user-limits/"},
        {"PUT", "/api/policies/"},       {"GET", "/api/users/"},
        {"DELETE", "/api/users/", true}, {"DELETE", "/api/vhosts/", true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(std::string(c.method) + " " + c.path);
        if (c.deleting) look.must(look.wanted(object));
        relay.expect({What::lose, c.method, c.path});
        int lost = 0;
        for (const auto& answer : through.act(look.wanted(object, c.deleting))) {
            ASSERT_TRUE(answer) << "every action gets an answer";
            if (!*answer) ++lost;
        }
        EXPECT_EQ(relay.left(), 0u) << "there was none to lose";
        EXPECT_GE(lost, 1);
        for (int visits = 0; visits < 3; ++visits) look.act(look.wanted(object, c.deleting));
        EXPECT_TRUE(look.wanted(object, c.deleting).empty());
        if (!c.deleting) EXPECT_TRUE(look.ready(object)) << look.report(object).verdict.message;
        if (!c.deleting) look.must(look.wanted(object, true));
        EXPECT_TRUE(Vhost::marked(look.see()).empty()) << "something is left";
    }
}

TEST_F(RabbitMQInTrouble, IsToldWhenItHasEnoughOfUs) {
    auto broker = open("admin", door.url());
    auto visit = visitor(*broker);
    const auto object = numbered(1);
    const auto actions = visit.wanted(object);
    const int before = door.connections();
    relay.expect({What::answer, "PUT", "/api/users/", http_reply("429 Too Many Requests", "Retry-After: 7\r\n")});
    int limited = 0;
    for (const auto& answer : visit.act(actions)) {
        ASSERT_TRUE(answer);
        if (*answer) continue;
        ++limited;
        EXPECT_EQ(answer->error().error_class, ErrorClass::rate_limited) << answer->error().message;
        EXPECT_EQ(answer->error().retry_after, Duration(7'000));
    }
    EXPECT_GT(limited, 1) << "what comes after it waits as well";
    EXPECT_LE(door.connections() - before, 6) << "and is not sent: a look and a write of the vhost, and of both users, "
                                                 "who come at a time";
    relay.expect({What::answer, "GET", "", http_reply("503 Service Unavailable", "Retry-After: 3\r\n")});
    const auto seen = visit.look();
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().retry_after, Duration(3'000));
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
}

TEST_F(RabbitMQInTrouble, ADoormansWordIsNoAbsence) {
    auto broker = open("admin", door.url());
    auto visit = visitor(*broker);
    const auto object = numbered(1);
    visit.must(visit.wanted(object));
    const auto no_page =
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/html\r\n"
        "Content-Length: 9\r\n\r\nno page\r\n";
    for (const std::string method : {"GET", "DELETE"}) {
        SCOPED_TRACE(method);
        relay.expect({What::answer, method, "", no_page, 100});
        const auto seen = visit.look();
        if (method == "GET") EXPECT_FALSE(seen) << "nothing there";
        for (const auto& answer : visit.act(Vhost::remove(object, "lab", visitor(*open()).see()))) {
            ASSERT_TRUE(answer);
            if (method == "DELETE") EXPECT_FALSE(*answer) << "gone";
            if (!*answer) EXPECT_EQ(answer->error().error_class, ErrorClass::unreachable) << answer->error().message;
        }
        relay.forget();
        visit.must(visit.wanted(object));
        EXPECT_TRUE(visit.ready(object));
    }
}

TEST_F(RabbitMQInTrouble, SaysWhatTheBrokerRefuses) {
    auto broker = open();
    auto visit = visitor(*broker);
    const auto refused = [&](const char* reason, const test::Object& object, const std::string& said) {
        int bad = 0;
        for (const auto& answer : visit.act(visit.wanted(object))) {
            ASSERT_TRUE(answer) << reason;
            if (*answer || answer->error().error_class != ErrorClass::invalid) continue;
            ++bad;
            EXPECT_NE(answer->error().message.find(said), std::string::npos)
                << reason << ": " << answer->error().message;
        }
        EXPECT_EQ(bad, 1) << reason;
    };
    auto object = numbered(1);
    object.spec.users[1].topic_permissions[0].write = "(";
    refused("topic permission", object, "not a regular expression");
    EXPECT_FALSE(visit.see().contains({Key::Kind::permission, "/demo/1", "demo-consumer1"}))
        << "nobody is let in who is not narrowed as declared";
    object = numbered(1);
    object.spec.users[0].permissions.read = "(";
    refused("permission", object, "not a regular expression");
    object = numbered(1);
    object.spec.policies[0].definition = api::json::object{{"max-lenght", 1}};
    refused("a word that it does not know", object, "not recognised");
    object.spec.policies[0] = numbered(1).spec.policies[0];
    object.spec.policies[0].apply_to = test::Object::Spec::Policie::ApplyTo::streams;
    refused("what this version does not have", object, "unrecognised");
    visit.must(visit.wanted(numbered(1)));
    EXPECT_TRUE(visit.ready(numbered(1)));
}

}  // namespace
}  // namespace ocim::messaging
