#include "database/mysql_read.hpp"

#include <gtest/gtest.h>

namespace ocim::database::mysql {
namespace {

using Kind = Key::Kind;

Reading reading() {
    Reading out;
    out.notes = {{"kind", "name", "installation", "namespace_name", "uid", "retained", "fingerprint"},
                 {{"schema", "wiki", "lab", "tools/wiki", "uid-1", "0", ""},
                  {"user", "wiki@%", "lab", "tools/wiki", "uid-1", "1", "print"},
                  {"schema", "unfinished", "lab", "tools/wiki", "uid-1", "0", ""},
                  {"nonsense", "x", "lab", "tools/wiki", "uid-1", "0", ""}}};
    out.schemas = {{"SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME"},
                   {{"mysql", "utf8mb4", "utf8mb4_general_ci"},
                    {"ocim_meta", "utf8mb4", "utf8mb4_bin"},
                    {"wiki", "utf8mb4", "utf8mb4_unicode_ci"}}};
    out.users = {
        {"Host", "User", "Select_priv", "Create_user_priv", "plugin", "authentication_string", "is_role", "ocim_locked",
         "ocim_methods", "ocim_second_plugin", "ocim_second"},
        {{"%", "wiki", "N", "N", "mysql_native_password", "*AA", "N", std::nullopt, "1", "", ""},
         {"%", "locked", "N", "N", "", "*BB", "N", "1", "", "", ""},
         {"%", "two_ways", "N", "N", "mysql_native_password", "*CC", "N", std::nullopt, "3", "mysql_native_password",
          "*C2"},
         {"%", "rotating", "N", "N", "mysql_native_password", "*EE", "N", std::nullopt, "2", "mysql_native_password",
          "*E2"},
         {"%", "socket_too", "N", "N", "mysql_native_password", "*FF", "N", std::nullopt, "2", "unix_socket", ""},
         {"localhost", "", "N", "N", "", "", "N", std::nullopt, "", "", ""},
         {"localhost", "root", "Y", "Y", "mysql_native_password", "", "N", std::nullopt, "", "", ""},
         {"", "team", "N", "N", "", "", "Y", std::nullopt, "", "", ""},
         {"%", "ocim", "Y", "Y", "mysql_native_password", "*DD", "N", std::nullopt, "", "", ""}}};
    out.grants = {{"Host", "Db", "User", "Select_priv", "Insert_priv", "Grant_priv"},
                  {{"%", "wiki", "wiki", "Y", "Y", "N"}, {"%", "sb\\_1", "wiki", "Y", "N", "Y"}}};
    return out;
}

TEST(MySQLSnapshot, SaysWhatIsThereAndWhose) {
    const auto seen = snapshot_of(reading(), {}, "ocim_meta", "ocim@%");
    const auto at = [&](Kind kind, const char* name, const char* host = "", const char* database = "") {
        return seen.at({kind, name, host, database});
    };
    EXPECT_EQ(at(Kind::schema, "wiki").mark, (runtime::Mark{"lab", "tools/wiki", "uid-1", false}));
    EXPECT_EQ(at(Kind::schema, "wiki").collation, "utf8mb4_unicode_ci");
    EXPECT_FALSE(at(Kind::schema, "unfinished").exists) << "a note without a thing: ours, unfinished";
    EXPECT_TRUE(at(Kind::user, "wiki", "%").mark->retained);
    EXPECT_EQ(at(Kind::user, "wiki", "%").fingerprint, "print");
    EXPECT_TRUE(at(Kind::user, "locked", "%").locked);
    EXPECT_EQ(at(Kind::user, "two_ways", "%").login, Thing::Login::unknown) << "the third would go unseen";
    EXPECT_EQ(at(Kind::user, "rotating", "%").login, Thing::Login::native);
    EXPECT_EQ(at(Kind::user, "rotating", "%").second_hash, "*E2");
    EXPECT_EQ(at(Kind::user, "socket_too", "%").login, Thing::Login::unknown) << "a second method would go unseen";
    EXPECT_TRUE(seen.contains({Kind::user, "", "localhost", ""})) << "anonymous accounts are reported";
    EXPECT_FALSE(seen.contains({Kind::user, "team", "", ""})) << "a role is no account";
    for (const auto* name : {"mysql", "ocim_meta"}) EXPECT_TRUE(at(Kind::schema, name).reserved) << name;
    EXPECT_TRUE(at(Kind::user, "ocim", "%").reserved) << "the account we use";
    EXPECT_TRUE(at(Kind::user, "root", "localhost").reserved);
    EXPECT_EQ(at(Kind::grant, "wiki", "%", "wiki").privileges, std::set<std::string>{"ALL"});
    EXPECT_EQ(at(Kind::grant, "wiki", "%", "sb\\_1").privileges, (std::set<std::string>{"GRANT OPTION", "SELECT"}));
    EXPECT_EQ(at(Kind::grant, "root", "localhost", "*").privileges, (std::set<std::string>{"ALL"}));
    EXPECT_FALSE(seen.contains({Kind::grant, "wiki", "%", "*"})) << "nothing is nothing";
}

TEST(MySQLSnapshot, FindsASecondPasswordAmongTheAttributesOfMySQL) {
    Reading read;
    read.users = {{"Host", "User", "plugin", "authentication_string", "User_attributes"},
                  {{"%", "both", "caching_sha2_password", "$A$1", R"({"additional_password": "$A$005$two"})"},
                   {"%", "one", "caching_sha2_password", "$A$1", std::nullopt},
                   {"%", "noted", "caching_sha2_password", "$A$1", R"({"metadata": {"comment": "x"}})"}}};
    const auto seen = snapshot_of(read, {false, false}, "m", "o@%");
    const auto second = [&](const char* name) { return seen.at({Kind::user, name, "%", ""}).second_hash; };
    EXPECT_EQ(second("both"), "$A$005$two");
    EXPECT_EQ(second("one"), "");
    EXPECT_EQ(second("noted"), "");
    EXPECT_EQ(seen.at({Kind::user, "both", "%", ""}).login, Thing::Login::salted);
}

TEST(MySQLSnapshot, WritesLiteralGrantsAsPatterns) {
    auto read = reading();
    read.grants.rows = {{"%", "sb_1", "wiki", "Y", "N", "N"}};
    EXPECT_TRUE(snapshot_of(read, {false, true}, "m", "o@%").contains({Kind::grant, "wiki", "%", "sb\\_1"}));
    EXPECT_TRUE(snapshot_of(read, {false, false}, "m", "o@%").contains({Kind::grant, "wiki", "%", "sb_1"}))
        << "a pattern that somebody wrote";
}

}  // namespace
}  // namespace ocim::database::mysql
