#include "messaging/register.hpp"

#include "integration/messaging/with_rabbitmq.hpp"
#include "net/tls.hpp"
#include "support/amqp.hpp"
#include "support/door.hpp"
#include "support/log_ins.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <iostream>

/// RabbitMQVhosts under the runtime: several brokers, TLS, other credentials, brokers that are gone, new passwords.
namespace ocim::messaging {
namespace {

using ocim::test::json;

constexpr std::chrono::seconds deadline{100};

class RabbitMQRuns : public ::testing::Test {
protected:
    RabbitMQRuns() { put_credentials("admin", "guest", "guest"); }
    ~RabbitMQRuns() override {
        running.stop();
        for (const auto& vhost : vhosts) broker.call("DELETE", "/api/vhosts/" + vhost);
        for (const auto& vhost : vhosts) broker.call("DELETE", "/api/users/" + vhost);
    }

    void put_credentials(const std::string& name, const std::string& user, const std::string& password) {
        running.server.put(json("{'apiVersion':'v1','kind':'Secret','metadata':{'namespace':'ocim-system','name':'" +
                                name + "'},'data':{'username':'" + runtime::base64(user) + "','password':'" +
                                runtime::base64(password) + "'}}"));
    }
    void put_server(const std::string& name, const std::string& url, const std::string& more = "") {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'RabbitMQServer','metadata':{'name':'" + name +
                 "'},'spec':{'managementURL':'" + url +
                 "','instanceURL':'amqp://127.0.0.1:5672','credentialsRef':{'name':'admin'}" + more + "}}"));
    }
    /// A vhost with a user of the same name.
    void put_vhost(const std::string& name, const std::string& server, const std::string& policy = "Retain",
                   const std::string& of_user = "") {
        vhosts.push_back(name);
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'RabbitMQVhost','metadata':{'namespace':'campus',"
                 "'name':'" +
                 name + "'},'spec':{'serverRef':{'name':'" + server + "'},'deletionPolicy':'" + policy + "','vhost':'" +
                 name + "','users':[{'name':'" + name + "','permissions':{'configure':'.*','write':'.*','read':'.*'}" +
                 of_user + "}]}}"));
    }
    std::string stands(const std::string& name) const { return running.stands("RabbitMQVhost", "campus", name); }
    bool becomes(const std::string& name, const std::string& wanted) {
        const bool came = running.until([&] { return stands(name) == wanted; }, deadline);
        EXPECT_TRUE(came) << name << " stands at " << stands(name) << " instead of " << wanted;
        return came;
    }
    std::string message(const std::string& name) const {
        const auto* object = running.server.get("RabbitMQVhost", "campus", name);
        const auto* ready = object ? runtime::condition(*object, "Ready") : nullptr;
        return ready ? std::string(api::find_text(*ready, {"message"})) : "";
    }
    void erase(const std::string& name) { running.server.remove("RabbitMQVhost", "campus", name); }
    static bool has(const ocim::test::RabbitMQ& where, const std::string& vhost) {
        return where.call("GET", "/api/vhosts/" + vhost).exit_code == 0;
    }

    ocim::test::RabbitMQ& broker = test::shared_broker();
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
    std::vector<std::string> vhosts;
};

TEST_F(RabbitMQRuns, FollowsItsCredentials) {
    const auto account = [&](const char* method, const std::string& name) {
        broker.call(method, "/api/users/" + name, R"({"tags":"administrator","password":"of )" + name + R"("})");
    };
    account("PUT", "before");
    account("PUT", "after");
    put_credentials("admin", "before", "of before");
    put_server("rabbit1", broker.url());
    put_vhost("first", "rabbit1");
    running.start();
    ASSERT_TRUE(becomes("first", "True InSync"));
    put_credentials("admin", "after", "of after");
    put_vhost("second", "rabbit1");
    ASSERT_TRUE(becomes("second", "True InSync"));
    account("DELETE", "before");
    put_vhost("third", "rabbit1");
    EXPECT_TRUE(becomes("third", "True InSync")) << message("third");
    EXPECT_TRUE(becomes("first", "True InSync"));
    account("DELETE", "after");
    put_credentials("admin", "guest", "guest");
}

