#include "integration/database/tenant_faults.hpp"
#include "support/mariadb.hpp"

#include <gtest/gtest.h>

namespace ocim::database {
namespace {

class MySQLFaults : public test::TenantFaults {
protected:
    MySQLFaults() : TenantFaults(mariadb->port(), "ALL") {}
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

    void make_administrator(const std::string& user, const std::string& password) override {
        mariadb->sql("CREATE OR REPLACE USER " + user + "@'%' IDENTIFIED BY '" + password + "'; GRANT ALL ON *.* TO " +
                     user + "@'%' WITH GRANT OPTION");
    }
    void change_password(const std::string& password) override {
        mariadb->sql("ALTER USER struck@'%' IDENTIFIED BY '" + password + "'");
    }
    std::string provider(const std::string& name, std::uint16_t port) override {
        return "'mysql':{'host':'127.0.0.1','port':" + std::to_string(port) + ",'metaDatabase':'meta_" + name + "'}";
    }

    inline static ocim::test::MariaDB* mariadb = nullptr;  // one for all: it takes long to start
};

TEST_P(MySQLFaults, AreSaidBoundedAndOverByThemselves) {
    suffers(usual_reasons(GetParam()));
    EXPECT_EQ(mariadb->sql("SHOW DATABASES LIKE 'later'"), "later\n");
}

INSTANTIATE_TEST_SUITE_P(MySQL, MySQLFaults, test::every_fault, ocim::test::fault_name);

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
