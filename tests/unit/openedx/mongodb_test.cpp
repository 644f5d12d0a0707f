#include "campus.hpp"
#include "openedx/mongodb_layout.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// The courses of a site, in MongoDB databases of its own.
namespace ocim::openedx {
namespace {

using test::Campus;
using Mongodb = crd::InstanceClass::Spec::Databases::Mongodb;
using Names = std::vector<std::string>;
using Privilege = decltype(decltype(decltype(crd::DatabaseTenant::Spec::users)::value_type::grants)::value_type::
                               privileges)::value_type;

constexpr auto mongo =
    "{'mongodb':{'hosts':['m1.example.com:27018','m2.example.com:27018'],'replicaSet':'rs0'},"
    "'credentialsRef':{'name':'s'}}";

Campus with_courses(const char* server = mongo) {
    Campus out;
    out.of_class.spec.databases.mongodb = Mongodb::database_server;
    out.others.push_back(test::backend("DatabaseServer", "mongo1", server));
    return out;
}

std::string text_of(Campus& campus, const char* key) {
    const auto* made = campus.child("Secret", "demo-configuration");
    return made ? runtime::from_base64(api::find_text(*made, {"data", key})).value_or("") : "";
}
bool says(const std::string& text, const std::string& line) { return text.find(line) != std::string::npos; }

crd::DatabaseTenant::Spec tenant_of(Campus& campus) {
    const auto* made = campus.child("DatabaseTenant", "demo-mongodb");
    const auto read = made ? api::decode_object<crd::DatabaseTenant>(*made) : Result<crd::DatabaseTenant>(Error{});
    return read ? read->spec : crd::DatabaseTenant::Spec();
}

TEST(Courses, AreOnTheMachineUnlessTheClassSaysOtherwise) {
    auto campus = with_courses();
    campus.of_class.spec.databases.mongodb = Mongodb::on_machine;
    campus.settle();
    EXPECT_EQ(campus.names("DatabaseTenant"), Names{"demo-mysql"});
    EXPECT_FALSE(says(text_of(campus, "variables.yml"), "MONGO"));
    campus.of_class.spec.databases.mongodb = Mongodb::database_server;
    campus.settle();
    EXPECT_FALSE(campus.instance.status.placement->mongodb) << "those of a site that was made without are not moved";
    EXPECT_EQ(campus.names("DatabaseTenant"), Names{"demo-mysql"});
}

TEST(Courses, AreInDatabasesOfTheSite) {
    auto campus = with_courses();
    campus.unready = {"DatabaseTenant"};
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), Names{}) << "before they have a place";
    campus.unready.clear();
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-1"});
    EXPECT_EQ(campus.instance.status.placement->mongodb, "mongo1");
    EXPECT_NE(campus.instance.status.placement->mysql, "mongo1");

    const auto database = *campus.instance.status.names->database;
    const auto user = *campus.instance.status.names->mysql_user + "_mongodb";
    const auto made = tenant_of(campus);
    EXPECT_EQ(made.server_ref.name, "mongo1");
    ASSERT_EQ(made.databases.size(), 2U);
    EXPECT_EQ(made.databases[0].name, database);
    EXPECT_EQ(made.databases[1].name, database + "_forum");
    ASSERT_EQ(made.users.size(), 2U);
    for (std::size_t n = 0; n < 2; ++n) {
        EXPECT_EQ(made.users[n].name, user);
        EXPECT_EQ(made.users[n].host, made.databases[n].name) << "where its client logs in";
        EXPECT_EQ(made.users[n].grants.size(), 2 - n) << "the forum's may use the forum's only";
        for (const auto& grant : made.users[n].grants)
            EXPECT_EQ(grant.privileges, (std::vector{Privilege::read_write, Privilege::db_admin}))
                << "no dbOwner, who could give rights away";
    }
    const auto* secret = campus.child("Secret", "demo-mongodb");
    ASSERT_TRUE(secret);
    const auto password = runtime::from_base64(api::find_text(*secret, {"data", user})).value_or("");
    EXPECT_GT(password.size(), 20U);

