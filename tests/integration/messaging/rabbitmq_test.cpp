#include "support/rabbitmq.hpp"
#include "base/async.hpp"
#include "messaging/text.hpp"
#include "support/contract.hpp"
#include "support/scripted_peer.hpp"
#include "unit/messaging/sample.hpp"

#include <gtest/gtest.h>

namespace ocim::messaging {
namespace {

using namespace std::chrono_literals;
using ocim::test::RealLoop;
using ocim::test::Visitor;
using Object = crd::RabbitMQVhost;

Object numbered(int n) {
    auto out = test::vhost();
    const auto name = std::to_string(n);
    out.metadata.name = "demo" + name;
    out.metadata.uid = "uid-" + name;
    out.spec.vhost = "/demo/" + name;
    for (auto& user : out.spec.users) user.name += name;
    return out;
}

class RabbitMQ : public ::testing::Test {
protected:
    RabbitMQ() : inputs(test::inputs()) {
        inputs.add(test::secret("ocim-system", "admin", {{"username", "guest"}, {"password", "guest"}}));
        inputs.add(test::secret("ocim-system", "wrong", {{"username", "guest"}, {"password", "wrong"}}));
        inputs.add(test::secret("ocim-system", "nobody", {{"username", "demo-provider1"}, {"password", password}}));
        loop.set_limit(120s);
    }
    std::unique_ptr<Broker> open(const std::string& credentials = "admin", const std::string& url = "") {
        crd::RabbitMQServer object;
        object.metadata.name = "rabbit1";
        object.spec.management_url = url.empty() ? rabbitmq.url() + "/" : url;
        object.spec.credentials_ref.name = credentials;
        auto opened = Vhost::open(object, inputs, services);
        EXPECT_TRUE(opened) << opened.error().message;
        return *std::move(opened);
    }
    Visitor<Vhost> visitor(Broker& broker) { return {loop, broker, inputs}; }

    static void SetUpTestSuite() { shared = new ocim::test::RabbitMQ; }
    static void TearDownTestSuite() { delete std::exchange(shared, nullptr); }
    void TearDown() override {
        auto broker = open();
        auto visit = visitor(*broker);
        std::vector<Object> left;
        for (const auto& [key, mark, sweepable] : Vhost::marked(visit.see())) {
            Object object;
            object.metadata.uid = mark.uid;
            object.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
            visit.act(visit.wanted(object, true));
        }
        EXPECT_TRUE(Vhost::marked(visit.see()).empty()) << "one test leaves nothing to the next";
    }

    inline static ocim::test::RabbitMQ* shared = nullptr;  // one for all: it takes long to start
    const std::string password = "p'\"\\ä 日本";
    ocim::test::RabbitMQ& rabbitmq = *shared;
    RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", "", nullptr};
    runtime::Inputs inputs;
};

TEST_F(RabbitMQ, KeepsTheContract) {
    auto broker = open();
    auto visit = visitor(*broker);
    ocim::test::ContractCase<Vhost> given;
    given.object = numbered;
    given.changed = [](Object object) {
        object.spec.users[1].permissions.read = ".*";
        object.spec.users[1].password_ref.key = "provider";
        object.spec.users[0].tags = {Object::Spec::User::Tag::management};
        object.spec.limits->max_connections.reset();
        object.spec.limits->max_queues = 3;
        return object;
    };
    given.adopting = [](Object object) {
        object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) {
        const auto name = std::to_string(n);
        EXPECT_EQ(
            rabbitmq.call("PUT", "/api/vhosts/%2Fdemo%2F" + name, R"({"description":"theirs","tags":"x"})").exit_code,
            0);
        for (const auto* user : {"demo-provider", "demo-consumer"})
            EXPECT_EQ(
                rabbitmq.call("PUT", "/api/users/" + (user + name), R"({"password":"theirs","tags":""})").exit_code, 0);
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
        {"vhost", "DELETE", "/api/vhosts/" + vhost, ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        const auto done = rabbitmq.call(c.method, c.path, c.body);
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
    EXPECT_EQ(rabbitmq.call("GET", "/api/whoami", "", "demo-provider1", quoted).exit_code, 0);
    EXPECT_NE(rabbitmq.call("GET", "/api/whoami", "", "demo-provider1", "other").exit_code, 0);
}

TEST_F(RabbitMQ, RetainsAndTakesBack) {
    auto broker = open();
    auto visit = visitor(*broker);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    ASSERT_EQ(rabbitmq.call("PUT", "/api/queues/%2Fdemo%2F1/celery", R"({"durable":true})").exit_code, 0);
    const auto hash = visit.see().at({Key::Kind::user, "", "demo-provider1"}).hash;
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty());
    EXPECT_EQ(visit.see().at({Key::Kind::user, "", "demo-provider1"}).hash, hash) << "the log-in still works";
    object.metadata.uid = "uid-again";
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object));
    EXPECT_EQ(rabbitmq.call("GET", "/api/queues/%2Fdemo%2F1/celery").exit_code, 0) << "messages are kept";
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
    visit.must(visit.wanted(object, true));
    EXPECT_NE(rabbitmq.call("GET", "/api/vhosts/%2Fdemo%2F1").exit_code, 0);
    EXPECT_EQ(rabbitmq.call("GET", "/api/permissions").output.find("demo-provider1"), std::string::npos);
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

    rabbitmq.service().stop();
    // a connection that was kept may break first
    EXPECT_TRUE(ocim::test::wait_for([&] {
        const auto seen = visit.look();
        return !seen && seen.error().error_class == ErrorClass::unreachable;
    }));
    for (const auto& answer : visit.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::unreachable);
    rabbitmq.restart();
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

TEST_F(RabbitMQ, TakesFourCallsForOneLook) {
    auto broker = open();
    auto visit = visitor(*broker);
    std::vector<Object> objects;
    for (int n = 100; n < 120; ++n) objects.push_back(numbered(n));
    const auto calls = [this] {
        double sum = 0;
        const auto text = metrics.text();
        for (std::size_t at = text.find("\nrest_client_requests_total{"); at != std::string::npos;
             at = text.find("\nrest_client_requests_total{", at + 1))
            sum += std::stod(text.substr(text.find("} ", at) + 2));
        return static_cast<int>(sum);
    };
    const auto actions = visit.wanted(objects);
    auto before = calls();
    visit.act(actions);
    EXPECT_EQ(calls() - before, 20 * (2 + 2 * 2 + 2 + 1)) << "two a vhost and user, one a permission and limit";
    before = calls();
    const auto seen = visit.see();
    EXPECT_EQ(calls() - before, 4);
    for (const auto& object : objects) EXPECT_TRUE(Vhost::diff(object, visit.inputs(), seen).empty());
}

}  // namespace
}  // namespace ocim::messaging
