#include "database/mysql_connection.hpp"
#include "database/postgresql_connection.hpp"
#include "database/register.hpp"
#include "integration/database/clients.hpp"
#include "integration/database/postgresql.hpp"
#include "runtime/base64.hpp"
#include "support/mariadb.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <array>
#include <functional>

/// Clients log in all the time while passwords are replaced, and none is refused.
namespace ocim::database {
namespace {

using namespace std::chrono_literals;
using ocim::test::json;
using test::Clients;
using test::rotations;

class MySQLRotation : public ::testing::Test {
protected:
    MySQLRotation() {
        mariadb.sql("CREATE USER ocim@'%' IDENTIFIED BY 'admin'; GRANT ALL ON *.* TO ocim@'%' WITH GRANT OPTION");
        running.put_secret("ocim-system", "admin", "username", runtime::base64("ocim"));
        running.server.merge("Secret", "ocim-system", "admin",
                             R"({"data":{"password":")" + runtime::base64("admin") + R"("}})");
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseServer','metadata':{"
                 "'name':'mysql1'},'spec':{'mysql':{'host':'127.0.0.1','port':" +
                 std::to_string(mariadb.port()) + ",'metaDatabase':'ocim_meta'},'credentialsRef':{'name':'admin'}}}"));
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{'namespace':'tools',"
                 "'name':'wiki'},'spec':{'serverRef':{'name':'mysql1'},'databases':[{'name':'wiki','characterSet':"
                 "'utf8mb4'}],'users':[{'name':'wiki','host':'%','rotation':{'overlap':'1h'},'grants':[{'database':"
                 "'wiki','privileges':['ALL']}]}]}}"));
        running.start();
    }
    ~MySQLRotation() override { running.stop(); }

    std::string key(const std::string& name) const {
        const auto* secret = running.server.get("Secret", "tools", "wiki.wiki");
        if (!secret) return "";
        const auto* value = api::find(*secret, {"data", name});
        return value && value->is_string() ? runtime::from_base64(std::string(value->as_string())).value_or("") : "";
    }
    /// Lets the runtime work in short slices, and what the Secret says be known at once.
    bool until(Clients& clients, const std::function<bool()>& condition) {
        const auto deadline = loop.clock().now() + 60s;
        while (loop.clock().now() < deadline) {
            if (const auto password = key("password"); !password.empty() && stands) clients.publish({"wiki", password});
            if (condition()) return true;
            loop.run(loop.clock().sleep(Duration(2)));
        }
        return false;
    }
    void set_key(const std::string& name, const std::string& text) {
        running.server.merge("Secret", "tools", "wiki.wiki",
                             R"({"data":{")" + name + R"(":")" + runtime::base64(text) + R"("}})");
    }
    void annotate(const std::string& time) {
        running.server.merge("DatabaseTenant", "tools", "wiki",
                             R"({"metadata":{"annotations":{"ocim.opencraft.com/rotate-at":")" + time + R"("}}})");
    }

    ocim::test::MariaDB mariadb;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, register_kinds};
    bool stands = false;  // the account is there
};

