#include "database/postgresql_connection.hpp"
#include "integration/database/postgresql.hpp"
#include "net/tls.hpp"
#include "support/cut.hpp"
#include "support/scripted_peer.hpp"

#include <chrono>
#include <iostream>

/// A PostgreSQL server in trouble, and one with many tenants.
namespace ocim::database {
namespace {

using namespace std::chrono_literals;
using Object = crd::DatabaseTenant;
using ocim::test::Visitor;
using test::numbered;
using test::postgresql_object;

class PostgreSQLInTrouble : public test::WithPostgreSQL {};

TEST_F(PostgreSQLInTrouble, IsSaidByItsClass) {
    auto system = open();
    auto visit = visitor(*system);
    const auto object = numbered(1);
    ASSERT_TRUE(loop.run(system->probe()));
    const auto actions = visit.wanted(object);

    server().service().stop();
    EXPECT_EQ(visit.look().error().error_class, ErrorClass::unreachable);
    EXPECT_EQ(loop.run(system->probe()).error().error_class, ErrorClass::unreachable);
    for (const auto& answer : visit.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::unreachable);
    server().restart();
    ASSERT_TRUE(loop.run(system->probe())) << "recovery is automatic";
    visit.must(visit.wanted(object));

    server().service().freeze();
    const auto began = loop.clock().now();
    EXPECT_EQ(loop.run(system->probe()).error().error_class, ErrorClass::unreachable);
    EXPECT_LT(loop.clock().now() - began, 5s) << "the runtime's limit for a probe";
    server().service().thaw();

    server().sql("ALTER ROLE ocim PASSWORD 'new'");
    const auto refused = loop.run(system->probe());
    EXPECT_EQ(refused.error().error_class, ErrorClass::auth) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("admin's"), std::string::npos) << "no password in a message";
    server().sql("ALTER ROLE ocim PASSWORD 'admin''s' NOSUPERUSER");
    auto poor = open();
    const auto seen = loop.run(poor->observe());
    ASSERT_FALSE(seen) << "an account that sees nothing must not say that nothing is there";
    EXPECT_EQ(seen.error().error_class, ErrorClass::auth) << seen.error().message;
    server().sql("ALTER ROLE ocim SUPERUSER");
}

TEST_F(PostgreSQLInTrouble, TakesNobodyElseForAServer) {
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n"},
                 {"zeros", std::string(4096, '\0')},
                 {"a message of 2 GB that never comes", "R\x7f\xff\xff\xff" + std::string(4, '\0')},
                 {"half a greeting", std::string("R\0\0\0", 4)},
                 {"silence", ""}};
    for (const auto& c : cases) {
        ocim::test::ScriptedPeer peer([&](ocim::test::RawSocket& socket, int) {
            socket.send(c.text);
            socket.closes_within(2s);
        });
        auto system = open(postgresql_object(peer.port()));
        ASSERT_TRUE(system);
        const auto began = loop.clock().now();
        const auto probed = loop.run((*system)->probe());
        ASSERT_FALSE(probed) << c.reason;
        EXPECT_EQ(probed.error().error_class, ErrorClass::unreachable) << c.reason << ": " << probed.error().message;
        EXPECT_LT(loop.clock().now() - began, 5s) << c.reason;
    }
}

/// A message of the server: its letter, its length, its text.
std::string message(char letter, const std::string& text) {
    const auto size = static_cast<std::uint32_t>(text.size() + 4);
    std::string out(1, letter);
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift);
    return out + text;
}

TEST_F(PostgreSQLInTrouble, AnAnswerWithoutAnEndIsNotWaitedForWithoutOne) {
    using namespace std::string_literals;
    ocim::test::ScriptedPeer peer([](ocim::test::RawSocket& socket, int) {
        socket.send(message('R', "\0\0\0\0"s) + message('Z', "I"));
        socket.read_until("SELECT 1");
        // one column: its name, of no table, of the type text and of any length
        const auto column = "x\0"s + std::string(6, '\0') + "\0\0\0\x19"s + std::string(6, '\xff') + "\0\0"s;
        socket.send(message('1', "") + message('2', "") + message('T', "\0\1"s + column));
        const auto row = message('D', "\0\1\0\0\0\1x"s);
        while (!socket.closes_within(200ms)) socket.send(row);  // each comes long before a row would be given up
    });
    postgresql::ConnectionSettings settings;
    settings.host = "127.0.0.1";
    settings.port = peer.port();
    settings.username = "ocim";
    settings.tls = postgresql::ConnectionSettings::Tls::disabled;
    settings.reply_seconds = 2;
    auto connection = postgresql::Connection::open(settings);
    ASSERT_TRUE(connection) << connection.error().message;
    const auto began = std::chrono::steady_clock::now();
    const auto answer = (*connection)->query("SELECT 1");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().error_class, ErrorClass::unreachable) << answer.error().message;
    EXPECT_TRUE(answer.error().outcome_unknown);
    EXPECT_NE(answer.error().message.find("within 2 s"), std::string::npos) << answer.error().message;
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

