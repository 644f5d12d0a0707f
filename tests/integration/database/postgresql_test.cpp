#include "integration/database/postgresql.hpp"

#include <functional>

namespace ocim::database {
namespace {

using Object = crd::DatabaseTenant;
using Privilege = Object::Spec::User::Grant::Privilege;
using ocim::test::Visitor;
using test::numbered;

class PostgreSQL : public test::WithPostgreSQL {};

TEST_F(PostgreSQL, KeepsTheContract) {
    auto system = open();
    auto visit = visitor(*system);
    ocim::test::ContractCase<Tenant> given;
    given.object = numbered;
    given.changed = [](Object object) {
        object.spec.users[1].grants[0].privileges = {Privilege::select, Privilege::insert, Privilege::update,
                                                     Privilege::delete_};
        object.spec.users[0].grants.push_back({"*", {Privilege::createdb}});
        object.spec.databases.push_back({"sb_extra", "latin1", "C"});
        return object;
    };
    given.adopting = [](Object object) {
        object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [](int n) {
        const auto name = "sb_" + std::to_string(n);
        server().sql("CREATE ROLE " + name + " LOGIN PASSWORD 'theirs'; CREATE ROLE " + name +
                     "_ro LOGIN PASSWORD 'x'");
        server().sql("CREATE DATABASE " + name + " OWNER " + name + " TEMPLATE template0");
    };
    given.refused = [] {
        Action action;
        action.key = {Key::Kind::schema, "sb_bad", "", ""};
        action.mark = {"lab", "tools/bad", "uid-bad", false};
        action.character_set = "no_such_charset";
        return action;
    };
    ocim::test::run_contract(visit, given);
}

TEST_F(PostgreSQL, GivesTenantsWhatWasDeclaredAndNoMore) {
    auto system = open();
    auto visit = visitor(*system);
    auto one = numbered(1);
    one.spec.users.push_back(one.spec.users[1]);
    one.spec.users[2].name = "sb_1_rw";
    one.spec.users[2].grants[0].privileges = {Privilege::select, Privilege::insert, Privilege::update,
                                              Privilege::delete_};
    visit.must(visit.wanted({one, numbered(2)}));
    const auto says = [](const std::string& user, const std::string& statement, const std::string& database = "sb_1") {
        return server().as(user, user == "sb_1" ? "p'\"`\\ä 日本;--" : "second", statement, database);
    };
    EXPECT_EQ(says("sb_1",
                   "CREATE TABLE t (s text); INSERT INTO t VALUES ('é日🎓'); CREATE SCHEMA own;"
                   "CREATE TABLE own.u (i serial)")
                  .output,
              "");
    EXPECT_EQ(says("sb_1_ro", "SELECT s FROM t; SELECT i FROM own.u").output, "é日🎓\n") << "also what came later";
    EXPECT_EQ(says("sb_1_rw",
                   "INSERT INTO t VALUES ('x'); UPDATE t SET s = 'y'; DELETE FROM t WHERE s = 'x';"
                   "INSERT INTO own.u DEFAULT VALUES")
                  .output,
              "");
    for (const std::string statement :
         {"INSERT INTO t VALUES ('x')", "UPDATE t SET s = ''", "DELETE FROM t", "TRUNCATE t", "DROP TABLE t",
          "CREATE TABLE mine (i int)", "CREATE TEMPORARY TABLE mine (i int)", "CREATE SCHEMA mine",
          "SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')", "SELECT nextval('own.u_i_seq')",
          "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SET ROLE \"sb_1:owner\"",
          "COPY t FROM STDIN;\nx\n\\.\n"})
        EXPECT_NE(says("sb_1_ro", statement).exit_code, 0) << "a reader can: " << statement;
    EXPECT_NE(says("sb_1_rw", "CREATE TABLE mine (i int)").exit_code, 0);
    EXPECT_NE(says("sb_1", "SELECT 1", "sb_2").exit_code, 0) << "another tenant's database";
    EXPECT_NE(server().as("sb_1", "wrong", "SELECT 1", "sb_1").exit_code, 0);
    EXPECT_EQ(server().sql("SELECT tableowner FROM pg_tables WHERE tablename='t'", "sb_1"), "sb_1:owner\n");
}

TEST_F(PostgreSQL, PutsNoPasswordIntoItsLog) {
    auto system = open();
    auto visit = visitor(*system);
    inputs.add(test::secret("tools", "plain", {{"owner", "verysecretindeed"}}));
    auto object = numbered(1);
    object.spec.users[0].password_ref = api::SecretKeyRef{"plain", "owner"};
    Visitor<Tenant> again{loop, *system, inputs};
    again.must(again.wanted(object));
    EXPECT_NE(server().log().find("CREATE ROLE \"sb_1\""), std::string::npos) << "statements are logged";
    EXPECT_EQ(server().log().find("verysecretindeed"), std::string::npos);
    EXPECT_EQ(server().as("sb_1", "verysecretindeed", "SELECT 7", "sb_1").output, "7\n");
}

TEST_F(PostgreSQL, PutsDriftRight) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = numbered(1);
    visit.must(visit.wanted(object));
    server().sql("CREATE ROLE other LOGIN");
    server().sql("CREATE DATABASE other");
    const struct {
        const char* reason;
        const char* harm;
    } cases[] = {
        {"password", "ALTER ROLE sb_1 PASSWORD 'other'"},
        {"another hash of it", "SET password_encryption='md5'; ALTER ROLE sb_1 PASSWORD 'second'"},
        {"no password", "ALTER ROLE sb_1 PASSWORD NULL"},
        {"closed", "ALTER ROLE sb_1 NOLOGIN"},
        {"expired", "ALTER ROLE sb_1 VALID UNTIL '2001-01-01'"},
        {"inherits nothing", "ALTER ROLE sb_1_ro NOINHERIT"},
        {"lost rights", "REVOKE \"sb_1:owner\" FROM sb_1"},
        {"acts under its own name", "ALTER ROLE sb_1 IN DATABASE sb_1 RESET role"},
        {"more rights", "GRANT \"sb_1:writer\" TO sb_1_ro"},
        {"all rights", "GRANT \"sb_1:owner\" TO sb_1_ro WITH ADMIN OPTION"},
        {"rights elsewhere", "GRANT CONNECT, TEMPORARY ON DATABASE other TO sb_1"},
        {"rights of the server", "ALTER ROLE sb_1 CREATEDB CREATEROLE REPLICATION BYPASSRLS"},
        {"all of it", "ALTER ROLE sb_1 SUPERUSER"},
        {"a role of the server's", "GRANT pg_read_all_data TO sb_1_ro"},
        {"a role of others", "GRANT other TO sb_1_ro"},
        {"everybody may connect", "GRANT CONNECT ON DATABASE sb_1 TO PUBLIC"},
        {"readers may not connect", "REVOKE CONNECT ON DATABASE sb_1 FROM \"sb_1:reader\""},
        {"readers may make schemas", "GRANT CREATE ON DATABASE sb_1 TO \"sb_1:reader\""},
        {"another owner", "ALTER DATABASE sb_1 OWNER TO other"},
        {"nobody may connect", "ALTER DATABASE sb_1 ALLOW_CONNECTIONS false"},
        {"no mark on the owner's group", "COMMENT ON ROLE \"sb_1:owner\" IS NULL"},
        {"its owner names another", "COMMENT ON DATABASE sb_1 IS 'i=lab o=tools/wiki2 u=uid-2'"},
        {"no account", "DROP OWNED BY sb_1; DROP ROLE sb_1"},
        {"no database", "DROP DATABASE sb_1 WITH (FORCE)"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        server().sql(c.harm);
        const auto actions = visit.wanted(object);
        EXPECT_FALSE(actions.empty()) << "not seen";
        visit.must(actions);
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
        EXPECT_EQ(server()
                      .as("sb_1", owner_password, "SET client_min_messages=error; CREATE TABLE IF NOT EXISTS t (i int)",
                          "sb_1")
                      .output,
                  "");
        EXPECT_EQ(server().as("sb_1_ro", "second", "SELECT * FROM t", "sb_1").output, "");
        EXPECT_NE(server().as("sb_1_ro", "second", "INSERT INTO t VALUES (1)", "sb_1").exit_code, 0);
        EXPECT_EQ(server().sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'sb%' AND (rolsuper OR rolcreatedb)"),
                  "0\n");
    }
}

TEST_F(PostgreSQL, SaysWhatItCannotChange) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    object.spec.databases[0].character_set = "latin1";
    const auto actions = visit.wanted(object);
    ASSERT_EQ(actions.size(), 1u);
    const auto answers = visit.act(actions);
    ASSERT_TRUE(answers[0] && !*answers[0]);
    EXPECT_EQ(answers[0]->error().error_class, ErrorClass::invalid) << answers[0]->error().message;
    EXPECT_NE(answers[0]->error().message.find("UTF8"), std::string::npos);

    const struct {
        const char* reason;
        std::function<void(Object&)> change;
    } cases[] = {{"where a user comes from", [](Object& o) { o.spec.users[0].host = "10.0.%"; }},
                 {"a right of MySQL's", [](Object& o) { o.spec.users[0].grants[0].privileges = {Privilege::event}; }},
                 {"half of writing",
                  [](Object& o) { o.spec.users[0].grants[0].privileges = {Privilege::select, Privilege::insert}; }},
                 {"a name that would be cut", [](Object& o) { o.spec.databases[0].name = std::string(57, 'a'); }},
                 {"a reserved name", [](Object& o) { o.spec.users[0].name = "pg_x"; }}};
    for (const auto& c : cases) {
        auto wrong = numbered(9);
        c.change(wrong);
        if (wrong.spec.databases[0].name.size() > 50)
            for (auto& user : wrong.spec.users) user.grants[0].database = wrong.spec.databases[0].name;
        EXPECT_TRUE(visit.wanted(wrong).empty()) << c.reason;
        const auto verdict = visit.report(wrong).verdict;
        EXPECT_EQ(verdict.reason, "InvalidSpec") << c.reason;
        EXPECT_EQ(verdict.state, runtime::Verdict::State::stalled) << c.reason;
    }
}

TEST_F(PostgreSQL, KeepsWhatIsDeletedForAWindow) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = numbered(1);
    object.spec.undelete_window = "1h";
    visit.must(visit.wanted(object));
    const auto log_in = [&] { return server().as("sb_1", owner_password, "SELECT * FROM t", "sb_1"); };
    ASSERT_EQ(server().as("sb_1", owner_password, "CREATE TABLE t (i int); INSERT INTO t VALUES (7)", "sb_1").output,
              "");
    server().sql("CREATE ROLE auditor LOGIN PASSWORD 'a'; GRANT \"sb_1:reader\" TO auditor");
    const auto audited = [&] { return server().as("auditor", "a", "SELECT * FROM t", "sb_1").output; };
    ASSERT_EQ(audited(), "7\n");
    auto leaving = object;
    leaving.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    visit.must(visit.wanted(leaving, true));
    EXPECT_TRUE(visit.wanted(leaving, true).empty());
    EXPECT_NE(log_in().exit_code, 0) << "nobody works with what is deleted";
    EXPECT_EQ(server().sql("SELECT * FROM t", "sb_1"), "7\n");

