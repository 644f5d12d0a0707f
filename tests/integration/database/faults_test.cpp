#include "database/register.hpp"

#include "runtime/base64.hpp"
#include "support/faults.hpp"
#include "support/mariadb.hpp"

#include <gtest/gtest.h>

/// What DatabaseTenants say and do when their server is in trouble.
namespace ocim::database {
namespace {

using ocim::test::Fault;
using ocim::test::json;

class MySQLFaults : public ocim::test::FaultTest {
protected:
    MySQLFaults() : FaultTest(register_kinds) {
        for (const std::string user : {"struck", "well"}) {
            mariadb->sql("CREATE OR REPLACE USER " + user + "@'%' IDENTIFIED BY 'right'; GRANT ALL ON *.* TO " + user +
                         "@'%' WITH GRANT OPTION");
            running.put_secret("ocim-system", user, "username", runtime::base64(user));
            running.server.merge("Secret", "ocim-system", user,
                                 R"({"data":{"password":")" + runtime::base64("right") + R"("}})");
            put_server(user, user == "struck" ? front.port() : mariadb->port());
        }
        running.put_secret("campus", "passwords", "password", runtime::base64("a tenant's"));
    }
    static void SetUpTestSuite() { mariadb = new ocim::test::MariaDB; }
    static void TearDownTestSuite() { delete std::exchange(mariadb, nullptr); }
    void TearDown() override {
        running.stop();
        for (const auto& object : running.server.all("DatabaseTenant")) {
            const std::string name(api::find_text(object, {"metadata", "name"}));
            mariadb->sql("DROP DATABASE IF EXISTS " + name + "; DROP USER IF EXISTS " + name + "@'%'");
        }
        mariadb->sql("DROP DATABASE IF EXISTS meta_struck; DROP DATABASE IF EXISTS meta_well");
    }

    void put_server(const std::string& name, std::uint16_t port) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseServer','metadata':{'name':'" + name +
                 "'},'spec':{'mysql':{'host':'127.0.0.1','port':" + std::to_string(port) + ",'metaDatabase':'meta_" +
                 name + "'},'credentialsRef':{'name':'" + name + "'}}}"));
    }
    void put(const std::string& name, const std::string& backend) override {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{"
                 "'namespace':'campus','name':'" +
                 name + "'},'spec':{'serverRef':{'name':'" + backend + "'},'databases':[{'name':'" + name +
                 "','characterSet':'utf8mb4'}],'users':[{'name':'" + name +
                 "','host':'%','passwordRef':{'name':'passwords','key':'password'},'grants':[{'database':'" + name +
                 "','privileges':['ALL']}]}]}}"));
    }
    std::string stands(const std::string& name) override { return running.stands("DatabaseTenant", "campus", name); }
    void strike(Fault fault) override {
        if (fault != Fault::refuses_credentials) return show(front, fault, ocim::test::greeting_garbage(fault));
        mariadb->sql("ALTER USER struck@'%' IDENTIFIED BY 'another'");
        front.open();  // sessions that there were are over, as after a restart of the server
    }
    void mend() override {
        if (GetParam() == Fault::refuses_credentials)
            mariadb->sql("ALTER USER struck@'%' IDENTIFIED BY 'right'");
        else
            front.open();
    }
    ocim::test::Door& door() override { return front; }

    inline static ocim::test::MariaDB* mariadb = nullptr;  // one for all: it takes long to start
    ocim::test::Door front{mariadb->port()};
};

TEST_P(MySQLFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(mariadb->sql("SHOW DATABASES LIKE 'later'"), "later\n");
}

INSTANTIATE_TEST_SUITE_P(MySQL, MySQLFaults,
                         testing::Values(Fault::down, Fault::slow, Fault::refuses_credentials, Fault::wrong_protocol,
                                         Fault::html, Fault::cut_off, Fault::huge_body),
                         ocim::test::fault_name);

/// The same server, with every object declared before anything runs.
class MySQLCalls : public MySQLFaults {};

TEST_F(MySQLCalls, AHundredTenantsTakeABoundedNumberOfStatements) {
    constexpr int count = 100;
    for (int n = 0; n < count; ++n) put("t" + std::to_string(n), "struck");
    const auto asked = mariadb->questions();
    running.start();
    ASSERT_TRUE(running.until([&] { return running.ready("DatabaseTenant") == count; }, deadline))
        << running.ready("DatabaseTenant");
    const auto spent = mariadb->questions() - asked;
    // of each: one for the database, the account and the right; and what a batch and a look take, whatever the number
    EXPECT_LE(spent, count * 3 + 60);
    EXPECT_GE(spent, count * 3) << "the count counts";
    running.stop();
    const auto before = mariadb->questions();
    const auto turns = front.turns();
    running.start();
    ASSERT_TRUE(running.until([&] { return front.turns() > turns && running.ready("DatabaseTenant") == count; }));
    loop.run(loop.clock().sleep(std::chrono::seconds(2)));
    EXPECT_LE(mariadb->questions() - before, 20) << "a start over what is right is one look, whatever the number";
}

}  // namespace
}  // namespace ocim::database