TEST_F(PostgreSQLInTrouble, ASessionThatTheServerEndedIsOfNoMoreUse) {
    using namespace std::string_literals;
    for (const auto& severity : {"FATAL"s, "PANIC"s, "ERROR"s}) {
        SCOPED_TRACE(severity);
        ocim::test::ScriptedPeer peer([&](ocim::test::RawSocket& socket, int) {
            socket.send(message('R', "\0\0\0\0"s) + message('Z', "I"));
            socket.read_until("SELECT 1");
            // a state that by itself says nothing of the session
            socket.send(message('E', "S" + severity + "\0V"s + severity + "\0CXX000\0Mwhatever\0\0"s));
            if (severity != "ERROR") return;
            socket.send(message('Z', "I"));
            socket.closes_within(5s);
        });
        postgresql::ConnectionSettings settings;
        settings.host = "127.0.0.1";
        settings.port = peer.port();
        settings.username = "ocim";
        settings.tls = postgresql::ConnectionSettings::Tls::disabled;
        auto connection = postgresql::Connection::open(settings);
        ASSERT_TRUE(connection) << connection.error().message;
        const auto answer = (*connection)->query("SELECT 1");
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().error_class, severity == "ERROR" ? ErrorClass::transient : ErrorClass::unreachable)
            << answer.error().message;
    }
}

TEST_F(PostgreSQLInTrouble, ConvergesWhicheverAnswerIsLost) {
    const auto object = numbered(1);
    auto direct = open();
    auto look = visitor(*direct);
    const auto sweep = [&](bool deleting) {
        bool cut_one = true;
        int lost = 1;
        for (; cut_one && lost < 200; ++lost) {
            SCOPED_TRACE((deleting ? "deleting, answer " : "creating, answer ") + std::to_string(lost));
            if (deleting) look.must(look.wanted(object));
            const auto actions = look.wanted(object, deleting);
            ocim::test::Cut cut(server().port(), lost);
            auto opened = open(postgresql_object(cut.port()));
            auto through = visitor(**opened);
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
    };
    sweep(false);
    sweep(true);
}

TEST_F(PostgreSQLInTrouble, TakesAFewStatementsForManyTenants) {
    constexpr int count = 50;
    auto system = open();
    auto visit = visitor(*system);
    std::vector<Object> objects;
    for (int n = 0; n < count; ++n) objects.push_back(numbered(n));
    const auto actions = visit.wanted(objects);
    EXPECT_EQ(actions.size(), 5u * count) << "a database, two accounts, two rights each";
    auto before = server().statements("ocim");
    visit.act(actions);
    const auto created = server().statements("ocim") - before;
    before = server().statements("ocim");
    const auto seen = visit.see();
    const auto looked = server().statements("ocim") - before;
    EXPECT_EQ(looked, 5) << "one look, whatever the number";
    for (const auto& object : objects)
        ASSERT_TRUE(Tenant::diff(object, visit.inputs(), seen).empty()) << object.metadata.name;
    const auto removal = visit.wanted(objects, true);
    before = server().statements("ocim");
    visit.act(removal);
    const auto removed = server().statements("ocim") - before;
    std::cout << "per 1,000 tenants: create " << created * 1000 / count << ", look " << looked << ", delete "
              << removed * 1000 / count << " statements\n";
    EXPECT_GE(created, 5 * count) << "the count counts";
    EXPECT_LE(created, 12 * count + 8) << "a text of several statements is one";
    EXPECT_LE(removed, 16 * count + 8);
    EXPECT_TRUE(Tenant::marked(visit.see()).empty());
}

}  // namespace
}  // namespace ocim::database
