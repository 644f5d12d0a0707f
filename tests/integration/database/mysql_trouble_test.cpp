#include "base/async.hpp"
#include "support/contract.hpp"
#include "support/cut.hpp"
#include "support/mariadb.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>

/// A MySQL server whose answers are lost, and one that has enough of us.
namespace ocim::database {
namespace {

using Object = crd::DatabaseTenant;

class MySQLInTrouble : public ::testing::Test {
protected:
    MySQLInTrouble() {
        mariadb.sql("CREATE USER ocim@'%' IDENTIFIED BY 'admin'; GRANT ALL ON *.* TO ocim@'%' WITH GRANT OPTION");
        inputs.installation = "lab";
        inputs.add(test::secret("ocim-system", "admin", {{"username", "ocim"}, {"password", "admin"}}));
        inputs.add(test::secret("tools", "wiki-db", {{"password", "first"}}));
        inputs.add(test::secret("tools", "wiki.wiki-ro", {{"password", "second"}}));
    }
    std::unique_ptr<Server> open(std::uint16_t port) {
        crd::DatabaseServer at;
        at.metadata.name = "mysql1";
        at.spec.mysql.emplace();
        at.spec.mysql->host = "127.0.0.1";
        at.spec.mysql->port = port;
        at.spec.credentials_ref.name = "admin";
        auto opened = Tenant::open(at, inputs, services);
        EXPECT_TRUE(opened);
        return *std::move(opened);
    }

    ocim::test::MariaDB mariadb;
    ocim::test::TempDir data;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    runtime::Inputs inputs;
};

TEST_F(MySQLInTrouble, ConvergesWhicheverAnswerIsLost) {
    const auto object = test::tenant();
    auto direct = open(mariadb.port());
    ocim::test::Visitor<Tenant> look{loop, *direct, inputs};
    for (const bool deleting : {false, true}) {
        bool cut_one = true;
        int lost = 1;
        for (; cut_one && lost < 200; ++lost) {
            SCOPED_TRACE((deleting ? "deleting, answer " : "creating, answer ") + std::to_string(lost));
            if (deleting) look.must(look.wanted(object));
            const auto actions = look.wanted(object, deleting);
            ocim::test::Cut cut(mariadb.port(), lost);
            auto opened = open(cut.port());
            ocim::test::Visitor<Tenant> through{loop, *opened, inputs};
            for (const auto& answer : through.act(actions)) ASSERT_TRUE(answer);
            cut_one = cut.happened();
            for (int visits = 0; visits < 3; ++visits) look.act(look.wanted(object, deleting));
            EXPECT_TRUE(look.wanted(object, deleting).empty());
            if (!deleting) EXPECT_TRUE(look.ready(object)) << look.report(object).verdict.message;
            if (!deleting) look.must(look.wanted(object, true));
            EXPECT_TRUE(Tenant::marked(look.see()).empty()) << "something is left";
        }
        EXPECT_GT(lost, 10);
        EXPECT_FALSE(cut_one) << "there are more answers than were lost";
    }
}

TEST_F(MySQLInTrouble, IsToldWhenItHasEnoughOfUs) {
    mariadb.sql("ALTER USER ocim@'%' WITH MAX_CONNECTIONS_PER_HOUR 1");
    auto server = open(mariadb.port());
    ocim::test::Visitor<Tenant> visit{loop, *server, inputs};
    const auto actions = visit.wanted(test::tenant());  // with the one connection that it may have
    const auto refused = loop.run(server->probe());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::rate_limited) << refused.error().message;
    mariadb.sql("ALTER USER ocim@'%' WITH MAX_CONNECTIONS_PER_HOUR 0; FLUSH USER_RESOURCES");
    visit.must(actions);
    EXPECT_TRUE(visit.ready(test::tenant()));
}

}  // namespace
}  // namespace ocim::database
