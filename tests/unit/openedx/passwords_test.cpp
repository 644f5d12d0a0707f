#include "openedx/passwords.hpp"
#include "campus.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <set>

/// The passwords of a site are replaced while it serves.
namespace ocim::openedx {
namespace {

using namespace std::chrono_literals;
using test::Campus;
using Names = std::vector<std::string>;
using Rollout = crd::Instance::Spec::Rollout;

constexpr auto asked = "2026-11-22T12:00:10Z";

class Passwords : public testing::Test {
protected:
    explicit Passwords(Campus campus = Campus::serving()) : campus(std::move(campus)) {}

    void ask(const std::string& time = asked) {
        campus.instance.metadata.annotations["ocim.opencraft.com/rotate-at"] = time;
        campus.now = std::max(campus.now, parse_rfc3339(time) ? *parse_rfc3339(time) : campus.now) + 1s;
    }

    // --- the runtime's part, and that of databases and broker

    runtime::Children children() const {
        runtime::Children out;
        for (const auto& item : campus.children) out.add(item);
        return out;
    }
    /// Makes the step that is due; which keys are there then, "" without one.
    std::string step() {
        ++draws_;
        for (auto& edit : Instances::edits(campus.instance, children(), campus.inputs())) {
            EXPECT_EQ(edit.name, "demo-secrets");
            auto& data = campus.child("Secret", "demo-secrets")->at("data").as_object();
            if (const auto* changes = api::find(edit.patch, {"data"}))
                for (const auto& [key, value] : changes->as_object()) {
                    if (value.is_null())
                        data.erase(key);
                    else
                        data[key] = value;
                }
            for (const auto& [key, form] : edit.draw) data[key] = runtime::base64(key + std::to_string(draws_));
            return beside();
        }
        return "";
    }
    std::string beside() {
        std::string out;
        const auto& data = campus.child("Secret", "demo-secrets")->at("data").as_object();
        for (const auto& word : {"next", "previous"})
            for (const auto& [key, value] : data)
                if (key.ends_with(std::string(".") + word)) return word;
        return "nothing";
    }
    std::string secret(const std::string& name, const std::string& key) {
        const auto* found = campus.child("Secret", name);
        return found ? runtime::from_base64(api::find_text(*found, {"data", key})).value_or("") : "";
    }
    /// Databases let in what their Secret says, and say so.
    void databases_follow() {
        auto& tenant = *campus.child("DatabaseTenant", "demo-mysql");
        api::json::array seconds;
        for (const auto& [key, value] : campus.child("Secret", "demo-mysql")->at("data").as_object())
            if (const auto dot = key.rfind('.'); dot != std::string::npos)
                seconds.push_back(api::Json(std::string(key.substr(0, dot)) + "@%: demo-mysql/" + std::string(key)));
        api::make_object(tenant, {"status"})["secondPasswords"] = std::move(seconds);
    }
    void broker_follows() {
        api::json::array users;
        auto& vhost = *campus.child("RabbitMQVhost", "demo-rabbitmq");
        for (const auto& user : vhost.at("spec").at("users").as_array()) {
            const std::string name(user.at("name").as_string()), key(user.at("passwordRef").at("key").as_string());
            const bool turns = api::find(user, {"rotation"}) != nullptr;
            const bool both =
                !secret("demo-secrets", key + ".next").empty() || !secret("demo-secrets", key + ".previous").empty();
            const bool other = secret("demo-secrets", key + ".username") == name + "-2";
            if (!turns || both || !other) users.push_back(api::Json(name));
            if (turns && (both || other)) users.push_back(api::Json(name + "-2"));
        }
        api::make_object(vhost, {"status"})["users"] = std::move(users);
    }
    void everybody_follows() {
        campus.settle();
        databases_follow();
        broker_follows();
        campus.settle();
    }
    /// An AppServer says what its snapshot holds.
    void says(const std::string& name) {
        auto& object = *campus.child("AppServer", name);
        api::make_object(object, {"status"})["passwordsDrawnAt"] = secret("demo-secrets", "mysqlKey.rotated-at");
    }
    std::string stands() {
        const auto made = campus.compose();
        const auto* found = test::finding(made, "PasswordsReplaced");
        return found ? found->status + " " + found->reason : "";
    }
    std::string words() { return test::finding(campus.compose(), "PasswordsReplaced")->message; }
    std::string edxapp(const std::string& suffix = "") {
        return secret("demo-mysql", *campus.instance.status.names->mysql_user + "_edxapp" + suffix);
    }
    std::string variables() { return secret("demo-configuration", "variables.yml"); }
    void gone(const std::string& name) {
        std::erase_if(campus.children,
                      [&](const api::Json& item) { return api::find_text(item, {"metadata", "name"}) == name; });
    }
    /// Up to the moment when new AppServers get the new ones.
    void replace() {
        campus.now += 1min;
        ask(rfc3339(campus.now));
        everybody_follows();
        ASSERT_EQ(step(), "next");
        everybody_follows();
        ASSERT_EQ(step(), "previous");
        everybody_follows();
    }
    void second_serves() {
        campus.appserver("demo-2", "Running");
        says("demo-2");
        for (int i = 0; i < 3; ++i) {
            campus.settle();
            campus.balance();
            campus.now += 10min;
        }
        campus.settle();
    }

