#include "database/mysql_connection.hpp"
#include "integration/database/fixture.hpp"
#include "net/tls.hpp"
#include "support/mariadb.hpp"
#include "support/scripted_peer.hpp"

#include <thread>

namespace ocim::database {
namespace {

using namespace std::chrono_literals;
using ocim::test::MariaDB;
using runtime::Verdict;
using test::Object;
using test::Privilege;
using test::RealLoop;
using test::Visitor;

crd::DatabaseServer server_object(std::uint16_t port) {
    crd::DatabaseServer out;
    out.metadata.name = "mysql1";
    out.spec.mysql.emplace();
    out.spec.mysql->host = "127.0.0.1";
    out.spec.mysql->port = port;
    out.spec.credentials_ref.name = "admin";
    return out;
}

Object numbered(int n) { return test::numbered_tenant(n, "mysql1"); }

class MySQL : public test::WithServer {
protected:
    explicit MySQL(std::vector<std::string> options = {})
        : WithServer("p'\"`\\ä 日本\t;--"), mariadb(std::move(options)) {
        mariadb.sql("CREATE USER ocim@'%' IDENTIFIED BY 'admin''s'; GRANT ALL ON *.* TO ocim@'%' WITH GRANT OPTION");
    }
    crd::DatabaseServer declared() override { return server_object(mariadb.port()); }