TEST_F(RabbitMQRuns, SeveralBrokersOneOfThemByTls) {
    const auto now = loop.clock().wall();
    const auto ca = net::make_ca("the brokers' CA", now), strangers = net::make_ca("another CA", now);
    ASSERT_TRUE(ca && strangers);
    net::CertificateRequest request;
    request.common_name = "broker";
    request.dns_names = {"localhost"};
    request.ip_addresses = {"127.0.0.1"};
    request.server = true;
    const auto pair = net::issue_certificate(*ca, request, now);
    ASSERT_TRUE(pair);
    ocim::test::RabbitMQ safe(ocim::test::RabbitMQ::Tls{pair->certificate, pair->private_key.reveal()});
    const auto url = "https://localhost:" + std::to_string(safe.tls_port());
    running.put_secret("ocim-system", "ca", "ca.crt", runtime::base64(ca->certificate));
    running.put_secret("ocim-system", "other-ca", "ca.crt", runtime::base64(strangers->certificate));
    put_server("plain", broker.url());
    put_server("safe", url, ",'caRef':{'name':'ca'}");
    put_server("fooled", url, ",'caRef':{'name':'other-ca'}");
    put_server("trusting", url);
    put_vhost("here", "plain");
    put_vhost("there", "safe");
    put_vhost("never", "fooled");
    put_vhost("neither", "trusting");
    running.start();
    ASSERT_TRUE(becomes("here", "True InSync")) << message("here");
    ASSERT_TRUE(becomes("there", "True InSync")) << message("there");
    for (const auto* name : {"never", "neither"}) {
        EXPECT_TRUE(becomes(name, "False BackendUnreachable"));
        EXPECT_NE(message(name).find("certificate"), std::string::npos) << message(name);
        EXPECT_FALSE(has(safe, name));
    }
    EXPECT_TRUE(has(broker, "here") && !has(broker, "there"));
    EXPECT_TRUE(has(safe, "there") && !has(safe, "here"));
    running.stop();
}

TEST_F(RabbitMQRuns, DeletionWaitsForNobodyWithoutNeed) {
    ocim::test::Door door(broker.management_port());
    put_server("rabbit1", door.url());
    for (const std::string name : {"kept", "kept2", "kept3"}) put_vhost(name, "rabbit1");
    for (const std::string name : {"dropped", "dropped2"}) put_vhost(name, "rabbit1", "Delete");
    running.start();
    for (const std::string name : {"kept", "kept2", "kept3", "dropped", "dropped2"})
        ASSERT_TRUE(becomes(name, "True InSync")) << message(name);

    door.shut();
    ASSERT_TRUE(becomes("kept", "False BackendUnreachable"));
    erase("kept");
    erase("dropped");
    EXPECT_TRUE(becomes("kept", "gone")) << "nothing is to be done there";
    EXPECT_TRUE(running.until(
        [&] { return message("dropped").find("ocim.opencraft.com/abandon=true") != std::string::npos; }, deadline))
        << "the way out: " << message("dropped");
    EXPECT_NE(message("dropped").find("rabbit1"), std::string::npos) << message("dropped");
    door.open();
    EXPECT_TRUE(becomes("dropped", "gone"));
    EXPECT_FALSE(has(broker, "dropped"));
    EXPECT_TRUE(has(broker, "kept"));
    put_vhost("kept", "rabbit1", "Delete");
    ASSERT_TRUE(becomes("kept", "True InSync")) << "a new object of the name takes it over: " << message("kept");
    erase("kept");
    EXPECT_TRUE(becomes("kept", "gone"));
    EXPECT_FALSE(has(broker, "kept"));

    // the broker's own object
    running.server.remove("RabbitMQServer", "", "rabbit1");
    ASSERT_TRUE(running.server.get("RabbitMQServer", "", "rabbit1")) << "it is in use";
    running.server.merge("RabbitMQServer", "", "rabbit1", R"({"metadata":{"finalizers":null}})");  // by force
    EXPECT_TRUE(becomes("kept2", "False BackendNotFound"));
    erase("kept2");
    erase("dropped2");
    EXPECT_TRUE(becomes("kept2", "gone"));
    EXPECT_TRUE(running.until([&] { return message("dropped2").find("rabbit1") != std::string::npos; }, deadline));
    running.server.merge("RabbitMQVhost", "campus", "dropped2",
                         R"({"metadata":{"annotations":{"ocim.opencraft.com/abandon":"true"}}})");
    EXPECT_TRUE(becomes("dropped2", "gone"));
    EXPECT_TRUE(has(broker, "dropped2")) << "let go of, as was asked";
    EXPECT_EQ(running.events("Abandoned"), 1);
}