    const auto variables = text_of(campus, "variables.yml");
    for (const auto& line :
         {R"("EDXAPP_MONGO_HOSTS": ["m1.example.com", "m2.example.com"])", R"("EDXAPP_MONGO_PORT": 27018)",
          R"("EDXAPP_MONGO_REPLICA_SET": "rs0")", R"("EDXAPP_MONGO_USE_SSL": true)"})
        EXPECT_TRUE(says(variables, line)) << line << " in\n" << variables;
    EXPECT_TRUE(says(variables, "\"EDXAPP_MONGO_AUTH_DB\": \"" + database + "\"")) << variables;
    EXPECT_TRUE(says(variables, "\"FORUM_MONGO_DATABASE\": \"" + database + "_forum\"")) << variables;
    EXPECT_TRUE(says(variables, password));
}

TEST(Courses, AStatusThatIsLostComesBack) {
    auto campus = with_courses();
    campus.settle();
    const auto placement = campus.instance.status.placement;
    const auto hash = campus.instance.status.configuration_hash;
    campus.instance.status = {};
    campus.of_class.spec.databases.mongodb = Mongodb::on_machine;
    campus.settle();
    EXPECT_EQ(campus.instance.status.placement, placement);
    EXPECT_EQ(campus.instance.status.configuration_hash, hash);
}

TEST(Courses, OfASiteThatIsTakenOverAreReachedAsTheyWere) {
    auto campus = with_courses();
    campus.of_class.spec.name_scheme = crd::InstanceClass::Spec::NameScheme::ocim_v1;
    campus.settle();
    auto* secrets = campus.child("Secret", "demo-secrets");
    ASSERT_TRUE(secrets);
    auto& data = secrets->at("data").as_object();
    data["mongodbUser"] = runtime::base64("abcdefghijklmnop");
    data["mongodbPassword"] = runtime::base64("their word");
    campus.settle();
    EXPECT_EQ(tenant_of(campus).users.front().name, "abcdefghijklmnop");
    EXPECT_TRUE(says(text_of(campus, "variables.yml"), "their word"));
}

TEST(Courses, StayOrGoWithTheSite) {
    using Policy = crd::Instance::Spec::DeletionPolicy;
    for (const bool gone : {false, true}) {
        auto campus = with_courses();
        campus.settle();
        campus.instance.spec.deletion_policy = gone ? Policy::delete_ : Policy::retain;
        campus.remove();
        int seen = 0;
        for (int visits = 0; visits < 10; ++visits) {
            campus.visit();
            if (!campus.child("DatabaseTenant", "demo-mongodb")) continue;
            ++seen;
            using Of = crd::DatabaseTenant::Spec::DeletionPolicy;
            EXPECT_EQ(tenant_of(campus).deletion_policy, gone ? Of::delete_ : Of::retain);
        }
        EXPECT_GT(seen, 0) << "data goes last";
        EXPECT_EQ(campus.names("DatabaseTenant"), Names{});
    }
}

TEST(Courses, WhatCannotBeSaysWhy) {
    const struct {
        const char *server, *verdict, *words;
    } cases[] = {
        {"{'postgresql':{'host':'h'},'credentialsRef':{'name':'s'}}", "NoBackend",
         "mongo1 is no MongoDB, where Open edX keeps courses"},
        {"{'mongodb':{'hosts':['m1:27017','m2:27018'],'replicaSet':'r'},'credentialsRef':{'name':'s'}}",
         "ConfigurationInvalid", "\"m2:27018\" has another port than the first"},
        {"{'mongodb':{'hosts':['m1:99999']},'credentialsRef':{'name':'s'}}", "ConfigurationInvalid",
         "\"m1:99999\" has no valid port"},
    };
    for (const auto& c : cases) {
        auto campus = with_courses(c.server);
        const auto verdict = campus.settle().verdict;
        EXPECT_EQ(verdict.reason, c.verdict) << verdict.message;
        EXPECT_TRUE(says(verdict.message, c.words)) << verdict.message;
        EXPECT_EQ(campus.names("AppServer"), Names{});
    }
}

}  // namespace
}  // namespace ocim::openedx