    Campus campus;

private:
    int draws_ = 0;
};

TEST_F(Passwords, NobodyAsks) {
    everybody_follows();
    EXPECT_EQ(step(), "");
    EXPECT_EQ(stands(), "");
    EXPECT_EQ(secret("demo-configuration", "settings.json").find("passwordsDrawnAt"), std::string::npos);
}

TEST_F(Passwords, AreUsedOnlyOnceTheyAreLetIn) {
    everybody_follows();
    const auto before = edxapp();
    const auto hash = campus.instance.status.configuration_hash;
    ask();
    EXPECT_EQ(stands(), "False Drawing");
    EXPECT_EQ(step(), "next");
    campus.settle();
    EXPECT_EQ(edxapp(), before);
    EXPECT_FALSE(edxapp(".next").empty()) << "the database is to let it in";
    EXPECT_EQ(edxapp(".previous"), "");
    EXPECT_EQ(stands(), "False LettingIn");
    EXPECT_NE(words().find("DatabaseTenant demo-mysql has not done it yet"), std::string::npos) << words();
    EXPECT_EQ(step(), "");

    databases_follow();
    EXPECT_NE(words().find("RabbitMQVhost demo-rabbitmq"), std::string::npos) << words();
    EXPECT_EQ(step(), "") << "nothing uses what the broker refuses";
    broker_follows();
    campus.unready = {"RabbitMQVhost"};
    campus.settle();
    EXPECT_EQ(step(), "") << "it is at work there";
    campus.unready.clear();
    campus.settle();
    EXPECT_EQ(campus.instance.status.configuration_hash, hash) << "no AppServer is made for these";

    const auto next = edxapp(".next");
    const auto provider = *campus.instance.status.names->rabbitmq_provider;
    EXPECT_EQ(step(), "previous");
    campus.settle();
    EXPECT_EQ(edxapp(), next);
    EXPECT_EQ(edxapp(".previous"), before);
    EXPECT_NE(campus.instance.status.configuration_hash, hash);
    EXPECT_EQ(campus.names("AppServer"), (Names{"demo-1", "demo-2"}));
    EXPECT_NE(variables().find(next), std::string::npos);
    EXPECT_EQ(variables().find(before), std::string::npos);
    EXPECT_NE(variables().find("\"XQUEUE_RABBITMQ_USER\": \"" + provider + "-2\""), std::string::npos) << variables();
    EXPECT_EQ(*campus.instance.status.names->rabbitmq_provider, provider) << "whose turn it is says the Secret";
    EXPECT_EQ(stands(), "False RollingOut");
    EXPECT_NE(words().find("demo-1"), std::string::npos) << words();
}

TEST_F(Passwords, TheFormerOnesAreLetInAsLongAsAnAppServerHasThem) {
    replace();
    EXPECT_EQ(step(), "");
    second_serves();
    ASSERT_EQ(campus.instance.status.fallback_app_servers, Names{"demo-1"});
    EXPECT_EQ(stands(), "False FormerInUse");
    EXPECT_NE(words().find("demo-1"), std::string::npos) << words();
    EXPECT_EQ(words().find("demo-2"), std::string::npos) << words();
    EXPECT_EQ(step(), "");
    EXPECT_FALSE(edxapp(".previous").empty());

    api::make_object(*campus.child("AppServer", "demo-1"), {"metadata"})["deletionTimestamp"] = rfc3339(campus.now);
    EXPECT_EQ(step(), "") << "its machine is still there";
    gone("demo-1");
    EXPECT_EQ(step(), "nothing");
    campus.settle();
    EXPECT_EQ(edxapp(".previous"), "");
    EXPECT_EQ(stands(), "False EndingFormer");
    databases_follow();
    EXPECT_EQ(stands(), "False EndingFormer") << "the broker has not";
    broker_follows();
    EXPECT_EQ(stands(), "True Replaced");
    campus.unready = {"DatabaseTenant"};
    campus.settle();
    EXPECT_EQ(stands(), "True Replaced") << "a server that is away says nothing of that";
    EXPECT_EQ(step(), "");
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-2"}) << "and no further one was made";
}

TEST_F(Passwords, AnAppServerThatHasNotSaidWhichItHasMayHaveTheFormer) {
    replace();
    campus.appserver("demo-2", "Running");
    campus.persons_appserver("mine", false);
    gone("demo-1");
    EXPECT_EQ(step(), "");
    says("demo-2");
    EXPECT_EQ(step(), "");
    api::make_object(campus.others.back(), {"status"})["passwordsDrawnAt"] = "2026-11-22T12:00:00Z";
    EXPECT_EQ(step(), "") << "those are others";
    api::make_object(campus.others.back(), {"status"})["passwordsDrawnAt"] =
        secret("demo-secrets", "mysqlKey.rotated-at");
    const auto settings = campus.child("Secret", "demo-configuration")->at("data").at("settings.json");
    auto& data = campus.child("Secret", "demo-configuration")->at("data").as_object();
    data["settings.json"] = runtime::base64("{}");
    EXPECT_EQ(step(), "") << "a new one could still get the former";
    data["settings.json"] = settings;
    EXPECT_EQ(step(), "nothing");
}

TEST_F(Passwords, TakeTurnsFromOneRotationToTheNext) {
    const auto provider = *campus.instance.status.names->rabbitmq_provider;
    std::set<std::string> all{edxapp()};
    for (const auto& name : {provider + "-2", provider, provider + "-2"}) {
        replace();
        ASSERT_FALSE(HasFatalFailure());
        EXPECT_NE(variables().find("\"XQUEUE_RABBITMQ_USER\": \"" + name + "\""), std::string::npos) << name;
        all.insert(edxapp());
        const auto newest = campus.names("AppServer").back();
        campus.appserver(newest, "Running");
        says(newest);
        std::erase_if(campus.children, [&](const api::Json& item) {
            return api::find_text(item, {"kind"}) == "AppServer" &&
                   api::find_text(item, {"metadata", "name"}) != newest;
        });
        ASSERT_EQ(step(), "nothing");
        campus.now += 1min;
        ask(rfc3339(campus.now));
        EXPECT_EQ(step(), "") << "nothing new begins before the former ones are seen to be refused";
        EXPECT_EQ(stands(), "False WaitingForBackends");
        ask(asked);
        EXPECT_EQ(stands(), "False EndingFormer") << "they are younger than that";
        everybody_follows();
        EXPECT_EQ(stands(), "True Replaced");
        EXPECT_EQ(step(), "");
    }
    EXPECT_EQ(all.size(), 4U) << "each a new one";
}

TEST_F(Passwords, CanBeTakenBackUntilTheyAreUsed) {
    everybody_follows();
    const auto before = edxapp();
    ask();
    ASSERT_EQ(step(), "next");
    everybody_follows();
    campus.instance.metadata.annotations.clear();
    EXPECT_EQ(stands(), "False TakenBack");
    EXPECT_EQ(step(), "nothing");
    everybody_follows();
    EXPECT_EQ(edxapp(), before);
    EXPECT_EQ(stands(), "");
    replace();
    campus.instance.metadata.annotations.clear();
    EXPECT_EQ(step(), "") << "too late";
    EXPECT_EQ(stands(), "False RollingOut");
}

TEST_F(Passwords, AreReplacedOnceByLeadersWhoseClocksDiffer) {
    everybody_follows();
    ask();
    ASSERT_EQ(step(), "next");
    campus.now -= 1min;
    everybody_follows();
    ASSERT_EQ(step(), "previous");
    EXPECT_EQ(secret("demo-secrets", "mysqlKey.rotated-at"), asked) << "no older than what was asked for";
    EXPECT_EQ(secret("demo-secrets", "mysqlKey.next-due"), "");
    everybody_follows();
    second_serves();
    gone("demo-1");
    ASSERT_EQ(step(), "nothing");
    everybody_follows();
    EXPECT_EQ(step(), "") << "the wish is met";
    EXPECT_EQ(stands(), "True Replaced");
}

TEST_F(Passwords, AWishMadeMeanwhileIsNotTakenForTheFirstOne) {
    everybody_follows();
    ask();
    ASSERT_EQ(step(), "next");
    everybody_follows();
    campus.instance.metadata.annotations["ocim.opencraft.com/rotate-at"] = rfc3339(campus.now + 24h);
    ASSERT_EQ(step(), "previous");
    EXPECT_EQ(secret("demo-secrets", "mysqlKey.rotated-at"), rfc3339(campus.now));
}

TEST_F(Passwords, OfASiteThatIsDeletedAreNotReplaced) {
    everybody_follows();
    ask();
    campus.instance.metadata.deletion_timestamp = rfc3339(campus.now);
    EXPECT_EQ(step(), "");
    campus.instance.metadata.deletion_timestamp.clear();
    EXPECT_EQ(step(), "next");
}

TEST_F(Passwords, APersonSwitchesWhereHeSaidSo) {
    campus.instance.spec.rollout.activation = Rollout::Activation::manual;
    replace();
    campus.appserver("demo-2", "Running");
    says("demo-2");
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), (Names{"demo-1", "demo-2"})) << "the candidate";
    EXPECT_EQ(stands(), "False SwitchAwaited");
    EXPECT_NE(words().find("demo-2 runs as release candidate"), std::string::npos) << words();
    EXPECT_NE(words().find("gone: demo-1"), std::string::npos) << words();
    campus.instance.spec.rollout.strategy = Rollout::Strategy::manual;
    EXPECT_EQ(stands(), "False SwitchAwaited");
    EXPECT_NE(words().find("make an AppServer"), std::string::npos) << words();
}

