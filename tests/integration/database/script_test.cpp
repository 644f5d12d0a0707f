#include "base/async.hpp"
#include "database/mysql_script.hpp"
#include "support/contract.hpp"
#include "support/mariadb.hpp"
#include "unit/database/sample.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace ocim::database {
namespace {

using namespace std::chrono_literals;
using ocim::test::MariaDB;

class Scripts : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<MariaDB>(); }
    static void TearDownTestSuite() { server.reset(); }
    Scripts() {
        mariadb.sql(
            "DROP DATABASE IF EXISTS sb; DROP DATABASE IF EXISTS other; DROP USER IF EXISTS sb@'%'; CREATE DATABASE "
            "sb; CREATE DATABASE other; CREATE USER sb@'%' IDENTIFIED BY 'own'; GRANT ALL ON sb.* TO "
            "sb@'%'");
        mariadb.sql("CREATE TABLE sb.t (i INT)");
    }
    mysql::ConnectionSettings settings() const {
        mysql::ConnectionSettings out;
        out.host = "127.0.0.1";
        out.port = mariadb.port();
        out.username = "sb";
        out.password = Secret("own");
        out.tls = mysql::ConnectionSettings::Tls::disabled;
        return out;
    }
    static ScriptAction script(std::vector<std::string> statements, std::int32_t round = 1) {
        ScriptAction out;
        out.key = "uid-1";
        out.id = "up.demo";
        out.database = "sb";
        out.username = "sb";
        out.password = Secret("own");
        out.statements = std::move(statements);
        out.round = round;
        return out;
    }
    ScriptRun run(const ScriptAction& script) {
        auto connection = mysql::Connection::open(settings());
        EXPECT_TRUE(connection);
        auto begun = mysql::begin_script(**connection, script);
        for (int i = 0; i < 200 && !begun; ++i) {  // the server takes a moment to see that a session is gone
            std::this_thread::sleep_for(10ms);
            begun = mysql::begin_script(**connection, script);
        }
        EXPECT_TRUE(begun) << begun.error().message;
        mysql::ScriptProgress progress;
        return mysql::run_script(**connection, script, progress);
    }
    std::string rows() { return mariadb.sql("SELECT COUNT(*) FROM sb.t"); }

    static inline std::unique_ptr<MariaDB> server;
    MariaDB& mariadb = *server;
};

using State = ScriptRun::State;

TEST_F(Scripts, RunOnceAsTheTenantsOwnUser) {
    const auto one = script({"INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN who VARCHAR(90)",
                             "UPDATE t SET who = CONCAT(CURRENT_USER(), '\\'')"});
    EXPECT_EQ(run(one), (ScriptRun{State::succeeded, 1, 3, ""}));
    EXPECT_EQ(mariadb.sql("SELECT * FROM sb.t"), "1\tsb@%'\n") << "with the server's own reading of backslashes";
    EXPECT_EQ(run(one), (ScriptRun{State::succeeded, 1, 3, ""})) << "what is done is not done again";
    EXPECT_EQ(rows(), "1\n");
    const auto elsewhere = run(script({"INSERT INTO t VALUES (1, '')", "SELECT * FROM mysql.user"}, 1));
    EXPECT_EQ(elsewhere.state, State::succeeded) << "the same name: its two statements are done";
    auto more = script({"SELECT * FROM mysql.user"});
    more.id = "more";
    const auto refused = run(more);
    EXPECT_EQ(refused.state, State::failed);
    EXPECT_NE(refused.message.find("1142"), std::string::npos) << refused.message;
}

TEST_F(Scripts, AFailureIsTheLastStatementUntilAskedAgain) {
    const std::vector<std::string> statements{"INSERT INTO t VALUES (1)", "INSERT INTO u VALUES (2)",
                                              "INSERT INTO t VALUES (3)"};
    const auto first = run(script(statements));
    EXPECT_EQ(first.state, State::failed);
    EXPECT_EQ(first.done, 1);
    EXPECT_NE(first.message.find("statement 2: MySQL error 1146"), std::string::npos) << first.message;
    EXPECT_EQ(rows(), "1\n");
    mariadb.sql("CREATE TABLE sb.u (i INT)");
    EXPECT_EQ(run(script(statements)), first) << "it is remembered";
    EXPECT_EQ(run(script(statements, 2)), (ScriptRun{State::succeeded, 2, 3, ""}));
    EXPECT_EQ(rows() + mariadb.sql("SELECT COUNT(*) FROM sb.u"), "2\n1\n") << "nothing is doubled";
}

