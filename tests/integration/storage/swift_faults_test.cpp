#include "integration/storage/swift_store.hpp"
#include "support/http_relay.hpp"

/// A real Swift some of whose answers come otherwise, and a Keystone before it.
namespace ocim::storage {
namespace {

using ocim::test::http_reply;
using ocim::test::Trouble;
using What = Trouble::What;

class SwiftInTrouble : public test::SwiftStore {
protected:
    SwiftInTrouble() { front.say(relay.script()); }
    ~SwiftInTrouble() override {
        EXPECT_EQ(relay.left(), 0U) << "a trouble that nobody met";
        front.open();  // it speaks through the relay no more
    }
    bool there(int n) { return answers(server.call("HEAD", "/campus-site" + std::to_string(n)), "204"); }
    bool gone(int n) { return answers(server.call("HEAD", "/campus-site" + std::to_string(n)), "404"); }

    ocim::test::HttpRelay relay{server.port};
};

TEST_F(SwiftInTrouble, AListThatIsNoneIsUnknown) {
    const auto object = test::container(1);
    visit.must(visit.wanted(object));
    const struct {
        const char* reason;
        Trouble trouble;
        ErrorClass error_class;
        std::optional<Duration> retry_after;
    } cases[] = {
        {"500", {What::answer, "GET", "limit=", http_reply("500 Internal Error")}, ErrorClass::transient, {}},
        {"503 of those behind it",
         {What::answer, "GET", "limit=", http_reply("503 Service Unavailable")},
         ErrorClass::transient,
         {}},
        {"503, and when to come again",
         {What::answer, "GET", "limit=", http_reply("503 Service Unavailable", "Retry-After: 9\r\n")},
         ErrorClass::rate_limited,
         std::chrono::seconds(9)},
        {"429",
         {What::answer, "GET", "limit=", http_reply("429 Too Many Requests", "Retry-After: 7\r\n")},
         ErrorClass::rate_limited,
         std::chrono::seconds(7)},
        {"498, as its rate limit says",
         {What::answer, "GET", "limit=", http_reply("498 Rate Limited")},
         ErrorClass::rate_limited,
         {}},
        {"half a list",
         {What::answer, "GET", "limit=", http_reply("200 OK", "", R"([{"name":"campus-si)")},
         ErrorClass::unreachable,
         {}},
        {"a list of something else",
         {What::answer, "GET", "limit=", http_reply("200 OK", "", R"([{"id":1}])")},
         ErrorClass::unreachable,
         {}},
        {"cut off", {What::cut, "GET", "limit=", "", 9}, ErrorClass::transient, {}},
        {"a token that is refused, and a new one too",
         {What::answer, "GET", "limit=", http_reply("401 Unauthorized"), 2},
         ErrorClass::auth,
         {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        relay.expect(c.trouble);
        const auto seen = visit.look();
        ASSERT_FALSE(seen) << "and it would be made anew, or its object let go";
        EXPECT_EQ(seen.error().error_class, c.error_class) << seen.error().message;
        if (c.retry_after) EXPECT_EQ(seen.error().retry_after, c.retry_after);
        relay.forget();
        EXPECT_TRUE(visit.ready(object)) << "over by itself";
    }
}

TEST_F(SwiftInTrouble, ALostReplyIsFoundAgain) {
    const auto lose = [this](const char* method) { relay.expect({What::lose, method, "campus-site1"}); };
    auto object = test::container(1);
    lose("PUT");
    (void)visit.act(visit.wanted(object));
    ASSERT_TRUE(there(1)) << "it took effect";
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    lose("POST");
    object.spec.public_read = Spec::PublicRead::objects;
    (void)visit.act(visit.wanted(object));
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    ASSERT_TRUE(answers(server.call("PUT", "/campus-site1/a", {}, "text"), "201"));
    object.spec.empty_on_delete = true;
    relay.expect({What::lose, "POST", "bulk-delete"});
    (void)visit.act(visit.wanted(object, true));
    lose("DELETE");
    (void)visit.act(visit.wanted(object, true));
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(gone(1));
    EXPECT_TRUE(visit.see().empty());
    relay.forget();  // the DELETE may have gone with the lost bulk deletion, and is not asked for again then
}

TEST_F(SwiftInTrouble, OneThatFailsLeavesTheOthersAlone) {
    const auto object = test::container(1), other = test::container(2);
    visit.must(visit.wanted(std::vector{object, other}));
    const auto fresh = open();  // remembers nothing
    auto later = visitor(*fresh);
    relay.expect({What::answer, "HEAD", "campus-site1", http_reply("503 Service Unavailable"), 3});
    EXPECT_TRUE(later.ready(other));
    EXPECT_EQ(later.report(object).verdict.reason, "Unknown");
    EXPECT_TRUE(later.wanted(object).empty()) << "unknown is not absent";
    EXPECT_TRUE(later.ready(object));
    relay.expect({What::answer, "PUT", "campus-site3", http_reply("507 Insufficient Storage")});
    const auto answers = later.act(later.wanted(std::vector{test::container(3), test::container(4)}));
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_FALSE(*answers[0]);
    EXPECT_TRUE(answers[0]->error().outcome_unknown) << answers[0]->error().message;
    EXPECT_TRUE(*answers[1]);
}

TEST_F(SwiftInTrouble, WhatItDoesNotOfferIsSaid) {
    auto object = full(1);
    // an operator who keeps no versions lets the header pass, and never says it again
    relay.expect({What::answer, "PUT", "campus-site1", http_reply("201 Created")});
    relay.expect({What::answer, "HEAD", "campus-site1", http_reply("404 Not Found")});
    relay.expect(
        {What::answer, "HEAD", "campus-site1", http_reply("204 No Content", "X-Container-Object-Count: 0\r\n")});
    const auto answers = visit.act(visit.wanted(object));
    ASSERT_TRUE(answers.at(0) && !*answers[0]);
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::invalid);
    EXPECT_NE(answers[0]->error().message.find("versioning: false"), std::string::npos);
    object.spec.readers = {"campus:reader,.r:*"};
    const auto refused = visit.act(visit.wanted(object));
    ASSERT_TRUE(refused.at(0) && !*refused[0]) << "one name that would be two";
    EXPECT_EQ(refused[0]->error().error_class, ErrorClass::invalid);
}

class SwiftAtKeystone : public test::SwiftStore {
protected:
    crd::ObjectStore declared() const override {
        crd::ObjectStore out;
        auto& swift = out.spec.swift.emplace();
        swift.auth_url = keystone.url();
        swift.region = region;
        if (!application) swift.project.emplace().name = server.name;
        swift.interface = interface;
        return out;
    }
    std::map<std::string, std::string> credentials() const override {
        if (application)
            return {{"applicationCredentialID", "app-" + server.name}, {"applicationCredentialSecret", "app secret"}};
        return {{"username", "tester"}, {"password", "testing"}};
    }
    Error failure() {
        const auto opened = open();
        const auto seen = loop.run(opened->observe());
        EXPECT_FALSE(seen);
        return seen ? Error{} : seen.error();
    }

    ocim::test::KeystoneService keystone{front.url()};
    std::optional<std::string> region = "One";
    bool application = false;
    crd::ObjectStore::Spec::Swift::Interface interface{};
};

TEST_F(SwiftAtKeystone, IsEnteredWithEitherKindOfCredential) {
    for (const bool one : {false, true}) {
        SCOPED_TRACE(one ? "an application credential" : "a user and a project");
        application = one;
        const auto opened = open();
        auto entered = visitor(*opened);
        const auto object = test::container(one ? 2 : 1);
        entered.must(entered.wanted(object));
        EXPECT_TRUE(entered.ready(object));
        EXPECT_TRUE(answers(server.call("HEAD", "/" + object.spec.container), "204"));
    }
    EXPECT_EQ(keystone.log_ins(), "2") << "once each, for all calls";
}

TEST_F(SwiftAtKeystone, WhatItRefusesIsSaid) {
    given = {{"username", "tester"}, {"password", "wrong-word"}};
    auto error = failure();
    EXPECT_EQ(error.error_class, ErrorClass::auth) << error.message;
    EXPECT_EQ(error.message.find("wrong-word"), std::string::npos);
    given.clear();
    region = "Three";
    error = failure();
    EXPECT_EQ(error.error_class, ErrorClass::invalid);
    EXPECT_NE(error.message.find("spec.swift.region: the catalog has no region \"Three\"; it has: One, Two"),
              std::string::npos)
        << error.message;
    region = "Two";
    error = failure();
    EXPECT_EQ(error.error_class, ErrorClass::invalid) << "no object-store there";
    EXPECT_NE(error.message.find("object-store"), std::string::npos) << error.message;
    region = "One";
    interface = crd::ObjectStore::Spec::Swift::Interface::internal;
    EXPECT_EQ(failure().error_class, ErrorClass::invalid);
}

TEST_F(SwiftAtKeystone, ATokenThatIsRefusedIsRenewedOnce) {
    const auto opened = open();
    ASSERT_TRUE(loop.run(opened->observe()));
    ocim::test::HttpRelay relay(server.port);
    front.say(relay.script());
    relay.expect({What::answer, "GET", "limit=", http_reply("401 Unauthorized")});
    EXPECT_TRUE(loop.run(opened->observe()));
    EXPECT_EQ(keystone.log_ins(), "2");
    relay.expect({What::answer, "GET", "limit=", http_reply("401 Unauthorized"), 2});
    const auto seen = loop.run(opened->observe());
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().error_class, ErrorClass::auth);
    EXPECT_EQ(keystone.log_ins(), "3") << "not again and again";
    front.open();
}

}  // namespace
}  // namespace ocim::storage