TEST_F(Passwords, TheWishTable) {
    everybody_follows();
    const struct {
        const char* reason;
        std::string at;
        std::string stands;
        std::string step;
    } cases[] = {
        {"no time", "tomorrow", "False InvalidTime", ""},
        {"they are younger", "2026-11-22T11:00:00Z", "", ""},
        {"as old as that", "2026-11-22T12:00:00Z", "", ""},
        {"to come", "2026-11-22T20:00:00Z", "False Scheduled", ""},
        {"older", "2026-11-22T12:00:10.5Z", "False Drawing", "next"},
    };
    campus.now += 1min;
    for (const auto& c : cases) {
        campus.instance.metadata.annotations["ocim.opencraft.com/rotate-at"] = c.at;
        EXPECT_EQ(stands(), c.stands) << c.reason;
        EXPECT_EQ(step(), c.step) << c.reason;
    }
}

TEST_F(Passwords, ATimeToComeIsLookedAtThen) {
    everybody_follows();
    campus.instance.metadata.annotations["ocim.opencraft.com/rotate-at"] = rfc3339(campus.now + 1h);
    const auto made = campus.compose();
    ASSERT_TRUE(made.look_again);
    EXPECT_EQ(*made.look_again, 1h + 1s);
}

TEST_F(Passwords, OfDatabasesOnTheMachineNothingIsReplaced) {
    campus = Campus();
    campus.of_class.spec.databases.mode = crd::InstanceClass::Spec::Databases::Mode::ephemeral;
    campus.settle();
    campus.instance.metadata.annotations["ocim.opencraft.com/rotate-at"] = asked;
    campus.now += 1h;
    EXPECT_EQ(stands(), "True NothingToReplace");
    EXPECT_EQ(step(), "");
}

