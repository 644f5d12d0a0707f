#include "messaging/rabbitmq.hpp"
#include "integration/messaging/with_rabbitmq.hpp"
#include "net/http_client.hpp"
#include "support/amqp.hpp"
#include "support/scripted_peer.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace ocim::messaging {
namespace {

using test::numbered;
using Object = crd::RabbitMQVhost;

class RabbitMQ : public test::WithRabbitMQ {};

/// Vhosts that one look and one round of changes are counted with.
int tenants() {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full" ? 1000 : 20;
}

TEST_F(RabbitMQ, KeepsTheContract) {
    auto broker = open();
    auto visit = visitor(*broker);
    ocim::test::ContractCase<Vhost> given;
    given.object = numbered;
    given.changed = [](Object object) {
        object.spec.users[1].permissions.read = ".*";
        object.spec.users[1].password_ref->key = "provider";
        object.spec.users[0].tags = {Object::Spec::User::Tag::management};
        object.spec.limits->max_connections.reset();
        object.spec.limits->max_queues = 3;
        object.spec.users[0].limits->max_channels.reset();
        object.spec.users[1].topic_permissions[0].exchange = "another";
        object.spec.policies[0].definition = api::json::object{{"message-ttl", 60000}};
        return object;
    };
    given.adopting = [](Object object) {
        object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [](int n) {
        const auto name = std::to_string(n);
        EXPECT_EQ(
            rabbitmq().call("PUT", "/api/vhosts/%2Fdemo%2F" + name, R"({"description":"theirs","tags":"x"})").exit_code,
            0);
        for (const auto* user : {"demo-provider", "demo-consumer"})
            EXPECT_EQ(
                rabbitmq().call("PUT", "/api/users/" + (user + name), R"({"password":"theirs","tags":""})").exit_code,
                0);
    };
    given.refused = [] {
        Action action;
        action.key = {Key::Kind::permission, "/", "guest"};
        action.thing.permission = {"(", "", ""};
        return action;
    };
    ocim::test::run_contract(visit, given);
}

TEST_F(RabbitMQ, PutsDriftRight) {
    auto broker = open();
    auto visit = visitor(*broker);
    const auto object = numbered(1);
    visit.must(visit.wanted(object));
    const std::string vhost = "%2Fdemo%2F1";
    const struct {
        const char *reason, *method;
        std::string path;
        const char* body;
    } cases[] = {
        {"password", "PUT", "/api/users/demo-provider1",
         R"({"password":"other","tags":"ocim,i=lab,u=uid-1,s=campus,n=demo1"})"},
        {"password removed", "PUT", "/api/users/demo-provider1", R"({"tags":"ocim,i=lab,u=uid-1,s=campus,n=demo1"})"},
        {"made an administrator", "PUT", "/api/users/demo-provider1",
         R"({"password":"other","tags":"administrator,ocim,i=lab,u=uid-1,s=campus,n=demo1"})"},
        {"user", "DELETE", "/api/users/demo-provider1", ""},
        {"permission", "DELETE", "/api/permissions/" + vhost + "/demo-provider1", ""},
        {"permission narrowed", "PUT", "/api/permissions/" + vhost + "/demo-provider1",
         R"({"configure":"","write":"","read":""})"},
        {"permission elsewhere", "PUT", "/api/permissions/%2F/demo-provider1",
         R"({"configure":".*","write":".*","read":".*"})"},
        {"limit", "DELETE", "/api/vhost-limits/" + vhost + "/max-connections", ""},
        {"limit unasked", "PUT", "/api/vhost-limits/" + vhost + "/max-queues", R"({"value":0})"},
        {"topic permissions", "DELETE", "/api/topic-permissions/" + vhost + "/demo-consumer1", ""},
        {"topic permission unasked", "PUT", "/api/topic-permissions/" + vhost + "/demo-consumer1",
         R"({"exchange":"other","write":"^x","read":".*"})"},
        {"topic permission elsewhere", "PUT", "/api/topic-permissions/%2F/demo-consumer1",
         R"({"exchange":"amq.topic","write":".*","read":".*"})"},
        {"limit of a user", "PUT", "/api/user-limits/demo-provider1/max-channels", R"({"value":-1})"},
        {"limit of a user unasked", "PUT", "/api/user-limits/demo-consumer1/max-connections", R"({"value":0})"},
        {"policy", "PUT", "/api/policies/" + vhost + "/bounded",
         R"({"pattern":"x","definition":{"max-length":1},"apply-to":"all"})"},
        {"policy gone", "DELETE", "/api/policies/" + vhost + "/bounded", ""},
        {"vhost", "DELETE", "/api/vhosts/" + vhost, ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        const auto done = rabbitmq().call(c.method, c.path, c.body);
        ASSERT_EQ(done.exit_code, 0) << done.output;
        const auto actions = visit.wanted(object);
        EXPECT_FALSE(actions.empty()) << "not seen";
        visit.must(actions);
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    }
    // the tenant's own log-in, as the management interface checks it: right password, no right to look
    auto user = numbered(1);
    user.spec.users[0].tags = {Object::Spec::User::Tag::management};
    visit.must(visit.wanted(user));
    const std::string quoted = "p'\\\"\\\\ä 日本";
    EXPECT_EQ(rabbitmq().call("GET", "/api/whoami", "", "demo-provider1", quoted).exit_code, 0);
    EXPECT_NE(rabbitmq().call("GET", "/api/whoami", "", "demo-provider1", "other").exit_code, 0);
}

TEST_F(RabbitMQ, RetainsAndTakesBack) {
    auto broker = open();
    auto visit = visitor(*broker);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    ASSERT_EQ(rabbitmq().call("PUT", "/api/queues/%2Fdemo%2F1/celery", R"({"durable":true})").exit_code, 0);
    const auto hash = visit.see().at({Key::Kind::user, "", "demo-provider1"}).hash;
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty());
    EXPECT_EQ(visit.see().at({Key::Kind::user, "", "demo-provider1"}).hash, hash) << "the log-in still works";
    object.metadata.uid = "uid-again";
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    EXPECT_EQ(rabbitmq().call("GET", "/api/queues/%2Fdemo%2F1/celery").exit_code, 0) << "messages are kept";
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
    visit.must(visit.wanted(object, true));
    EXPECT_NE(rabbitmq().call("GET", "/api/vhosts/%2Fdemo%2F1").exit_code, 0);
    EXPECT_EQ(rabbitmq().call("GET", "/api/permissions").output.find("demo-provider1"), std::string::npos);
}

TEST_F(RabbitMQ, VhostsOfEarlierVersionsNameTheirPoliciesOnce) {
    auto broker = open();
    auto visit = visitor(*broker);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    const auto call = [](const char* method, const std::string& path, const std::string& body = "") {
        return rabbitmq().call(method, path, body);
    };
    const auto mark = visit.see().at({Key::Kind::vhost, "/demo/1", ""}).mark->text();
    ASSERT_EQ(call("PUT", "/api/vhosts/%2Fdemo%2F1", R"({"description":")" + mark + R"(","tags":"ocim"})").exit_code,
              0);
    ASSERT_EQ(
        call("PUT", "/api/policies/%2Fdemo%2F1/theirs", R"({"pattern":"x","definition":{"max-length":1}})").exit_code,
        0);
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned") << "nobody remembers it";
    object.status.policies = {"bounded", "theirs"};
    const auto actions = visit.wanted(object);
    ASSERT_EQ(actions.size(), 1u);
    EXPECT_EQ(Vhost::describe(actions[0]), "update vhost /demo/1");
    visit.must(actions);
    object.status.policies.clear();
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    object.spec.policies.clear();
    visit.must(visit.wanted(object));
    EXPECT_NE(call("GET", "/api/policies/%2Fdemo%2F1/bounded").exit_code, 0) << "ours";
    EXPECT_EQ(call("GET", "/api/policies/%2Fdemo%2F1/theirs").exit_code, 0) << "left alone";
}

TEST_F(RabbitMQ, SaysWhatIsWrongWithTheBroker) {
    auto broker = open();
    auto visit = visitor(*broker);
    const auto object = numbered(1);
    ASSERT_TRUE(loop.run(broker->probe()));
    const auto actions = visit.wanted(object);
    auto wrong = open("wrong");
    EXPECT_EQ(loop.run(wrong->probe()).error().error_class, ErrorClass::auth);
    EXPECT_EQ(loop.run(wrong->observe()).error().error_class, ErrorClass::auth);
    EXPECT_EQ(loop.run(wrong->probe()).error().message.find("wrong"), std::string::npos) << "no password in a message";
    auto elsewhere = open("admin", "http://127.0.0.1:" + std::to_string(ocim::test::free_port()));
    EXPECT_EQ(loop.run(elsewhere->probe()).error().error_class, ErrorClass::unreachable);
    visit.must(actions);
    auto plain = open("nobody");
    EXPECT_EQ(loop.run(plain->probe()).error().error_class, ErrorClass::auth) << "a tenant is no administrator";

    rabbitmq().service().stop();
    // a connection that was kept may break first
    EXPECT_TRUE(ocim::test::wait_for([&] {
        const auto seen = visit.look();
        return !seen && seen.error().error_class == ErrorClass::unreachable;
    }));
    for (const auto& answer : visit.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::unreachable);
    rabbitmq().restart();
    EXPECT_TRUE(loop.run(broker->probe())) << "recovery is automatic";
    EXPECT_TRUE(visit.wanted(object).empty()) << "what was there is there";
}

TEST_F(RabbitMQ, TakesNobodyElseForABroker) {
    const auto answers = [](std::string text) {
        return [text = std::move(text)](ocim::test::RawSocket& socket, int) {
            socket.read_until("\r\n\r\n");
            socket.send(text);
        };
    };
    const std::string html = "<html>It works!</html>";
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {
        {"another web server", "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + html},
        {"an empty list of nothing", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
        {"half a list", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n[{\"name\":\"/\""},
        {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"},
        {"silence", ""},
    };
    for (const auto& c : cases) {
        ocim::test::ScriptedPeer peer(answers(c.text));
        auto broker = open("admin", peer.url());
        const auto seen = loop.run(broker->observe());
        ASSERT_FALSE(seen) << c.reason << ": what cannot be read is not an empty broker";
        EXPECT_TRUE(seen.error().error_class == ErrorClass::unreachable ||
                    seen.error().error_class == ErrorClass::transient)
            << c.reason << ": " << seen.error().message;
        EXPECT_FALSE(loop.run(broker->probe())) << c.reason;
    }
}

TEST_F(RabbitMQ, TakesAConstantNumberOfCallsForOneLook) {
    auto broker = open();
    auto visit = visitor(*broker);
    std::vector<Object> objects;
    for (int n = 0; n < tenants(); ++n) objects.push_back(numbered(100 + n));
    const auto calls = [this] {
        double sum = 0;
        const auto text = metrics.text();
        for (std::size_t at = text.find("\nrest_client_requests_total{"); at != std::string::npos;
             at = text.find("\nrest_client_requests_total{", at + 1))
            sum += std::stod(text.substr(text.find("} ", at) + 2));
        return static_cast<int>(sum);
    };
    loop.set_limit(std::chrono::hours(1));
    const auto actions = visit.wanted(objects);
    auto before = calls();
    visit.act(actions);
    const int created = calls() - before;
    EXPECT_EQ(created, tenants() * 13)
        << "two a vhost and user, one a permission, limit (one and two), policy and topic permission";
    before = calls();
    const auto seen = visit.see();
    const int looked = calls() - before;
    EXPECT_EQ(looked, static_cast<int>(lists.size()));
    for (const auto& object : objects) EXPECT_TRUE(Vhost::diff(object, visit.inputs(), seen).empty());
    const auto removals = visit.wanted(objects, true);
    before = calls();
    visit.act(removals);
    const int deleted = calls() - before;
    EXPECT_EQ(deleted, tenants() * 6) << "a look and a call a vhost and user; the rest goes with them";
    std::cout << tenants() << " vhosts with two users each: " << created << " calls to create, " << looked
              << " to look, " << deleted << " to delete\n";
}

/// Sees how many calls are under way at once, and in which order they begin and end.
class WatchedHttp final : public net::HttpClient {
public:
    struct Seen {
        int now = 0, most = 0;
        std::vector<std::string> begun, ended;  ///< methods and targets
    };
    WatchedHttp(std::unique_ptr<net::HttpClient> http, Seen& seen) : http_(std::move(http)), seen_(seen) {}
    awaitable<Result<net::HttpReply>> send(net::HttpRequest request) override {
        const auto what = request.method + " " + request.target;
        seen_.most = std::max(seen_.most, ++seen_.now);
        seen_.begun.push_back(what);
        const auto before = seen_.ended.size();
        auto reply = co_await http_->send(std::move(request));
        --seen_.now;
        seen_.ended.push_back(what);
        if (what.starts_with("PUT /api/permissions/")) ended_before_permission.push_back(before);
        co_return reply;
    }
    std::vector<std::size_t> ended_before_permission;

private:
    std::unique_ptr<net::HttpClient> http_;
    Seen& seen_;
};

TEST_F(RabbitMQ, DoesSoManyCallsAtATimeAsItIsAllowed) {
    constexpr std::size_t count = 12;
    for (const std::size_t at_a_time : {1U, 4U}) {
        SCOPED_TRACE(at_a_time);
        WatchedHttp::Seen seen;
        auto http = net::make_http_client(loop.executor(), loop.clock(), metrics, {.base_url = rabbitmq().url()});
        ASSERT_TRUE(http);
        auto watched = std::make_unique<WatchedHttp>(*std::move(http), seen);
        const auto& permissions = watched->ended_before_permission;
        const auto broker = open_rabbitmq(std::move(watched), {"guest", Secret("guest"), at_a_time}, services);
        auto visit = visitor(*broker);
        std::vector<Object> objects;
        for (std::size_t n = 0; n < count; ++n) objects.push_back(numbered(300 + static_cast<int>(n)));
        seen = {};
        visit.succeed(visit.wanted(objects));
        EXPECT_EQ(seen.most, static_cast<int>(at_a_time));
        const auto puts = [](const std::vector<std::string>& calls, std::string_view of) {
            return static_cast<std::size_t>(
                std::ranges::count_if(calls, [of](const auto& call) { return call.starts_with(of); }));
        };
        ASSERT_EQ(permissions.size(), puts(seen.ended, "PUT /api/permissions/"));
        for (const auto before : permissions) {
            const std::vector<std::string> first(seen.ended.begin(),
                                                 seen.ended.begin() + static_cast<std::ptrdiff_t>(before));
            EXPECT_EQ(puts(first, "PUT /api/users/"), 2 * count) << "nobody is let in before all is there";
            EXPECT_EQ(puts(first, "PUT /api/topic-permissions/"), puts(seen.ended, "PUT /api/topic-permissions/"));
        }
        for (const auto& object : objects) EXPECT_TRUE(visit.wanted(object).empty());
        const auto removals = visit.wanted(objects, true);
        seen = {};
        visit.succeed(removals);
        EXPECT_EQ(seen.most, static_cast<int>(at_a_time));
        EXPECT_EQ(seen.ended.size(), 6 * count);
        EXPECT_TRUE(Vhost::marked(visit.see()).empty());
    }
}

/// Between a decision and its deletion somebody else has made another of the same name.
TEST_F(RabbitMQ, DeletesNothingThatHasChangedHands) {
    auto broker = open();
    auto visit = visitor(*broker);
    const auto object = numbered(1);
    const std::string vhost = "%2Fdemo%2F1", user = "/api/users/demo-provider1";
    auto without_policy = object, without_limits = object;
    without_policy.spec.policies.clear();
    without_limits.spec.users[0].limits.reset();
    without_limits.spec.users[1].topic_permissions.clear();
    const struct {
        const char *reason, *path, *body;
        const Object& decided;
        bool deleting = false;
    } cases[] = {
        {"a user, and nobody's", "/api/users/demo-provider1", R"({"password":"theirs","tags":""})", object, true},
        {"a user, and another object's", "/api/users/demo-provider1",
         R"({"password":"theirs","tags":"ocim,i=lab,u=uid-9,s=campus,n=other"})", object, true},
        {"a user of a later object of the same name", "/api/users/demo-provider1",
         R"({"password":"theirs","tags":"ocim,i=lab,u=uid-9,s=campus,n=demo1"})", object, true},
        {"a vhost", "/api/vhosts/%2Fdemo%2F1", R"({"description":"theirs","tags":"x"})", object, true},
        {"a policy", "/api/policies/%2Fdemo%2F1/bounded", R"({"pattern":"x","definition":{"max-length":1}})",
         without_policy},
        {"limits of what is another's user now", "/api/users/demo-provider1", R"({"password":"theirs","tags":""})",
         without_limits},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        visit.must(visit.wanted(object));
        const auto actions = visit.wanted(c.decided, c.deleting);
        ASSERT_EQ(rabbitmq().call("PUT", c.path, c.body).exit_code, 0);
        const auto theirs = rabbitmq().call("GET", c.path).output;
        int conflicts = 0;
        for (const auto& answer : visit.act(actions)) {
            ASSERT_TRUE(answer);
            if (!*answer && answer->error().error_class == ErrorClass::conflict) ++conflicts;
        }
        EXPECT_GE(conflicts, 1);
        EXPECT_EQ(rabbitmq().call("GET", c.path).output, theirs) << "it is as they made it";
        rabbitmq().call("DELETE", user);
        rabbitmq().call("DELETE", "/api/vhosts/" + vhost);
        rabbitmq().call("DELETE", "/api/users/demo-consumer1");
    }
    visit.must(visit.wanted(object));
    const auto actions = visit.wanted(object, true);
    rabbitmq().call("DELETE", user);
    visit.must(actions);
    EXPECT_TRUE(Vhost::marked(visit.see()).empty()) << "what is gone already is no trouble";
}

TEST_F(RabbitMQ, TakesNoPolicyThatIsAnothers) {
    auto broker = open();
    auto visit = visitor(*broker);
    auto plain = numbered(1), object = plain;
    plain.spec.policies.clear();
    visit.must(visit.wanted(plain));
    const std::string theirs = "/api/policies/%2Fdemo%2F1/bounded";
    const auto put_theirs = [&] {
        return rabbitmq().call("PUT", theirs, R"({"pattern":"x","definition":{"max-length":1}})").exit_code;
    };
    const auto decided = visit.wanted(object);
    ASSERT_EQ(put_theirs(), 0);
    const auto before = rabbitmq().call("GET", theirs).output;
    for (const auto& answer : visit.act(decided)) {
        ASSERT_TRUE(answer);
        if (!*answer) EXPECT_EQ(answer->error().error_class, ErrorClass::conflict) << "it came in between";
    }
    EXPECT_EQ(rabbitmq().call("GET", theirs).output, before);
    EXPECT_TRUE(visit.wanted(object).empty());
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned");
    object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    EXPECT_NE(rabbitmq().call("GET", theirs).output, before);
    EXPECT_EQ(visit.report(object).status.policies, std::vector<std::string>{"bounded"});
    object.spec.policies.clear();
    object.spec.adoption_policy = Object::Spec::AdoptionPolicy::never;
    visit.must(visit.wanted(object));
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    EXPECT_NE(rabbitmq().call("GET", theirs).exit_code, 0) << "ours, and taken out of the list";
    ASSERT_EQ(put_theirs(), 0);
    EXPECT_TRUE(visit.wanted(object).empty()) << "theirs again";
}

TEST_F(RabbitMQ, TakesAHashWithoutKnowingThePassword) {
    ASSERT_EQ(rabbitmq().call("PUT", "/api/users/source", R"({"password":"sesame","tags":""})").exit_code, 0);
    const auto source = api::parse_json(rabbitmq().call("GET", "/api/users/source").output);
    ASSERT_TRUE(source);
    rabbitmq().call("DELETE", "/api/users/source");
    const std::string hash(api::find_text(source->value, {"password_hash"}));
    inputs.add(test::secret("campus", "given", {{"hash", hash + "\n"}}));
    auto broker = open();
    auto visit = visitor(*broker);
    auto object = numbered(1);
    object.spec.users[0].password_ref.reset();
    object.spec.users[0].password_hash_ref = {"given", "hash"};
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    const auto let_in = [&](const std::string& user, const std::string& with) {
        return ocim::test::AmqpLogin(rabbitmq().amqp_port()).run(user, with, "/demo/1");
    };
    EXPECT_EQ(let_in("demo-provider1", "sesame"), "");
    EXPECT_NE(let_in("demo-provider1", "another"), "") << "so that the test can fail";
    EXPECT_EQ(let_in("demo-consumer1", "second"), "") << "one given as a password beside it";
    rabbitmq().call("PUT", "/api/users/demo-provider1",
                    R"({"password":"other","tags":"ocim,i=lab,u=uid-1,s=campus,n=demo1"})");
    const auto actions = visit.wanted(object);
    ASSERT_EQ(actions.size(), 1u);
    visit.must(actions);
    EXPECT_EQ(let_in("demo-provider1", "sesame"), "");
}

}  // namespace
}  // namespace ocim::messaging
