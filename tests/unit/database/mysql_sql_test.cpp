#include "database/mysql_sql.hpp"

#include <crypt.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace ocim::database::mysql {
namespace {

using namespace std::string_literals;
using Verb = Action::Verb;
const Dialect mariadb, mysql8{false, false}, literal_grants{false, true};

Action action(Verb verb, Key key) {
    Action out;
    out.verb = verb;
    out.key = std::move(key);
    return out;
}

TEST(MySQLText, EscapesEveryCharacterThatEndsSomething) {
    const struct {
        const char* reason;
        std::string text, identifier, literal, pattern;
    } cases[] = {
        {"nothing to do", "wiki", "`wiki`", "'wiki'", "wiki"},
        {"a backtick ends an identifier", "a`b", "`a``b`", "'a`b'", "a`b"},
        {"a quote ends a string", "a'b", "`a'b`", "'a''b'", "a'b"},
        {"only quotes", "''", "`''`", "''''''", "''"},
        {"a backslash is itself: sessions have no backslash escapes", "a\\b", "`a\\b`", "'a\\b'", "a\\\\b"},
        {"a backslash before the end", "a\\", "`a\\`", "'a\\'", "a\\\\"},
        {"wildcards of grants", "a_b%c", "`a_b%c`", "'a_b%c'", "a\\_b\\%c"},
        {"a double quote is plain", "a\"b", "`a\"b`", "'a\"b'", "a\"b"},
        {"NUL, newline and control characters", "a\0b\n\r\x1a"s, "`a\0b\n\r\x1a`"s, "'a\0b\n\r\x1a'"s, "a\0b\n\r\x1a"s},
        {"comment and end of statement", "a;-- */ #", "`a;-- */ #`", "'a;-- */ #'", "a;-- */ #"},
        {"UTF-8", "naïve 日本 🎓", "`naïve 日本 🎓`", "'naïve 日本 🎓'", "naïve 日本 🎓"},
        {"empty", "", "``", "''", ""},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(identifier(c.text), c.identifier) << c.reason;
        EXPECT_EQ(literal(c.text), c.literal) << c.reason;
        EXPECT_EQ(pattern(c.text), c.pattern) << c.reason;
        EXPECT_EQ(plain(pattern(c.text)), c.text) << c.reason;
    }
}

TEST(MySQLPassword, HashesAsTheServersDo) {
    // the server's own documentation: PASSWORD('mypass')
    EXPECT_EQ(native_hash(Secret("mypass")), "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
    EXPECT_EQ(native_hash(Secret("")), "*BE1BDEC0AA74B4DCB079943E70528096CCA985F8");
    // as `openssl passwd -5` says
    EXPECT_EQ(sha_crypt(Secret("Hello world!"), "saltstring"), "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    // and what the system's own crypt(3) says, for a password longer than one block
    const std::string many(77, 'x');
    EXPECT_EQ("$5$0123456789abcdef$" + sha_crypt(Secret(many), "0123456789abcdef"),
              crypt(many.c_str(), "$5$0123456789abcdef$"));
    EXPECT_EQ(salted_hash(Secret("x"), "01234567890123456789").substr(0, 27), "$A$005$01234567890123456789");
    EXPECT_EQ(salted_hash(Secret("x"), "01234567890123456789").size(), 27u + 43u);
}

TEST(MySQLPassword, AFingerprintBelongsToOneHashAndOnePassword) {
    const auto print = fingerprint("$A$005$abc", Secret("pass"));
    EXPECT_EQ(print.size(), 64u);
    EXPECT_EQ(print, fingerprint("$A$005$abc", Secret("pass")));
    EXPECT_NE(print, fingerprint("$A$005$abc", Secret("Pass")));
    EXPECT_NE(print, fingerprint("$A$005$abd", Secret("pass")));
}

TEST(MySQLPrivileges, ComeFromColumns) {
    const struct {
        const char *column, *privilege;
    } cases[] = {{"Select_priv", "SELECT"},
                 {"Create_tmp_table_priv", "CREATE TEMPORARY TABLES"},
                 {"Lock_tables_priv", "LOCK TABLES"},
                 {"Grant_priv", "GRANT OPTION"},
                 {"Show_db_priv", "SHOW DATABASES"},
                 {"Repl_client_priv", "REPLICATION CLIENT"},
                 {"Delete_history_priv", "DELETE HISTORY"},
                 {"Create_user_priv", "CREATE USER"},
                 {"Host", ""},
                 {"Db", ""}};
    for (const auto& c : cases) EXPECT_EQ(privilege_of_column(c.column), c.privilege) << c.column;
}

TEST(MySQLErrors, HaveOneClassEach) {
    const struct {
        ErrorClass error_class;
        std::vector<unsigned> codes;
    } cases[] = {
        {ErrorClass::auth, {1044, 1045, 1142, 1227, 1698, 2059}},
        {ErrorClass::rate_limited, {1040, 1203, 1226}},
        {ErrorClass::transient, {1205, 1213, 1290, 1836, 9999}},
        {ErrorClass::unreachable, {1129, 1130, 2002, 2003, 2005, 2006, 2013, 2026, 2027, 2055}},
        {ErrorClass::conflict, {1007, 1008, 1133, 1396, 1410}},
        {ErrorClass::invalid, {1064, 1102, 1115, 1253, 1273, 1470, 1819}},
    };
    for (const auto& c : cases)
        for (const auto code : c.codes) EXPECT_EQ(class_of(code), c.error_class) << code;
    for (const auto code : {2006u, 2013u, 2055u}) EXPECT_TRUE(outcome_unknown(code)) << code;
    for (const auto code : {1045u, 1205u, 2002u, 2003u, 2005u}) EXPECT_FALSE(outcome_unknown(code)) << code;
}

TEST(MySQLNotes, KeepTheirKeys) {
    const Key schema{Key::Kind::schema, "wiki", "", ""}, user{Key::Kind::user, "wiki", "10.0.%", ""};
    for (const auto& key : {schema, user})
        EXPECT_EQ(key_of_note(key.kind == Key::Kind::user ? "user" : "schema", thing_name(key)), key);
    EXPECT_EQ(key_of_note("user", "nobody"), std::nullopt) << "no host";
    EXPECT_EQ(key_of_note("table", "x"), std::nullopt) << "another kind";
    EXPECT_EQ(strike_notes("m", {schema, user}),
              "DELETE FROM `m`.`owned` WHERE (kind, name) IN (('schema','wiki'),('user','wiki@10.0.%'))");
}

TEST(MySQLStatements, FollowTheDialect) {
    const Key user{Key::Kind::user, "wiki", "%", ""}, grant{Key::Kind::grant, "wiki", "%", "wiki\\_a"};
    EXPECT_EQ(create_user(mariadb, user, "*AB"),
              "CREATE USER 'wiki'@'%' IDENTIFIED VIA mysql_native_password USING '*AB'");
    EXPECT_EQ(alter_user(mariadb, user, "*AB", ""),
              std::vector{"ALTER USER 'wiki'@'%' IDENTIFIED VIA mysql_native_password USING '*AB' ACCOUNT UNLOCK"s});
    EXPECT_EQ(alter_user(mariadb, user, "*AB", "*CD"),
              std::vector{"ALTER USER 'wiki'@'%' IDENTIFIED VIA mysql_native_password USING '*AB' OR "
                          "mysql_native_password USING '*CD' ACCOUNT UNLOCK"s});
    EXPECT_EQ(alter_user(mysql8, user, "$A$new", ""),
              (std::vector{"ALTER USER 'wiki'@'%' IDENTIFIED WITH caching_sha2_password AS '$A$new' ACCOUNT UNLOCK"s,
                           "ALTER USER 'wiki'@'%' DISCARD OLD PASSWORD"s}));
    EXPECT_EQ(alter_user(mysql8, user, "$A$new", "$A$old"),
              (std::vector{
                  "ALTER USER 'wiki'@'%' IDENTIFIED WITH caching_sha2_password AS '$A$old' ACCOUNT UNLOCK"s,
                  "ALTER USER 'wiki'@'%' IDENTIFIED WITH caching_sha2_password AS '$A$new' RETAIN CURRENT PASSWORD"s}));
    EXPECT_EQ(create_user(mysql8, user, "$A$"),
              "CREATE USER 'wiki'@'%' IDENTIFIED WITH caching_sha2_password AS '$A$'");
    EXPECT_NE(session_settings(mariadb).find("NO_AUTO_CREATE_USER"), std::string::npos)
        << "or a GRANT makes an account without a password";
    EXPECT_EQ(session_settings(mysql8).find("NO_AUTO_CREATE_USER"), std::string::npos) << "an unknown mode there";

    auto give = action(Verb::grant, grant);
    give.add = {"SELECT"};
    EXPECT_EQ(set_privileges(mariadb, give), std::vector{"GRANT SELECT ON `wiki\\_a`.* TO 'wiki'@'%'"s});
    EXPECT_EQ(set_privileges(literal_grants, give), std::vector{"GRANT SELECT ON `wiki_a`.* TO 'wiki'@'%'"s})
        << "partial_revokes takes names as they are";
}

TEST(MySQLStatements, NeverTakeWhatIsWantedWhereTheLanguageAllowsIt) {
    const Key one{Key::Kind::grant, "u", "%", "d"}, whole{Key::Kind::grant, "u", "%", "*"};
    const struct {
        const char* reason;
        Key key;
        std::set<std::string> add, take;
        std::vector<std::string> statements;
    } cases[] = {
        {"what is too much goes last",
         one,
         {"SELECT"},
         {"DROP", "INSERT"},
         {"GRANT SELECT ON `d`.* TO 'u'@'%'", "REVOKE DROP, INSERT ON `d`.* FROM 'u'@'%'"}},
        {"ALL cannot be taken in part",
         one,
         {"SELECT"},
         {"ALL", "GRANT OPTION"},
         {"REVOKE ALL PRIVILEGES ON `d`.* FROM 'u'@'%'", "GRANT SELECT ON `d`.* TO 'u'@'%'",
          "REVOKE GRANT OPTION ON `d`.* FROM 'u'@'%'"}},
        {"of the whole server there is more than columns show",
         whole,
         {"CREATE USER"},
         {"FILE"},
         {"REVOKE ALL PRIVILEGES ON *.* FROM 'u'@'%'", "GRANT CREATE USER ON *.* TO 'u'@'%'"}},
        {"only more", one, {"ALL"}, {}, {"GRANT ALL ON `d`.* TO 'u'@'%'"}},
        {"all of it", one, {}, {"SELECT"}, {"REVOKE SELECT ON `d`.* FROM 'u'@'%'"}},
    };
    for (const auto& c : cases) {
        auto given = action(Verb::grant, c.key);
        given.add = c.add;
        given.take = c.take;
        EXPECT_EQ(set_privileges(mariadb, given), c.statements) << c.reason;
    }
}

}  // namespace
}  // namespace ocim::database::mysql