/// MongoDB has one password an account.
class CoursePasswords : public Passwords {
protected:
    CoursePasswords() : Passwords(Campus()) {
        campus.of_class.spec.databases.mongodb = crd::InstanceClass::Spec::Databases::Mongodb::database_server;
        campus.others.push_back(test::backend(
            "DatabaseServer", "mongo1", "{'mongodb':{'hosts':['m1.example.com']},'credentialsRef':{'name':'s'}}"));
        campus.settle();
        campus.appserver("demo-1", "Running");
    }
    std::set<std::string> accounts() {
        std::set<std::string> out;
        for (const auto& user : campus.child("DatabaseTenant", "demo-mongodb")->at("spec").at("users").as_array())
            out.emplace(user.at("name").as_string());
        return out;
    }
    void end() {
        const auto all = campus.names("AppServer");
        for (const auto& name : all)
            if (name != all.back()) gone(name);
        campus.appserver(all.back(), "Running");
        says(all.back());
        ASSERT_EQ(step(), "nothing");
        everybody_follows();
    }
};

TEST_F(CoursePasswords, AreThoseOfTwoAccountsInTurns) {
    const auto first = *campus.instance.status.names->mysql_user + "_mongodb";
    const auto other = first + "_2";
    const auto before = secret("demo-mongodb", first);
    replace();
    EXPECT_EQ(accounts(), (std::set{first, other}));
    EXPECT_EQ(secret("demo-mongodb", first), before) << "it logs in as it did";
    EXPECT_NE(variables().find("\"EDXAPP_MONGO_USER\": \"" + other + "\""), std::string::npos) << variables();
    EXPECT_NE(variables().find(secret("demo-mongodb", other)), std::string::npos);
    EXPECT_NE(secret("demo-mongodb", other), before);
    end();
    EXPECT_EQ(accounts(), std::set{other});
    EXPECT_EQ(secret("demo-mongodb", first), "");
    EXPECT_EQ(stands(), "True Replaced");
}