    const auto over = *parse_rfc3339("2026-07-01T01:00:00Z");
    const auto due = Tenant::lapsed("lab", over, visit.see());
    ASSERT_EQ(due.size(), 1u);
    auto again = object;
    again.metadata.uid = "uid-again";
    visit.must(visit.wanted(again));
    EXPECT_TRUE(visit.wanted(again).empty());
    EXPECT_EQ(log_in().output, "7\n") << "it is back with all that is in it";
    for (const auto& answer : visit.act(due[0].actions))
        EXPECT_TRUE(!*answer && answer->error().error_class == ErrorClass::conflict) << "decided before it came back";
    EXPECT_EQ(log_in().output, "7\n");
    EXPECT_EQ(audited(), "7\n") << "nor are others' rights to it taken";

    again.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    visit.must(visit.wanted(again, true));
    EXPECT_TRUE(Tenant::lapsed("lab", over - std::chrono::seconds(1), visit.see()).empty());
    for (const auto& one : Tenant::lapsed("lab", over, visit.see())) visit.must(one.actions);
    EXPECT_EQ(server().sql("SELECT datname FROM pg_database WHERE datname LIKE 'sb%'"), "");
    EXPECT_EQ(server().sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'sb%'"), "");
}

TEST_F(PostgreSQL, WhatADropLeftBehindGoesWhenItsWindowIsOverToo) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = numbered(1);
    object.spec.undelete_window = "1h";
    visit.must(visit.wanted(object));
    object.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    visit.must(visit.wanted(object, true));
    server().sql("DROP DATABASE sb_1 WITH (FORCE)");  // ours did that, and its answer was lost
    const auto over = *parse_rfc3339("2026-07-01T01:00:00Z");
    EXPECT_TRUE(Tenant::lapsed("lab", over - std::chrono::seconds(1), visit.see()).empty());
    for (const auto& one : Tenant::lapsed("lab", over, visit.see())) visit.must(one.actions);
    EXPECT_EQ(server().sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'sb%'"), "") << "its groups";
}

TEST_F(PostgreSQL, AMarkDoesNotSayThatADatabaseIsWhole) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    // as it is in the middle of being settled, or when that was cut off: readers cannot read yet
    server().sql("COMMENT ON DATABASE sb_1 IS NULL");
    server().sql("REVOKE USAGE ON SCHEMA public FROM \"sb_1:reader\"", "sb_1");
    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty());
    object.metadata.uid = "uid-again";
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    EXPECT_EQ(server().sql("SELECT has_schema_privilege('sb_1:reader', 'public', 'USAGE')", "sb_1"), "t\n");
}

