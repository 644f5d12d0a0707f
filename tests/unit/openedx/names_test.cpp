#include "openedx/names.hpp"

#include "openedx/mysql_layout.hpp"
#include "openedx/secrets.hpp"

#include <gtest/gtest.h>
#include <set>

namespace ocim::openedx {
namespace {

TEST(Names, FitTheSystemsThatTheyGoInto) {
    const struct {
        const char* reason;
        std::string domain, subdomain;
    } cases[] = {
        {"a usual site", "demo.sandbox.example.com", "demo"},
        {"a name as long as a label may be", std::string(63, 'a') + ".example.com", std::string(63, 'a')},
        {"hyphens at the cut", "a-rather-long-name-for-a-school-of-magic-and-wizardry.example.com",
         "a-rather-long-na-me"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        for (const auto& row : site_databases)
            EXPECT_LE((database_prefix(c.domain, "abcdefgh") + "_" + std::string(row.database)).size(), 64u);
        for (const auto& user : site_users())
            EXPECT_LE((mysql_user_prefix(c.subdomain, "abcdefgh") + "_" + user).size(), 32u);
        EXPECT_LE(vhost_name(c.subdomain, "abcdefgh").size(), 200u);
    }
}

TEST(Names, OfTheOldSchemeAreAsTheyWere) {
    const struct {
        const char *reason, *domain, *database;
    } cases[] = {
        {"a usual one", "pr7.sandbox.campus.test", "pr7_sandbox_campus_test"},
        {"one that is cut", "a-rather-long-name-for-a-school.of-magic.and-wizardry.campus.test",
         "aratherlongnameforaschool_ofmagic_andwizardry_52ad"},
        {"hyphens vanish", "north-wing.campus.test", "northwing_campus_test"},
        {"so that two sites have one name", "northwing.campus.test", "northwing_campus_test"},
    };
    for (const auto& c : cases) EXPECT_EQ(ocim_v1_database_prefix(c.domain), c.database) << c.reason;
}

TEST(Names, OfSitesThatLookAlikeDifferByTheirIds) {
    EXPECT_NE(database_prefix("north-wing.example.com", "aaaaaaaa"),
              database_prefix("northwing.example.com", "bbbbbbbb"));
    EXPECT_EQ(database_prefix("north-wing.example.com", "aaaaaaaa"), "north_wing_example_com_aaaaaaaa");
}

TEST(Names, IdentifiersAreLowerCaseWordsWhateverComesIn) {
    EXPECT_EQ(identifier("Ünï`c\"o'd\ne", 20), "__n___c_o_d_e");
    EXPECT_EQ(identifier("---", 20), "x") << "never empty";
    EXPECT_EQ(identifier("abc-def", 4), "abc") << "never ends in an underscore";
}

TEST(Names, NginxPatternsMatchExactlyTheDomains) {
    EXPECT_EQ(nginx_pattern({"studio.example.com", "studio-demo.example.net"}),
              R"(^(studio\.example\.com|studio\-demo\.example\.net)$)");
}

TEST(Secrets, AreDerivedAsTheyAlwaysWere) {
    const auto key = MasterKey::decode(Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj"));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->derived("EDXAPP_EDX_API_KEY"), "607317d396bdfb5a66f295bf811ff753bf5f68ecb9baba3900a46f543052785e");
    EXPECT_EQ(key->derived("FORUM_API_KEY"), "42fe6ce32f851486a86f7dc9ecd4a766279b5fc363ace46fd7236ba9626771c5");
    EXPECT_EQ(key->basic_auth_user(), "6a1687e81735138a");
    EXPECT_EQ(key->basic_auth_password(), "763efb8254bf9212");
}

TEST(Secrets, MySqlPasswordsFollowTheUserName) {
    const Secret key("0123456789abcdefghijABCDEFGHIJ01");
    EXPECT_EQ(mysql_password(key, "qwerty_edxapp"), "1423fd855b199f92acfb238d971636a73448649832c0ff765b47912ba35dcade");
    EXPECT_EQ(mysql_password(key, "qwerty_read_only"),
              "b151900cbbb32e16323cc0b227fcec6db8b593c12bf69c6b73e50ab2db355b45");
}

TEST(Secrets, AKeyThatAnybodyCouldComputeIsRefused) {
    EXPECT_FALSE(MasterKey::decode(Secret(""))) << "blank";
    EXPECT_FALSE(MasterKey::decode(Secret("c2hvcnQ="))) << "five bytes";
    EXPECT_FALSE(MasterKey::decode(Secret("!not base64!"))) << "not base64";
}

TEST(MySqlLayout, HasElevenDatabasesAndThirteenUsers) {
    const auto spec = site_tenant("demo_abcdefgh", "demo_abcdefgh", "demo-mysql", Sharing::shared);
    EXPECT_EQ(spec.databases.size(), 11u);
    EXPECT_EQ(spec.users.size(), 13u);
    std::set<std::string> names;
    for (const auto& user : spec.users) {
        names.insert(user.name);
        EXPECT_EQ(user.password_ref->key, user.name);
    }
    EXPECT_EQ(names.size(), spec.users.size());
}

TEST(MySqlLayout, ReadersOnlyRead) {
    using Privilege = crd::parts::DatabaseTenantSpecUserGrant::Privilege;
    for (const auto& user : site_tenant("d", "u", "s", Sharing::shared).users) {
        if (user.name != "u_read_only" && user.name != "u_reports") continue;
        for (const auto& grant : user.grants) EXPECT_EQ(grant.privileges, std::vector{Privilege::select}) << user.name;
    }
}

TEST(MySqlLayout, TheApiUserReadsReportsAndOwnsItsDatabase) {
    for (const auto& user : site_tenant("d", "u", "s", Sharing::shared).users) {
        if (user.name != "u_api") continue;
        ASSERT_EQ(user.grants.size(), 2u);
        EXPECT_EQ(user.grants[0].database, "d_analytics_api");
        EXPECT_EQ(user.grants[1].database, "d_reports");
    }
}

}  // namespace
}  // namespace ocim::openedx