/// What is noted when the connection is lost at each moment, and what comes of it.
TEST_F(Scripts, ALostConnectionDoublesNothing) {
    const struct {
        const char* reason;
        std::string statement;
        bool repeatable;
        State state;
        std::string rows;
    } cases[] = {
        {"it goes with its note: neither of them was there", "INSERT INTO t VALUES (1)", false, State::succeeded,
         "1\n"},
        {"nobody knows: a person has to look", "CREATE TABLE v (i INT)", false, State::failed, "0\n"},
        {"nobody knows, but it may run again", "CREATE TABLE IF NOT EXISTS v (i INT)", true, State::succeeded, "0\n"},
    };
    for (const auto& c : cases) {
        mariadb.sql("TRUNCATE sb.t; DROP TABLE IF EXISTS sb.v; DROP TABLE IF EXISTS sb.ocim_scripts");
        auto one = script({c.statement});
        one.repeatable = c.repeatable;
        auto connection = mysql::Connection::open(settings());
        ASSERT_TRUE(mysql::begin_script(**connection, one));
        // as a crash leaves it: noted as begun, and the session is gone
        mariadb.sql("INSERT INTO sb.ocim_scripts (id, step, state, round) VALUES ('up.demo', 1, 'started', 1)");
        connection->reset();
        const auto again = run(one);
        EXPECT_EQ(again.state, c.state) << c.reason << ": " << again.message;
        EXPECT_EQ(rows(), c.rows) << c.reason;
        one.round = 2;
        EXPECT_EQ(run(one).state, State::succeeded) << c.reason << ": asked again";
        EXPECT_EQ(rows(), c.rows) << c.reason;
    }
}

TEST_F(Scripts, OneSessionAtATime) {
    const auto one = script({"SELECT 1"});
    auto first = mysql::Connection::open(settings());
    auto second = mysql::Connection::open(settings());
    EXPECT_TRUE(mysql::begin_script(**first, one));
    const auto refused = mysql::begin_script(**second, one);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::transient);
}

struct Heard final : runtime::Results<std::string, ScriptRun> {
    void set(std::size_t, Result<runtime::Done<std::string, ScriptRun>> result) override {
        results.push_back(std::move(result));
    }
    std::vector<Result<runtime::Done<std::string, ScriptRun>>> results;
};

class System : public Scripts {
protected:
    ScriptRun state(ScriptSystem& system) {
        auto seen = loop.run(system.observe());
        return seen && seen->contains("uid-1") ? seen->at("uid-1") : ScriptRun{};
    }
    Result<void> act(ScriptSystem& system, ScriptAction action) {
        Heard heard;
        std::vector<ScriptAction> actions;
        actions.push_back(std::move(action));
        loop.run(system.act(std::move(actions), heard));
        if (heard.results.empty()) return Error{ErrorClass::transient, "no answer"};
        if (!heard.results[0]) return heard.results[0].error();
        return {};
    }
    void wait(ScriptSystem& system, State wanted) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (state(system).state != wanted && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(5ms);  // a thread of the pool is at work; the loop runs with each look
        EXPECT_EQ(state(system).state, wanted) << state(system).message;
    }

    ocim::test::TempDir data;
    ocim::test::RealLoop loop;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    TaskGroup tasks{loop.executor()};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), &tasks};
};

TEST_F(System, ReturnsAtOnceAndTellsLater) {
    auto system = open_scripts(settings(), services);
    EXPECT_TRUE(act(*system, script({"SELECT SLEEP(1)", "INSERT INTO t VALUES (1)"})));
    EXPECT_EQ(state(*system).state, State::running);
    wait(*system, State::succeeded);
    EXPECT_EQ(rows(), "1\n");
    auto forget = script({});
    forget.verb = ScriptAction::Verb::forget;
    EXPECT_TRUE(act(*system, forget));
    EXPECT_TRUE(loop.run(system->observe())->empty());
    system.reset();
    loop.run(tasks.stop());
}

TEST_F(System, StopsWhatRunsWhenItIsTakenAway) {
    auto system = open_scripts(settings(), services);
    EXPECT_TRUE(act(*system, script({"UPDATE t SET i = SLEEP(30) + 1", "INSERT INTO t VALUES (9)"})));
    EXPECT_TRUE(act(*system, script({"SELECT SLEEP(30)", "INSERT INTO t VALUES (9)"})));
    const auto begun = std::chrono::steady_clock::now();
    system.reset();
    loop.run(tasks.stop());
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
    EXPECT_EQ(rows(), "0\n");
}

TEST_F(System, ARefusedPasswordIsItsObjectsAlone) {
    auto system = open_scripts(settings(), services);
    auto wrong = script({"SELECT 1"});
    wrong.password = Secret("wrong");
    const auto refused = act(*system, wrong);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::transient) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("wrong"), std::string::npos);
    system.reset();
    loop.run(tasks.stop());
}

}  // namespace
}  // namespace ocim::database