TEST_F(CoursePasswords, ThatSomebodyBroughtAreReplacedToo) {
    auto& data = campus.child("Secret", "demo-secrets")->at("data").as_object();
    data["mongodbUser"] = runtime::base64("abcdefghijklmnopqrstuvwxyz123456");
    data["mongodbPassword"] = runtime::base64("their word");
    campus.settle();
    const std::string first = "abcdefghijklmnopqrstuvwxyz123456", other = "abcdefghijklmnopqrstuvwxyz1234_2";
    replace();
    EXPECT_EQ(secret("demo-mongodb", first), "their word");
    EXPECT_EQ(accounts(), (std::set{first, other})) << "no name is too long";
    EXPECT_EQ(variables().find("their word"), std::string::npos);
    end();
    EXPECT_EQ(accounts(), std::set{other});
    EXPECT_EQ(variables().find("their word"), std::string::npos);
}

TEST_F(CoursePasswords, TakeTurnsWithAnotherAccountWhateverTheFirstOneIsCalled) {
    auto& data = campus.child("Secret", "demo-secrets")->at("data").as_object();
    const std::string first = "abcdefghijklmnopqrstuvwxyz1234_2", other = "abcdefghijklmnopqrstuvwxyz1234_3";
    data["mongodbUser"] = runtime::base64(first);
    data["mongodbPassword"] = runtime::base64("their word");
    campus.settle();
    replace();
    EXPECT_EQ(accounts(), (std::set{first, other}));
}

}  // namespace
}  // namespace ocim::openedx
