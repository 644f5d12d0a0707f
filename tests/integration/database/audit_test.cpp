#include "integration/database/postgresql.hpp"

#include "base/async.hpp"
#include "database/job.hpp"
#include "support/contract.hpp"
#include "support/mariadb.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string_view>

/// Servers with ten thousand accounts.
namespace ocim::database {
namespace {

using Object = crd::DatabaseTenant;

/// Of each of five tenants: ten thousand in all at full scale, five hundred on other days.
int users_each() {
    const auto* scale = std::getenv("OCIM_SCALE");
    return scale && std::string_view(scale) == "full" ? 2'000 : 100;
}

class PostgreSQLAudit : public test::WithPostgreSQL {};

TEST_F(PostgreSQLAudit, ReadsTenThousandUsersInAFewStatements) {
    constexpr int tenants = 5;
    const int users = users_each();
    auto system = open();
    auto visit = visitor(*system);
    std::vector<Object> objects;
    for (int n = 0; n < tenants; ++n) {
        auto object = test::numbered(n);
        object.spec.users.resize(1);
        objects.push_back(object);
    }
    visit.must(visit.wanted(objects));
    const auto hash = server().sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'sb_0'");
    const auto verifier = hash.substr(0, hash.size() - 1);
    const auto print = fingerprint(verifier, Secret(owner_password));
    for (int n = 0; n < tenants; ++n) {
        const auto tenant = "sb_" + std::to_string(n);
        server().sql("DO $do$ BEGIN FOR n IN 1.." + std::to_string(users - 1) +
                     " LOOP EXECUTE format('CREATE ROLE %1$I "
                     "LOGIN PASSWORD %2$L IN ROLE %3$I; COMMENT ON ROLE %1$I IS %4$L', '" +
                     tenant + "_' || n, '" + verifier + "', '" + tenant + ":reader', 'i=lab o=tools/wiki" +
                     std::to_string(n) + " u=uid-" + std::to_string(n) + " f=" + print + "'); END LOOP; END $do$");
        for (int user = 1; user < users; ++user) {
            auto& added = objects[static_cast<std::size_t>(n)].spec.users.emplace_back(objects[0].spec.users[0]);
            added.name = tenant + "_" + std::to_string(user);
            added.grants[0] = {tenant, {Object::Spec::User::Grant::Privilege::select}};
        }
    }
    const auto before = server().statements("ocim");
    const auto began = std::chrono::steady_clock::now();
    const auto spent = std::clock();
    const auto seen = visit.see();
    for (const auto& object : objects) EXPECT_TRUE(Tenant::diff(object, visit.inputs(), seen).empty());
    const auto cpu = static_cast<double>(std::clock() - spent) / CLOCKS_PER_SEC;
    const auto wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const auto asked = server().statements("ocim") - before;
    std::cout << tenants * users << " users: " << asked << " statements, " << wall << " s, of which " << cpu
              << " s of ours\n";
    EXPECT_LT(asked, 10);
    EXPECT_LT(cpu, 3) << "the wall's time is the machine's";
    server().sql("ALTER ROLE sb_3_88 PASSWORD 'other'; GRANT \"sb_1:writer\" TO sb_2_77");
    const auto drifted = visit.wanted(objects);
    ASSERT_EQ(drifted.size(), 2u) << "one password, one right";
    visit.must(drifted);
    EXPECT_TRUE(visit.wanted(objects).empty());
}

TEST(MySQLAudit, ReadsTenThousandUsersInAFewStatements) {
    constexpr int tenants = 5;
    const int users = users_each();
    ocim::test::MariaDB mariadb;
    mariadb.sql("CREATE USER ocim@'%' IDENTIFIED BY 'admin'; GRANT ALL ON *.* TO ocim@'%' WITH GRANT OPTION");
    ocim::test::TempDir data;
    ocim::test::RealLoop loop;
    auto random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    const runtime::Services services{loop.executor(), loop.clock(), *random,     metrics,
                                     blocking,        "lab",        data.path(), nullptr};
    runtime::Inputs inputs;
    inputs.installation = "lab";
    inputs.add(test::secret("ocim-system", "admin", {{"username", "ocim"}, {"password", "admin"}}));
    inputs.add(test::secret("tools", "passwords", {{"all", "a tenant's"}}));
    crd::DatabaseServer at;
    at.metadata.name = "mysql1";
    at.spec.mysql.emplace();
    at.spec.mysql->host = "127.0.0.1";
    at.spec.mysql->port = mariadb.port();
    at.spec.credentials_ref.name = "admin";
    auto opened = Tenant::open(at, inputs, services);
    ASSERT_TRUE(opened);
    ocim::test::Visitor<Tenant> visit{loop, **opened, inputs};

    std::vector<Object> objects;
    for (int n = 0; n < tenants; ++n) {
        auto& object = objects.emplace_back(test::tenant());
        object.metadata.name = "wiki" + std::to_string(n);
        object.metadata.uid = "uid-" + std::to_string(n);
        object.spec.databases[0].name = "sb" + std::to_string(n);
        object.spec.users.resize(1);
        object.spec.users[0].name = "sb" + std::to_string(n);
        object.spec.users[0].password_ref = api::SecretKeyRef{"passwords", "all"};
        object.spec.users[0].grants[0].database = object.spec.databases[0].name;
    }
    visit.must(visit.wanted(objects));
    // rows of the server's own tables: statements for so many would take a minute
    const auto more = " FROM seq_1_to_" + std::to_string(users - 1);
    for (int n = 0; n < tenants; ++n) {
        auto& object = objects[static_cast<std::size_t>(n)];
        const auto first = object.spec.databases[0].name, name = "CONCAT('" + first + "_', seq)";
        mariadb.sql("USE ocim_meta; INSERT INTO mysql.global_priv SELECT '%', " + name +
                    ", (SELECT Priv FROM mysql.global_priv WHERE User='" + first + "')" + more +
                    "; CREATE TABLE ocim_meta.copies AS SELECT d.*, seq FROM mysql.db d JOIN seq_1_to_" +
                    std::to_string(users - 1) + " WHERE d.User='" + first +
                    "'; UPDATE ocim_meta.copies SET User=" + name +
                    "; ALTER TABLE ocim_meta.copies DROP COLUMN seq; INSERT INTO mysql.db SELECT * FROM "
                    "ocim_meta.copies; DROP TABLE ocim_meta.copies; INSERT INTO ocim_meta.owned (kind, name, "
                    "installation, namespace_name, uid) SELECT 'user', CONCAT(" +
                    name + ", '@%'), 'lab', 'tools/" + object.metadata.name + "', '" + object.metadata.uid + "'" +
                    more + "; FLUSH PRIVILEGES");
        for (int user = 1; user < users; ++user) {
            auto added = object.spec.users[0];
            added.name = first + "_" + std::to_string(user);
            object.spec.users.push_back(std::move(added));
        }
    }
    const auto before = mariadb.questions();
    const auto began = std::chrono::steady_clock::now();
    const auto spent = std::clock();
    const auto seen = visit.see();
    for (const auto& object : objects) EXPECT_TRUE(Tenant::diff(object, inputs, seen).empty());
    const auto cpu = static_cast<double>(std::clock() - spent) / CLOCKS_PER_SEC;
    const auto wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const auto asked = mariadb.questions() - before - 1;  // the count itself
    std::cout << tenants * users << " users: " << asked << " statements, " << wall << " s, of which " << cpu
              << " s of ours\n";
    EXPECT_LT(asked, 10);
    EXPECT_LT(cpu, 3) << "the wall's time is the machine's";
    mariadb.sql("SET PASSWORD FOR sb3_88@'%' = PASSWORD('other'); GRANT SELECT ON sb1.* TO sb2_77@'%'");
    const auto drifted = visit.wanted(objects);
    ASSERT_EQ(drifted.size(), 2u) << "one password, one right";
    visit.must(drifted);
    EXPECT_TRUE(visit.wanted(objects).empty());
}

}  // namespace
}  // namespace ocim::database