TEST_F(RabbitMQRuns, WhatWasNeverReachedHoldsNothing) {
    ocim::test::Door door(broker.management_port());
    door.shut();
    put_server("rabbit1", door.url());
    put_vhost("never", "rabbit1", "Delete");
    running.start();
    ASSERT_TRUE(becomes("never", "False BackendUnreachable"));
    erase("never");
    EXPECT_TRUE(becomes("never", "gone")) << "a mistyped address is no trap";
}

int rotations() {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full" ? 100 : 6;
}

/// Programs log in by AMQP all the time, with what the Secret says.
class RabbitMQRotation : public RabbitMQRuns {
protected:
    RabbitMQRotation() {
        put_server("rabbit1", broker.url());
        put_vhost("turns", "rabbit1", "Delete", ",'rotation':{'overlap':'1h'}");
        vhosts.push_back("turns-2");
        running.start();
    }
    std::string key(const std::string& name) const {
        const auto* secret = running.server.get("Secret", "campus", "turns.turns");
        const auto* value = secret ? api::find(*secret, {"data", name}) : nullptr;
        return value && value->is_string() ? runtime::from_base64(std::string(value->as_string())).value_or("") : "";
    }
    /// Lets the runtime work in short slices, and what the Secret says be known at once.
    bool until(const std::function<bool()>& condition) {
        const auto end = loop.clock().now() + deadline;
        while (loop.clock().now() < end) {
            if (published) clients.publish({key("password.username"), key("password")});
            if (condition()) return true;
            loop.run(loop.clock().sleep(Duration(2)));
        }
        return false;
    }
    void set_key(const std::string& name, const std::string& text) {
        running.server.merge("Secret", "campus", "turns.turns",
                             R"({"data":{")" + name + R"(":")" + runtime::base64(text) + R"("}})");
    }
    void annotate(const std::string& time) {
        running.server.merge("RabbitMQVhost", "campus", "turns",
                             R"({"metadata":{"annotations":{"ocim.opencraft.com/rotate-at":")" + time + R"("}}})");
    }
    std::string log_in(const std::string& user, const std::string& password) const {
        return ocim::test::AmqpLogin(broker.amqp_port()).run(user, password, "turns");
    }

    ocim::test::LogIns clients{[port = broker.amqp_port()](const ocim::test::LogIns::Published& with) -> std::string {
        return ocim::test::AmqpLogin(port).run(with.user, with.password, "turns");
    }};
    bool published = false;  // the first user is there
};

TEST_F(RabbitMQRotation, RefusesNobody) {
    const auto ready = [&] { return stands("turns") == "True InSync" && key("password.username") == "turns"; };
    ASSERT_TRUE(until(ready)) << stands("turns") << " " << message("turns");
    published = true;
    for (int n = 0; n < rotations(); ++n) {
        ASSERT_TRUE(until([&] { return clients.all_know(); }));
        const auto former = key("password"), user = key("password.username");
        // older than any password there is: the Secret says when the last one was replaced
        set_key("password.rotated-at", "2026-01-01T00:00:00Z");
        annotate("2026-01-01T00:00:01Z");
        ASSERT_TRUE(until([&] { return key("password.username") != user; })) << n;
        EXPECT_NE(key("password"), former);
        EXPECT_EQ(key("password.previous"), former);
        EXPECT_EQ(key("password.next"), "");
        EXPECT_EQ(log_in(user, former), "") << "the former one is let in";
        EXPECT_EQ(log_in(key("password.username"), key("password")), "");
        annotate("2020-01-01T00:00:00Z");
        ASSERT_TRUE(until([&] { return clients.all_know(); }));
        if (n == 0) {
            const auto later = loop.clock().now() + Duration(1'000);
            bool stays = true;
            ASSERT_TRUE(until([&] {
                stays = stays && log_in(user, former).empty();
                return loop.clock().now() > later;
            }));
            EXPECT_TRUE(stays) << "the former user goes with the overlap, not before";
        }
        set_key("password.rotated-at", "2026-01-01T00:00:00Z");  // the overlap is over
        ASSERT_TRUE(until([&] { return key("password.previous").empty(); })) << n;
        ASSERT_TRUE(until([&] { return broker.call("GET", "/api/users/" + user).exit_code != 0; })) << n;
        if (n == 0) EXPECT_NE(log_in(user, former), "") << "and no longer";
    }
    clients.stop();
    EXPECT_EQ(clients.refused(), std::vector<std::string>{});
    EXPECT_GE(clients.logins(), rotations());
    EXPECT_GE(running.events("PasswordReplaced"), 1);
    std::cout << rotations() << " rotations, " << clients.logins() << " log-ins, " << clients.refused().size()
              << " refused\n";
}

}  // namespace
}  // namespace ocim::messaging