TEST_F(MySQLRotation, RefusesNobody) {
    mysql::ConnectionSettings settings;
    settings.host = "127.0.0.1";
    settings.port = mariadb.port();
    settings.tls = mysql::ConnectionSettings::Tls::disabled;
    settings.connect_seconds = settings.reply_seconds = 60;
    Clients clients([settings](const Clients::Published& with) {
        auto chosen = settings;
        chosen.username = with.user;
        chosen.password = Secret(with.password);
        const auto opened = mysql::Connection::open(chosen);
        return opened ? "" : opened.error().message;
    });
    const auto ready = [&] { return running.stands("DatabaseTenant", "tools", "wiki") == "True InSync"; };
    ASSERT_TRUE(until(clients, ready)) << running.stands("DatabaseTenant", "tools", "wiki");
    stands = true;
    auto former = key("password");
    for (int n = 0; n < rotations(); ++n) {
        ASSERT_TRUE(until(clients, [&] { return clients.all_know(); }));
        // older than any password there is: the Secret says when the last one was replaced
        set_key("password.rotated-at", "2026-01-01T00:00:00Z");
        annotate("2026-01-01T00:00:01Z");
        ASSERT_TRUE(until(clients, [&] { return !key("password").empty() && key("password") != former; })) << n;
        EXPECT_EQ(key("password.previous"), former);
        EXPECT_EQ(key("password.next"), "");
        const auto said = "the former one is let in";
        EXPECT_EQ(mariadb.as("wiki", former, "SELECT 1").output, "1\n") << said;
        EXPECT_EQ(mariadb.as("wiki", key("password"), "SELECT 1").output, "1\n");
        former = key("password");
        annotate("2020-01-01T00:00:00Z");
        ASSERT_TRUE(until(clients, [&] { return clients.all_know(); }));
        const auto ended = key("password.previous");
        set_key("password.rotated-at", "2026-01-01T00:00:00Z");  // the overlap is over
        ASSERT_TRUE(until(clients, [&] { return key("password.previous").empty(); })) << n;
        ASSERT_TRUE(until(clients, [&] {
            return mariadb.sql(
                       "SELECT COUNT(*) FROM mysql.global_priv WHERE User='wiki' AND JSON_LENGTH(Priv, "
                       "'$.auth_or') > 1") == "0\n";
        })) << n;
        if (n == 0) EXPECT_NE(mariadb.as("wiki", ended, "SELECT 1").exit_code, 0) << "and no longer";
    }
    clients.stop();
    EXPECT_EQ(clients.refused(), std::vector<std::string>{});
    EXPECT_GE(clients.logins(), rotations());
    EXPECT_GE(running.events("PasswordReplaced"), 1);
    std::cout << rotations() << " rotations, " << clients.logins() << " log-ins, " << clients.refused().size()
              << " refused\n";
}

/// Clients go by what the Secret said when it was replaced.
TEST_F(MySQLRotation, WhatWasPromisedHoldsAfterTurnsAreNoLongerAskedFor) {
    const auto logs_in = [&](const std::string& password) {
        return mariadb.as("wiki", password, "SELECT 1").exit_code == 0;
    };
    const auto in_sync = [&] { return running.stands("DatabaseTenant", "tools", "wiki") == "True InSync"; };
    ASSERT_TRUE(running.until([&] { return in_sync() && !key("password").empty(); }, 60s));
    const auto former = key("password");
    set_key("password.rotated-at", "2026-01-01T00:00:00Z");
    annotate("2026-01-01T00:00:01Z");
    ASSERT_TRUE(running.until([&] { return !key("password.previous-until").empty(); }, 60s));
    const auto current = key("password");
    EXPECT_NE(current, former);
    const auto promised = parse_rfc3339(key("password.previous-until"));
    ASSERT_TRUE(promised);
    EXPECT_NEAR(std::chrono::duration<double>(*promised - loop.clock().wall()).count(), 3'600, 120);

    annotate("2020-01-01T00:00:00Z");
    running.server.merge("DatabaseTenant", "tools", "wiki",
                         R"({"spec":{"users":[{"name":"wiki","host":"%","grants":[{"database":"wiki","privileges":)"
                         R"(["SELECT"]}]}]}})");
    set_key("password.rotated-at", "2026-01-01T00:00:00Z");  // by that alone any overlap is over
    const auto narrowed = [&] {
        return mariadb.sql("SHOW GRANTS FOR wiki@'%'").find("GRANT SELECT ON `wiki`") != std::string::npos;
    };
    ASSERT_TRUE(running.until([&] { return in_sync() && narrowed(); }, 60s)) << "it goes by the new spec";
    loop.run(loop.clock().sleep(2s));
    EXPECT_EQ(key("password.previous"), former);
    EXPECT_TRUE(logs_in(former)) << "the hour is not over";
    EXPECT_TRUE(logs_in(current));

    set_key("password.previous-until", "2026-01-02T00:00:00Z");
    ASSERT_TRUE(running.until([&] { return key("password.previous").empty(); }, 60s));
    EXPECT_EQ(key("password.previous-until"), "");
    EXPECT_TRUE(running.until([&] { return !logs_in(former); }, 60s)) << "the engine refuses it as well";
    EXPECT_TRUE(logs_in(current));
    EXPECT_EQ(key("password"), current);
}

TEST_F(MySQLRotation, DropsAfterTheWindowWhatNoObjectAnswersFor) {
    const auto there = [&] { return mariadb.sql("SHOW DATABASES LIKE 'kept%'"); };
    const auto put = [&](const std::string& name, const std::string& window) {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{"
                 "'namespace':'tools','name':'" +
                 name + "'},'spec':{'serverRef':{'name':'mysql1'},'deletionPolicy':'Delete','undeleteWindow':'" +
                 window + "','databases':[{'name':'" + name + "','characterSet':'utf8mb4'}]}}"));
    };
    const auto ready = [&](const std::string& name) {
        return running.until([&] { return running.stands("DatabaseTenant", "tools", name) == "True InSync"; });
    };
    running.server.merge("DatabaseServer", "", "mysql1", R"({"spec":{"driftInterval":"1s"}})");
    for (const std::string name : {"kept_short", "kept_long", "kept_again"}) {
        put(name, name == "kept_long" ? "1h" : "3s");
        ASSERT_TRUE(ready(name)) << name;
    }
    for (const std::string name : {"kept_short", "kept_long", "kept_again"}) {
        running.server.remove("DatabaseTenant", "tools", name);
        ASSERT_TRUE(running.until([&] { return running.stands("DatabaseTenant", "tools", name) == "gone"; }))
            << "its object does not wait for the window";
    }
    EXPECT_NE(mariadb.sql("SELECT MAX(ends) FROM ocim_meta.owned"), "0\n");
    put("kept_again", "1h");
    ASSERT_TRUE(ready("kept_again"));
    ASSERT_TRUE(running.until([&] { return there() == "kept_again\nkept_long\n"; })) << there();
    EXPECT_TRUE(running.until([&] { return running.events("RetentionEnded") >= 1; }));
    EXPECT_EQ(mariadb.sql("SELECT name FROM ocim_meta.owned WHERE name LIKE 'kept%' ORDER BY 1"),
              "kept_again\nkept_long\n");
}