TEST_F(PostgreSQL, DropsWhatIsInUseAndRetainsWhatIsData) {
    auto system = open();
    auto visit = visitor(*system);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    ASSERT_EQ(server()
                  .as("sb_1", owner_password,
                      "CREATE TABLE t (i int); INSERT INTO t VALUES (7); RESET role;"
                      "CREATE TABLE own_name (i int)",
                      "sb_1")
                  .output,
              "");
    server().sql(
        "CREATE ROLE auditor LOGIN; GRANT \"sb_1:reader\" TO auditor; GRANT TEMPORARY ON DATABASE sb_1 TO auditor");

    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty());
    EXPECT_EQ(server().sql("SELECT shobj_description(oid, 'pg_database') LIKE '% retained' FROM pg_database WHERE "
                           "datname='sb_1'"),
              "t\n");
    EXPECT_EQ(server().as("sb_1", owner_password, "SELECT * FROM t", "sb_1").output, "7\n") << "and it still works";

    auto again = object;
    again.metadata.uid = "uid-again";
    visit.must(visit.wanted(again));
    EXPECT_TRUE(visit.ready(again)) << "a new object of the same name takes it over";

    auto less = again;  // the reader stays, the owner goes: what he made in his own name is the database's
    less.spec.users.erase(less.spec.users.begin());
    visit.must(visit.wanted(less));
    EXPECT_EQ(server().sql("SELECT tableowner FROM pg_tables WHERE tablename='own_name'", "sb_1"), "sb_1:owner\n");

    again.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
    visit.must(visit.wanted(again));
    ocim::test::Service session(
        {{"env", "PGPASSWORD=second", "psql", "-X", "-h", "127.0.0.1", "-p", std::to_string(server().port()), "-U",
          "sb_1_ro", "-d", "sb_1", "-c", "SELECT pg_sleep(60)"},
         "",
         {},
         SIGTERM});
    const auto sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'sb%'";
    ASSERT_TRUE(ocim::test::wait_for([&] { return server().sql(sessions) == "1\n"; }));
    visit.must(visit.wanted(again, true));
    EXPECT_TRUE(ocim::test::wait_for([&] { return server().sql(sessions) == "0\n"; })) << "a session went on";
    EXPECT_EQ(server().sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'sb%'"), "");
    EXPECT_EQ(server().sql("SELECT datname FROM pg_database WHERE datname LIKE 'sb%'"), "");
    EXPECT_EQ(server().sql("SELECT rolname FROM pg_roles WHERE rolname = 'auditor'"), "auditor\n");
}

TEST_F(PostgreSQL, TakesOverWhatIsThereWithAllThatIsInIt) {
    auto system = open();
    auto visit = visitor(*system);
    server().sql("CREATE ROLE former LOGIN");
    server().sql("CREATE DATABASE sb_1 OWNER former TEMPLATE template0");
    server().sql("SET ROLE former; CREATE SCHEMA old; CREATE TABLE old.t (i serial); INSERT INTO old.t VALUES (7)",
                 "sb_1");
    auto object = numbered(1);
    EXPECT_EQ(visit.report(object).verdict.reason, "NotOwned");
    object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
    visit.must(visit.wanted(object));
    EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
    EXPECT_EQ(server().as("sb_1_ro", "second", "SELECT i FROM old.t", "sb_1").output, "7\n");
    EXPECT_EQ(
        server().as("sb_1", owner_password, "ALTER TABLE old.t ADD j int; CREATE TABLE old.u (i int)", "sb_1").output,
        "");
    EXPECT_EQ(server().sql("SELECT rolname FROM pg_roles WHERE rolname = 'former'"), "former\n");
}

}  // namespace
}  // namespace ocim::database