    MariaDB mariadb;
};

TEST_F(MySQL, KeepsTheContract) {
    auto server = open();
    auto visit = visitor(*server);
    ocim::test::ContractCase<Tenant> given;
    given.object = numbered;
    given.changed = [](Object object) {
        object.spec.users[1].grants[0].privileges = {Privilege::select, Privilege::insert};
        object.spec.users[0].grants.push_back({"*", {Privilege::create_user}});
        object.spec.databases.push_back({"sb_extra", "latin1", "latin1_swedish_ci"});
        return object;
    };
    given.adopting = [](Object object) {
        object.spec.adoption_policy = Object::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) {
        const auto name = "sb_" + std::to_string(n);
        mariadb.sql("CREATE DATABASE " + name + " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci; CREATE USER '" +
                    name + "'@'%' IDENTIFIED BY 'theirs'; CREATE USER '" + name +
                    "_ro'@'%' IDENTIFIED BY 'theirs'; GRANT SELECT ON `sb\\_" + std::to_string(n) + "`.* TO '" + name +
                    "'@'%'");
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

TEST_F(MySQL, GivesTenantsWhatWasDeclaredAndNoMore) {
    auto server = open();
    auto visit = visitor(*server);
    const auto one = numbered(1);
    mariadb.sql("CREATE DATABASE sbX1; CREATE TABLE sbX1.t (i INT)");
    visit.must(visit.wanted({one, numbered(2)}));
    EXPECT_EQ(
        mariadb.as("sb_1", owner_password, "CREATE TABLE t (s TEXT); INSERT INTO t VALUES ('é日🎓')", "sb_1").output,
        "");
    EXPECT_EQ(mariadb.as("sb_1_ro", "second", "SELECT s FROM t", "sb_1").output, "é日🎓\n");
    EXPECT_NE(mariadb.as("sb_1_ro", "second", "INSERT INTO t VALUES ('x')", "sb_1").exit_code, 0);
    EXPECT_NE(mariadb.as("sb_1", owner_password, "SELECT * FROM sbX1.t").exit_code, 0) << "_ is no wildcard";
    EXPECT_NE(mariadb.as("sb_1", owner_password, "SHOW TABLES", "sb_2").exit_code, 0);
    EXPECT_NE(mariadb.as("sb_1", "wrong", "SELECT 1").exit_code, 0);
    EXPECT_EQ(mariadb.sql("SELECT name FROM ocim_meta.owned WHERE kind='schema' ORDER BY 1"), "sb_1\nsb_2\n");
}

TEST_F(MySQL, CompletesTheNotesOfAnEarlierRelease) {
    mariadb.sql(
        "CREATE DATABASE ocim_meta; CREATE TABLE ocim_meta.owned (kind VARCHAR(16), name VARCHAR(330), installation "
        "VARCHAR(64), namespace_name VARCHAR(330), uid VARCHAR(64), retained TINYINT DEFAULT 0, fingerprint "
        "VARCHAR(64) "
        "DEFAULT '', created TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (kind, name)) ENGINE=InnoDB;"
        "CREATE DATABASE sb_1; INSERT INTO ocim_meta.owned (kind, name, installation, namespace_name, uid) VALUES "
        "('schema', 'sb_1', 'lab', 'tools/wiki1', 'uid-1')");
    auto server = open();
    auto visit = visitor(*server);
    EXPECT_TRUE(visit.see().at({Key::Kind::schema, "sb_1", "", ""}).mark) << "what is noted there counts";
    visit.must(visit.wanted(numbered(1)));
    EXPECT_TRUE(visit.wanted(numbered(1)).empty());
}

TEST_F(MySQL, PutsDriftRight) {
    auto server = open();
    auto visit = visitor(*server);
    const auto object = numbered(1);
    visit.must(visit.wanted(object));
    mariadb.sql("CREATE DATABASE other");
    const struct {
        const char* reason;
        const char* harm;
    } cases[] = {
        {"character set", "ALTER DATABASE sb_1 CHARACTER SET latin1"},
        {"password", "SET PASSWORD FOR sb_1@'%' = PASSWORD('other')"},
        {"method", "ALTER USER sb_1@'%' IDENTIFIED VIA unix_socket"},
        {"a second password",
         "ALTER USER sb_1@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('a') OR mysql_native_password USING "
         "PASSWORD('b')"},
        {"locked", "ALTER USER sb_1@'%' ACCOUNT LOCK"},
        {"lost rights", "REVOKE ALL ON `sb\\_1`.* FROM sb_1@'%'"},
        {"more rights", "GRANT INSERT ON `sb\\_1`.* TO sb_1_ro@'%'"},
        {"all rights", "GRANT ALL ON `sb\\_1`.* TO sb_1_ro@'%' WITH GRANT OPTION"},
        {"rights elsewhere", "GRANT SELECT ON other.* TO sb_1@'%'"},
        {"rights by a wildcard", "GRANT SELECT ON `sb_1`.* TO sb_1_ro@'%'"},
        {"rights of the server", "GRANT FILE, SUPER ON *.* TO sb_1@'%' WITH GRANT OPTION"},
        {"no account", "DROP USER sb_1@'%'"},
        {"no database", "DROP DATABASE sb_1"},
        {"no notes",
         "DELETE FROM ocim_meta.owned WHERE name='no'; DROP DATABASE sb_1; DROP USER sb_1@'%', sb_1_ro@'%'"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        mariadb.sql(c.harm);
        const auto actions = visit.wanted(object);
        EXPECT_FALSE(actions.empty()) << "not seen";
        visit.must(actions);
        EXPECT_TRUE(visit.ready(object)) << visit.report(object).verdict.message;
        EXPECT_EQ(mariadb.as("sb_1", owner_password, "CREATE TABLE IF NOT EXISTS t (i INT)", "sb_1").output, "");
        EXPECT_EQ(mariadb.as("sb_1_ro", "second", "SELECT * FROM t", "sb_1").output, "");
        EXPECT_EQ(
            mariadb.sql("SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='sb_1'"),
            "utf8mb4_unicode_ci\n");
        EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM mysql.db"), "2\n");
        EXPECT_EQ(mariadb.sql("SHOW GRANTS FOR sb_1@'%'").find("FILE"), std::string::npos);
    }
}

TEST_F(MySQL, DropsWhatIsInUseAndRetainsWhatIsData) {
    auto server = open();
    auto visit = visitor(*server);
    auto object = numbered(1);
    visit.must(visit.wanted(object));
    mariadb.sql(
        "CREATE TABLE sb_1.t (i INT); INSERT INTO sb_1.t VALUES (7); CREATE USER auditor@'%';"
        "GRANT SELECT ON `sb\\_1`.* TO auditor@'%'");

    object.spec.deletion_policy = Object::Spec::DeletionPolicy::retain;
    visit.must(visit.wanted(object, true));
    EXPECT_TRUE(visit.wanted(object, true).empty());
    EXPECT_EQ(mariadb.sql("SELECT DISTINCT retained FROM ocim_meta.owned"), "1\n");
    EXPECT_EQ(mariadb.as("sb_1", owner_password, "SELECT * FROM t", "sb_1").output, "7\n") << "and it still works";

    auto again = object;
    again.metadata.uid = "uid-again";
    again.spec.deletion_policy = Object::Spec::DeletionPolicy::delete_;
    visit.must(visit.wanted(again));
    EXPECT_TRUE(visit.ready(again)) << "a new object of the same name takes it over";

    // a session of the tenant sleeps in the server
    const auto password = ocim::test::TempDir();
    ocim::test::write_file(password.file("cnf"), "[client]\npassword=second\n");
    ocim::test::Service session({{"mariadb", "--defaults-file=" + password.file("cnf"), "-h", "127.0.0.1", "-P",
                                  std::to_string(mariadb.port()), "-u", "sb_1_ro", "-e", "SELECT SLEEP(60)", "sb_1"},
                                 "",
                                 {},
                                 SIGTERM});
    const auto sessions = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER LIKE 'sb%'";
    ASSERT_TRUE(ocim::test::wait_for([&] { return mariadb.sql(sessions) == "1\n"; }));
    visit.must(visit.wanted(again, true));
    EXPECT_TRUE(ocim::test::wait_for([&] { return mariadb.sql(sessions) == "0\n"; })) << "a session went on";
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'sb%'"), "0\n");
    EXPECT_EQ(mariadb.sql("SHOW DATABASES LIKE 'sb%'"), "");
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM mysql.db"), "0\n") << "rights of others to it";
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM mysql.user WHERE User='auditor'"), "1\n");
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM ocim_meta.owned"), "0\n");
}

TEST_F(MySQL, KeepsWhatIsDeletedForAWindow) {
    auto server = open();
    auto visit = visitor(*server);
    auto object = numbered(1);
    object.spec.undelete_window = "1h";
    visit.must(visit.wanted(object));
    const auto log_in = [&] { return mariadb.as("sb_1", owner_password, "SELECT * FROM t", "sb_1"); };
    ASSERT_EQ(mariadb.as("sb_1", owner_password, "CREATE TABLE t (i int); INSERT INTO t VALUES (7)", "sb_1").output,
              "");
    mariadb.sql("CREATE USER auditor@'%' IDENTIFIED BY 'a'; GRANT SELECT ON `sb\\_1`.* TO auditor@'%'");
    const auto audited = [&] { return mariadb.as("auditor", "a", "SELECT * FROM t", "sb_1").output; };
    ASSERT_EQ(audited(), "7\n");
    auto leaving = object;
    leaving.metadata.deletion_timestamp = "2026-07-01T00:00:00Z";
    visit.must(visit.wanted(leaving, true));
    EXPECT_TRUE(visit.wanted(leaving, true).empty());
    EXPECT_NE(log_in().exit_code, 0) << "nobody works with what is deleted";
    EXPECT_EQ(mariadb.sql("SELECT * FROM sb_1.t"), "7\n");

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
    EXPECT_TRUE(Tenant::lapsed("lab", over - 1s, visit.see()).empty());
    for (const auto& one : Tenant::lapsed("lab", over, visit.see())) visit.must(one.actions);
    EXPECT_EQ(mariadb.sql("SHOW DATABASES LIKE 'sb%'"), "");
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'sb%'"), "0\n");
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM mysql.db WHERE User='auditor'"), "0\n");
    EXPECT_EQ(mariadb.sql("SELECT COUNT(*) FROM ocim_meta.owned"), "0\n");
}

TEST_F(MySQL, TakesAFewStatementsForManyTenants) {
    auto server = open();
    auto visit = visitor(*server);
    std::vector<Object> objects;
    for (int n = 0; n < 100; ++n) objects.push_back(numbered(n));
    const auto actions = visit.wanted(objects);
    EXPECT_EQ(actions.size(), 500u) << "a database, two accounts, two rights each";
    const auto counting = mariadb.questions();  // itself one statement when asked again, and a ping
    visit.act(actions);
    const auto spent = mariadb.questions() - counting;
    // one a database, account and right; 3 for every 500 actions; 2 make the notes; 3 of our session and the count's
    EXPECT_LE(spent, 500 + 3 + 2 + 8) << spent;
    EXPECT_GE(spent, 500) << "the count counts";
    const auto before = mariadb.questions();
    const auto seen = visit.see();
    EXPECT_LE(mariadb.questions() - before, 8) << "one look, whatever the number";
    for (const auto& object : objects)
        ASSERT_TRUE(Tenant::diff(object, visit.inputs(), seen).empty()) << object.metadata.name;
}

TEST_F(MySQL, SaysWhatIsWrongWithTheServer) {
    auto server = open();
    auto visit = visitor(*server);
    const auto object = numbered(1);
    ASSERT_TRUE(loop.run(server->probe()));
    const auto actions = visit.wanted(object);

    mariadb.service().stop();
    EXPECT_EQ(visit.look().error().error_class, ErrorClass::unreachable);
    EXPECT_EQ(loop.run(server->probe()).error().error_class, ErrorClass::unreachable);
    for (const auto& answer : visit.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::unreachable);
    mariadb.restart();
    ASSERT_TRUE(loop.run(server->probe())) << "recovery is automatic";
    visit.must(visit.wanted(object));

    mariadb.service().freeze();
    const auto began = loop.clock().now();
    EXPECT_EQ(loop.run(server->probe()).error().error_class, ErrorClass::unreachable);
    EXPECT_LT(loop.clock().now() - began, 5s) << "the runtime's limit for a probe";
    mariadb.service().thaw();

    mariadb.sql("ALTER USER ocim@'%' IDENTIFIED BY 'new'");
    const auto refused = loop.run(server->probe());
    EXPECT_EQ(refused.error().error_class, ErrorClass::auth);
    EXPECT_EQ(refused.error().message.find("admin's"), std::string::npos) << "no password in a message";
    mariadb.sql("ALTER USER ocim@'%' IDENTIFIED BY 'admin''s'; REVOKE ALL, GRANT OPTION FROM ocim@'%'");
    auto poor = open();
    auto seen = loop.run(poor->observe());
    ASSERT_FALSE(seen) << "an account that sees nothing must not say that nothing is there";
    EXPECT_EQ(seen.error().error_class, ErrorClass::auth) << seen.error().message;
}

TEST_F(MySQL, TakesNobodyElseForAServer) {
    const std::string packet = "\x05\x00\x00\x00\x0ahello";  // a greeting that breaks off
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n"},
                 {"zeros", std::string(4096, '\0')},
                 {"a packet of 16 MB that never comes", "\xff\xff\xff" + std::string(1, '\0')},
                 {"half a greeting", packet},
                 {"silence", ""}};
    for (const auto& c : cases) {
        ocim::test::ScriptedPeer peer([&](ocim::test::RawSocket& socket, int) {
            socket.send(c.text);
            socket.closes_within(2s);
        });
        auto server = open(server_object(peer.port()));
        ASSERT_TRUE(server);
        const auto began = loop.clock().now();
        const auto probed = loop.run((*server)->probe());
        ASSERT_FALSE(probed) << c.reason;
        EXPECT_EQ(probed.error().error_class, ErrorClass::unreachable) << c.reason << ": " << probed.error().message;
        EXPECT_LT(loop.clock().now() - began, 5s) << c.reason;
        EXPECT_FALSE(loop.run((*server)->observe())) << c.reason;
    }
}

/// A server that speaks TLS, with a certificate for the name localhost.
class MySQLWithTls : public MySQL {
protected:
    MySQLWithTls() : MySQL(certificates()) {}
    std::vector<std::string> certificates() {
        auto made = net::make_ca("test", loop_clock());
        ca = *std::move(made);
        net::CertificateRequest request;
        request.common_name = "localhost";
        request.dns_names = {"localhost"};
        request.server = true;
        const auto own = net::issue_certificate(ca, request, loop_clock());
        ocim::test::write_file(files.file("cert"), own->certificate);
        ocim::test::write_file(files.file("key"), own->private_key.reveal());
        return {"--ssl-cert=" + files.file("cert"), "--ssl-key=" + files.file("key")};
    }
    static WallTime loop_clock() { return RealLoop().clock().wall(); }
    inline static net::KeyPair ca;
    inline static ocim::test::TempDir files;
};

TEST_F(MySQLWithTls, IsHeldToItsCertificate) {
    using Mode = crd::DatabaseServer::Spec::Mysql::Tls::Mode;
    inputs.add(test::secret("ocim-system", "authorities", {{"ca.crt", ca.certificate}}));
    const auto other = net::make_ca("other", loop.clock().wall());
    inputs.add(test::secret("ocim-system", "others", {{"ca.crt", other->certificate}}));
    mariadb.sql("ALTER USER ocim@'%' REQUIRE SSL");
    const struct {
        const char* reason;
        const char* host;
        std::optional<Mode> mode;
        const char* authorities;
        std::optional<ErrorClass> fails;
    } cases[] = {
        {"as it should be", "localhost", Mode::verify_identity, "authorities", {}},
        {"a certificate for another name", "127.0.0.1", Mode::verify_identity, "authorities", ErrorClass::unreachable},
        {"another authority", "localhost", Mode::verify_identity, "others", ErrorClass::unreachable},
        {"the system's authorities", "localhost", Mode::verify_identity, "", ErrorClass::unreachable},
        {"encrypted only", "127.0.0.1", Mode::required, "", {}},
        {"in the clear, which this account may not", "127.0.0.1", Mode::disabled, "", ErrorClass::auth},
        {"the default of a loopback address", "127.0.0.1", {}, "", ErrorClass::auth},
    };
    for (const auto& c : cases) {
        auto object = server_object(mariadb.port());
        object.spec.mysql->host = c.host;
        object.spec.mysql->tls.mode = c.mode;
        if (*c.authorities != '\0') object.spec.mysql->tls.ca_ref = api::LocalRef{c.authorities};
        auto server = open(object);
        ASSERT_TRUE(server) << c.reason << ": " << server.error().message;
        const auto seen = loop.run((*server)->observe());
        EXPECT_EQ(seen ? std::nullopt : std::optional(seen.error().error_class), c.fails)
            << c.reason << ": " << (seen ? "it works" : seen.error().message);
    }
}

TEST_F(MySQL, RefusesToSpeakInTheClearElsewhere) {
    auto object = server_object(mariadb.port());
    object.spec.mysql->tls.mode = crd::DatabaseServer::Spec::Mysql::Tls::Mode::required;
    auto server = open(object);  // which has no certificate
    const auto probed = loop.run((*server)->probe());
    ASSERT_FALSE(probed);
    EXPECT_EQ(probed.error().error_class, ErrorClass::unreachable) << probed.error().message;
    EXPECT_NE(probed.error().message.find("TLS"), std::string::npos) << probed.error().message;
}

TEST_F(MySQL, TellsNobodyItsPassword) {
    using namespace std::string_literals;
    // a common greeting, and then the wish for another way to log in
    const auto greeting = "\x0a"s + "5.5.5-10.11.0-MariaDB\0"s + "\x01\0\0\0"s + "12345678\0"s + "\xfe\xf7"s + "\x21"s +
                          "\x02\0"s + "\xff\x81"s + "\x15"s + std::string(10, '\0') + "123456789012\0"s +
                          "mysql_native_password\0"s;
    const auto change = "\xfe"s + "mysql_clear_password\0"s;
    const auto packet = [](char number, const std::string& body) {
        return std::string({static_cast<char>(body.size()), '\0', '\0', number}) + body;
    };
    std::string heard;
    std::optional<ocim::test::ScriptedPeer> peer;
    peer.emplace([&](ocim::test::RawSocket& socket, int) {
        socket.send(packet(0, greeting));
        heard += socket.read_some(5s);
        socket.send(packet(2, change));
        heard += socket.read_some(5s);
    });
    auto server = open(server_object(peer->port()));
    ASSERT_TRUE(server);
    EXPECT_FALSE(loop.run((*server)->probe()));
    peer.reset();
    EXPECT_NE(heard.find("ocim"), std::string::npos) << "it did try to log in";
    EXPECT_EQ(heard.find("admin's"), std::string::npos) << "the password went out in the clear";
}

TEST_F(MySQL, LeavesTheCredentialsSecretToSayWhatItLacks) {
    runtime::Inputs none;
    const auto opened = Tenant::open(server_object(1), none, services);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("ocim-system/admin has no key \"username\""), std::string::npos);
}

TEST_F(MySQL, SendsEveryTextUnchanged) {
    mysql::ConnectionSettings settings;
    settings.host = "127.0.0.1";
    settings.port = mariadb.port();
    settings.username = "ocim";
    settings.password = Secret("admin's");
    settings.tls = mysql::ConnectionSettings::Tls::disabled;
    auto connection = mysql::Connection::open(settings);
    ASSERT_TRUE(connection);
    std::string all;
    for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
    for (const auto& text :
         {all, std::string("\\'"), std::string("'\\"), std::string("日本 🎓 naïve"), std::string("\0'", 2)}) {
        auto said = (*connection)->query("SELECT " + mysql::literal(text));
        ASSERT_TRUE(said) << said.error().message;
        EXPECT_EQ(said->rows[0][0], text);
    }
    for (const auto& name : {std::string("a`b``c"), std::string("a'\"\\;-- #/*b"), std::string("日本 naïve\t\n")}) {
        auto said = (*connection)->query("SELECT 1 AS " + mysql::identifier(name));
        ASSERT_TRUE(said) << said.error().message;
        EXPECT_EQ(said->columns[0], name);
    }
    const auto error = (*connection)->query("SELECT 'secret' nonsense from from");
    ASSERT_FALSE(error);
    EXPECT_EQ(error.error().message.find("secret"), std::string::npos) << "a statement may hold a hash";
}

}  // namespace
}  // namespace ocim::database