class PostgreSQLRotation : public test::WithPostgreSQL {};

/// A role has one password: two users of the same rights take turns.
TEST_F(PostgreSQLRotation, RefusesNobodyWhereTwoUsersTakeTurns) {
    auto system = open();
    auto object = test::numbered(1);
    object.spec.users[1].grants = object.spec.users[0].grants;
    postgresql::ConnectionSettings settings;
    settings.host = "127.0.0.1";
    settings.port = server().port();
    settings.database = "sb_1";
    settings.tls = postgresql::ConnectionSettings::Tls::disabled;
    settings.connect_seconds = settings.reply_seconds = 60;
    Clients clients([settings](const Clients::Published& with) {
        auto chosen = settings;
        chosen.username = with.user;
        chosen.password = Secret(with.password);
        const auto opened = postgresql::Connection::open(chosen);
        return opened ? "" : opened.error().message;
    });
    std::array<std::string, 2> passwords{"first-0", "second-0"};
    for (int n = 1; n <= rotations(); ++n) {
        const auto idle = static_cast<std::size_t>(n % 2);  // whom no client uses now
        passwords[idle] = "replaced-" + std::to_string(n);
        runtime::Inputs now;
        now.installation = "lab";
        now.add(test::secret("tools", "passwords", {{"owner", passwords[0]}, {"reader", passwords[1]}}));
        ocim::test::Visitor<Tenant> visit{loop, *system, now};
        visit.must(visit.wanted(object));
        ASSERT_TRUE(visit.wanted(object).empty());
        clients.publish({object.spec.users[idle].name, passwords[idle]});
        const auto deadline = loop.clock().now() + 60s;
        while (!clients.all_know() && loop.clock().now() < deadline) loop.run(loop.clock().sleep(Duration(2)));
        ASSERT_TRUE(clients.all_know());
    }
    clients.stop();
    EXPECT_EQ(clients.refused(), std::vector<std::string>{});
    std::cout << rotations() << " rotations, " << clients.logins() << " log-ins, " << clients.refused().size()
              << " refused\n";
}

}  // namespace
}  // namespace ocim::database
