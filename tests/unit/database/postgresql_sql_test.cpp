#include "database/postgresql_sql.hpp"

#include <gtest/gtest.h>

namespace ocim::database::postgresql {
namespace {

TEST(PostgreSQLLanguage, QuotesWhateverItIsGiven) {
    EXPECT_EQ(identifier("a\"b;--"), "\"a\"\"b;--\"");
    EXPECT_EQ(literal("it's \\"), "'it''s \\'");
    EXPECT_EQ(array({}), "{}");
    EXPECT_EQ(array({"a", "b\"c\\", "{,}"}), R"({"a","b\"c\\","{,}"})");
}

TEST(PostgreSQLLanguage, KnowsAVerifierFromAPasswordThatLooksLikeOne) {
    const std::string key(43, 'A');
    const auto good = "SCRAM-SHA-256$4096:c2FsdA==$" + key + "=:" + key + "=";
    EXPECT_TRUE(is_verifier(good));
    const struct {
        const char* reason;
        std::string text;
    } cases[] = {{"nothing", ""},
                 {"md5", "md5d41d8cd98f00b204e9800998ecf8427e"},
                 {"the word alone", "SCRAM-SHA-256$"},
                 {"no rounds", "SCRAM-SHA-256$:c2FsdA==$" + key + "=:" + key + "="},
                 {"rounds in words", "SCRAM-SHA-256$many:c2FsdA==$" + key + "=:" + key + "="},
                 {"a short key", "SCRAM-SHA-256$4096:c2FsdA==$QUFB:" + key + "="},
                 {"one key only", "SCRAM-SHA-256$4096:c2FsdA==$" + key + "="},
                 {"a cut one", good.substr(0, good.size() - 4)}};
    for (const auto& c : cases) EXPECT_FALSE(is_verifier(c.text)) << c.reason;
}

TEST(PostgreSQLLanguage, NamesTheGroupsOfADatabase) {
    for (const auto which : groups) {
        const auto of = group_of(group("wiki_main", which));
        ASSERT_TRUE(of);
        EXPECT_EQ(of->database, "wiki_main");
        EXPECT_EQ(of->which, which);
    }
    for (const std::string name : {"wiki", "wiki:", ":owner", "wiki:admin"}) EXPECT_FALSE(group_of(name)) << name;
}

TEST(PostgreSQLLanguage, KeepsAFingerprintBesideTheMark) {
    const runtime::Mark mark{"lab", "tools/wiki", "uid-1", true};
    EXPECT_EQ(parse_remark(remark_text(Remark{mark})).mark, mark);
    const auto both = parse_remark(remark_text({mark, "abc123"}));
    const auto going = parse_remark(remark_text({mark, "abc123", 1'782'864'000}));
    EXPECT_EQ(going.mark, mark);
    EXPECT_EQ(going.fingerprint, "abc123");
    EXPECT_EQ(going.ends, 1'782'864'000);
    EXPECT_EQ(both.ends, std::nullopt);
    EXPECT_EQ(parse_remark(mark.text() + " x=soon").mark, std::nullopt) << "not of our form";
    EXPECT_EQ(both.mark, mark);
    EXPECT_EQ(both.fingerprint, "abc123");
    EXPECT_FALSE(parse_remark("the wiki's, ask Ann f=1").mark);
    EXPECT_EQ(parse_remark("the wiki's, ask Ann f=1").fingerprint, "");
}

TEST(PostgreSQLLanguage, SetsRightsToExactlyWhatIsWanted) {
    const std::set<std::string> have{"w", "w:owner", "w:writer", "w:reader"};
    const Key to_database{Key::Kind::grant, "u", "%", "w"}, to_server{Key::Kind::grant, "u", "%", "*"};
    EXPECT_EQ(set_rights(to_database, {"SELECT", "TEMPORARY"}, {}, have),
              "REVOKE \"w:owner\" FROM \"u\"; REVOKE \"w:writer\" FROM \"u\"; GRANT \"w:reader\" TO \"u\"; "
              "REVOKE ADMIN OPTION FOR \"w:reader\" FROM \"u\"; REVOKE ALL ON DATABASE \"w\" FROM \"u\"; "
              "GRANT TEMPORARY ON DATABASE \"w\" TO \"u\"; ALTER ROLE \"u\" IN DATABASE \"w\" RESET role");
    EXPECT_EQ(set_rights(to_database, {}, {"ALL"}, {}), "") << "nothing is there to take a right to";
    EXPECT_EQ(set_rights(to_server, {"CREATEDB"}, {"SUPERUSER", "MEMBER OF o\"o"}, {}),
              "ALTER ROLE \"u\" CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOSUPERUSER; "
              "REVOKE \"o\"\"o\" FROM \"u\"");
}

TEST(PostgreSQLLanguage, UnderstandsWhatTheServerCanGive) {
    const struct {
        std::set<std::string> privileges;
        bool whole, good;
    } cases[] = {{{"ALL"}, false, true},
                 {{"SELECT"}, false, true},
                 {{"SELECT", "TEMPORARY"}, false, true},
                 {{"CONNECT"}, false, true},
                 {{"SELECT", "INSERT", "UPDATE", "DELETE"}, false, true},
                 {{"INSERT", "UPDATE", "DELETE"}, false, false},
                 {{"SELECT", "UPDATE"}, false, false},
                 {{"TRIGGER"}, false, false},
                 {{"CREATEDB"}, false, false},
                 {{"CREATEDB", "CREATEROLE"}, true, true},
                 {{"CREATE USER"}, true, false}};
    for (const auto& c : cases) {
        std::string wrong;
        EXPECT_EQ(understood(c.privileges, c.whole, wrong), c.good) << *c.privileges.begin();
        EXPECT_EQ(wrong.empty(), c.good);
    }
}

TEST(PostgreSQLLanguage, GivesEachErrorItsClass) {
    const struct {
        const char* state;
        ErrorClass error_class;
    } cases[] = {
        {"28P01", ErrorClass::auth},        {"42501", ErrorClass::auth},        {"53300", ErrorClass::rate_limited},
        {"57P01", ErrorClass::unreachable}, {"08006", ErrorClass::unreachable}, {"42P04", ErrorClass::conflict},
        {"25006", ErrorClass::transient},   {"57014", ErrorClass::transient},   {"42601", ErrorClass::invalid}};
    for (const auto& c : cases) EXPECT_EQ(class_of(c.state), c.error_class) << c.state;
}

}  // namespace
}  // namespace ocim::database::postgresql
