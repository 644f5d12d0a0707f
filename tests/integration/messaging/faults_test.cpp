#include "messaging/register.hpp"

#include "integration/messaging/with_rabbitmq.hpp"
#include "support/faults.hpp"

#include <gtest/gtest.h>

/// What RabbitMQVhosts say and do when their broker is in trouble.
namespace ocim::messaging {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class RabbitMQFaults : public ocim::test::FaultTest {
protected:
    RabbitMQFaults() : FaultTest(register_kinds) {
        for (const std::string user : {"struck", "well"}) {
            set_password(user, "right");
            running.put_secret("ocim-system", user, "username", runtime::base64(user));
            running.server.merge("Secret", "ocim-system", user,
                                 R"({"data":{"password":")" + runtime::base64("right") + R"("}})");
            put_server(user, user == "struck" ? front.url() : broker->url());
        }
        running.put_secret("campus", "passwords", "password", runtime::base64("a tenant's"));
    }
    void TearDown() override {
        running.stop();
        for (const auto& object : running.server.all("RabbitMQVhost")) {
            const std::string name(api::find_text(object, {"metadata", "name"}));
            broker->call("DELETE", "/api/vhosts/" + name);
            broker->call("DELETE", "/api/users/" + name);
        }
    }

    void set_password(const std::string& user, const std::string& password) {
        const auto set =
            broker->call("PUT", "/api/users/" + user, R"({"tags":"administrator","password":")" + password + R"("})");
        ASSERT_EQ(set.exit_code, 0) << set.output;
    }
    void put_server(const std::string& name, const std::string& url) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'RabbitMQServer','metadata':{'name':'" + name +
                 "'},'spec':{'managementURL':'" + url + "','instanceURL':'amqp://127.0.0.1:5672'," +
                 "'credentialsRef':{'name':'" + name + "'}}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'RabbitMQVhost','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'serverRef':{'name':'" + backend + "'},'vhost':'" + name + "','users':[{'name':'" +
                 name +
                 "','passwordRef':{'name':'passwords','key':'password'},'permissions':{'configure':'.*',"
                 "'write':'.*','read':'.*'}}]}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("RabbitMQVhost", "campus", name); }
    void strike(Fault fault) override {
        if (fault == Fault::refuses_credentials)
            set_password("struck", "another");
        else
            show(front, fault, ocim::test::http_garbage(fault));
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            set_password("struck", "right");
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    ocim::test::RabbitMQ* const broker = &test::shared_broker();
    ocim::test::Door front{broker->management_port()};
};

TEST_P(RabbitMQFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(broker->call("GET", "/api/vhosts/later").exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(RabbitMQ, RabbitMQFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::truncated_json, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

/// The same broker, with every object declared before anything runs.
class RabbitMQCalls : public RabbitMQFaults {};

TEST_F(RabbitMQCalls, AHundredVhostsTakeABoundedNumberOfCalls) {
    constexpr int count = 100;
    for (int n = 0; n < count; ++n) put("v" + std::to_string(n), "struck");
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("RabbitMQVhost") == count; }, deadline))
        << running.ready("RabbitMQVhost");
    // of each: a look and a write for the vhost and for the user, one for the permission; and a look takes six
    EXPECT_LE(front.turns(), count * 5 + 30);
    EXPECT_GE(front.turns(), count * 3) << "the count counts";
    running.stop();
    const auto before = front.turns();
    running.start();
    ASSERT_TRUE(running.until([&] { return front.turns() > before && running.ready("RabbitMQVhost") == count; }));
    loop.run(loop.clock().sleep(std::chrono::seconds(2)));
    EXPECT_LE(front.turns() - before, 8) << "a start over what is right is one look, whatever the number";
}

}  // namespace
}  // namespace ocim::messaging
