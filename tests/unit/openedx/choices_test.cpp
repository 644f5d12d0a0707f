#include "campus.hpp"
#include "crd/databasetenants.hpp"
#include "crd/provisioningruns.hpp"
#include "crd/rabbitmqvhosts.hpp"
#include "openedx/appserver.hpp"
#include "openedx/instance_class.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// What a class chooses for its sites, and that a site keeps what it was made with.
namespace ocim::openedx {
namespace {

using test::Campus;
using test::finding;
using test::Json;
using Names = std::vector<std::string>;
using OfClass = crd::InstanceClass::Spec;
using Scheme = crd::Instance::Status::NameScheme;

std::string text_in(Campus& campus, const std::string& secret, const char* key) {
    const auto* found = campus.child("Secret", secret);
    return found ? runtime::from_base64(api::find_text(*found, {"data", key})).value_or("") : "";
}

Campus without_broker() {
    Campus campus;
    campus.of_class.spec.broker.mode = OfClass::Broker::Mode::on_machine;
    std::erase_if(campus.others, [](const Json& item) { return item.at("kind") == "RabbitMQServer"; });
    return campus;
}

Campus of_old_names() {
    Campus campus;
    campus.of_class.spec.name_scheme = OfClass::NameScheme::ocim_v1;
    return campus;
}

// --- the broker

TEST(Broker, IsNotMissedByASiteWhoseClassHasNone) {
    auto campus = without_broker();
    const auto said = campus.settle();
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-1"}) << "nothing waits for a broker: " << said.verdict.message;
    EXPECT_EQ(campus.names("RabbitMQVhost"), Names{});
    EXPECT_EQ(campus.names("DatabaseTenant"), Names{"demo-mysql"});
    EXPECT_EQ(campus.instance.status.placement->rabbitmq, std::nullopt);
    EXPECT_EQ(campus.instance.status.names->vhost, std::nullopt);
    EXPECT_EQ(*finding(said, "BrokerReady"),
              (runtime::Finding{"BrokerReady", "True", "NotWanted", "nothing of it is wanted now"}));
    const auto variables = text_in(campus, "demo-configuration", "variables.yml");
    EXPECT_NE(variables.find("EDXAPP_MYSQL_HOST"), std::string::npos);
    for (const auto* name : {"RABBIT", "CELERY"}) EXPECT_EQ(variables.find(name), std::string::npos) << name;
    const auto class_verdict =
        InstanceClasses::compose(campus.of_class, {}, campus.inputs()).verdict.message;  // the key is what it lacks
    EXPECT_EQ(class_verdict.find("rabbitmq"), std::string::npos) << class_verdict;
}

TEST(Broker, ASiteKeepsWhatItWasMadeWith) {
    using Mode = OfClass::Broker::Mode;
    for (const bool had_one : {true, false}) {
        for (const bool status_lost : {true, false}) {
            Campus campus;
            campus.of_class.spec.broker.mode = had_one ? Mode::rabbit_mq : Mode::on_machine;
            campus.settle();
            const auto children = campus.children;
            const auto status = campus.instance.status;
            campus.of_class.spec.broker.mode = had_one ? Mode::on_machine : Mode::rabbit_mq;
            if (status_lost) campus.instance.status = {};
            // a person takes the vhost's object away at the same moment: it is made again, at the same server
            std::erase_if(campus.children, [](const Json& item) { return item.at("kind") == "RabbitMQVhost"; });
            campus.others.push_back(test::backend("RabbitMQServer", "a-first",
                                                  "{'managementURL':'https://a.example.test','instanceURL':'amqps://"
                                                  "a.example.test','credentialsRef':{'name':'a'}}"));
            campus.settle();
            const auto where = std::string("had one: ") + (had_one ? "yes" : "no") + (status_lost ? ", lost" : "");
            EXPECT_EQ(campus.instance.status.placement, status.placement) << where;
            EXPECT_EQ(campus.names("RabbitMQVhost").size(), had_one ? 1u : 0u) << where;
            EXPECT_EQ(campus.instance.status.configuration_hash, status.configuration_hash) << where;
        }
    }
}

TEST(Broker, EphemeralSitesNeverHaveOne) {
    Campus campus;
    campus.of_class.spec.databases.mode = OfClass::Databases::Mode::ephemeral;
    campus.settle();
    EXPECT_EQ(campus.names("RabbitMQVhost"), Names{});
}

// --- how names are made

TEST(NameScheme, OldOnesAreMadeAsTheyWere) {
    auto campus = of_old_names();
    campus.instance.spec.subdomain = "a-rather-long-name-for-a-school.of-magic.and-wizardry";  // as vectors have it
    campus.of_class.spec.base_domain = "campus.test";
    campus.others.push_back(test::backend("DNSZone", "zone2", "{'domain':'campus.test'}"));
    campus.settle();
    const auto& names = *campus.instance.status.names;
    EXPECT_EQ(names.database, "aratherlongnameforaschool_ofmagic_andwizardry_52ad");
    EXPECT_EQ(names.mysql_user, "qwerty");
    EXPECT_EQ(names.vhost, "/abcdefghijklmn");
    EXPECT_EQ(names.rabbitmq_provider, "provideruser");
    EXPECT_EQ(names.rabbitmq_consumer, "consumeruser");
    EXPECT_EQ(campus.instance.status.name_scheme, Scheme::ocim_v1);
    EXPECT_EQ(text_in(campus, "demo-secrets", "id"), "") << "nothing is drawn that is not used";
    const auto tenant = api::decode_object<crd::DatabaseTenant>(*campus.child("DatabaseTenant", "demo-mysql"));
    EXPECT_EQ(tenant->spec.users.front().name, "qwerty_ecommerce");
    EXPECT_EQ(tenant->spec.databases.front().name, *names.database + "_ecommerce");
}

TEST(NameScheme, ASiteKeepsTheOneThatItWasMadeWith) {
    for (const bool old : {true, false}) {
        for (const char* lost : {"nothing", "its status", "itself, with its data kept"}) {
            Campus campus;
            using Of = OfClass::NameScheme;
            campus.of_class.spec.name_scheme = old ? Of::ocim_v1 : Of::unique;
            campus.settle();
            const auto names = campus.instance.status.names;
            const auto scheme = campus.instance.status.name_scheme;
            campus.of_class.spec.name_scheme = old ? Of::unique : Of::ocim_v1;
            if (lost == std::string_view("its status")) campus.instance.status = {};
            if (lost == std::string_view("itself, with its data kept")) {
                campus.remove();
                campus.settle();
                campus.instance.metadata.deletion_timestamp.clear();
                campus.instance.status = {};
            }
            campus.settle();
            EXPECT_EQ(campus.instance.status.name_scheme, scheme) << old << " lost " << lost;
            EXPECT_EQ(campus.instance.status.names, names) << old << " lost " << lost;
        }
    }
}

TEST(NameScheme, WhatExistsIsTakenOverOnlyWhereClassAndInstanceSaySo) {
    using Policy = crd::Instance::Spec::AdoptionPolicy;
    for (const bool old : {true, false}) {
        for (const bool asked : {true, false}) {
            auto campus = old ? of_old_names() : Campus();
            campus.instance.spec.adoption_policy = asked ? Policy::adopt : Policy::never;
            const auto causes = Instances::admit(campus.instance, nullptr, campus.inputs());
            EXPECT_EQ(causes.size(), asked && !old ? 1u : 0u);
            if (!causes.empty())
                EXPECT_EQ(causes[0].message,
                          "Invalid value: \"Adopt\": InstanceClass sandbox is not one for taking sites over; leave it "
                          "out, or choose a class whose spec.nameScheme is OcimV1");
            campus.settle();
            const std::string wanted = old && asked ? "Adopt" : "Never";
            for (const auto* kind : {"DatabaseTenant", "RabbitMQVhost"})
                EXPECT_EQ(api::find_text(*campus.child(kind, campus.names(kind).front()), {"spec", "adoptionPolicy"}),
                          wanted);
            for (const auto& child : campus.compose().children)
                if (api::find_text(child.object, {"metadata", "name"}) == "demo-secrets")
                    EXPECT_EQ(child.adopt, old && asked);
        }
    }
}

TEST(NameScheme, SaysWhatASecretLacksThatSomebodyBrought) {
    auto campus = of_old_names();
    campus.instance.spec.adoption_policy = crd::Instance::Spec::AdoptionPolicy::adopt;
    const std::string key = runtime::base64("123456789012345678901234567890123456");
    const struct {
        const char* reason;
        std::map<std::string, std::string> held;
        const char* message;
    } cases[] = {
        {"no prefix of users",
         {{"masterKey", key}, {"mysqlKey", "k"}},
         "Secret demo-secrets has no key \"mysqlUser\"; put it back from a backup"},
        {"no vhost, and it has a broker",
         {{"masterKey", key},
          {"mysqlKey", "k"},
          {"mysqlUser", "qwerty"},
          {"rabbitmqProviderPassword", "p"},
          {"rabbitmqConsumerPassword", "c"}},
         "Secret demo-secrets has no key \"rabbitmqVhost\"; put it back from a backup"},
        {"all that it needs",
         {{"masterKey", key},
          {"mysqlKey", "k"},
          {"mysqlUser", "qwerty"},
          {"rabbitmqVhost", "/abc"},
          {"rabbitmqProvider", "pu"},
          {"rabbitmqConsumer", "cu"},
          {"rabbitmqProviderPassword", "p"},
          {"rabbitmqConsumerPassword", "c"}},
         nullptr},
    };
    for (const auto& c : cases) {
        auto one = campus;
        auto brought = test::secret("campus", "demo-secrets", c.held);
        brought.at("metadata").as_object()["ownerReferences"] = api::json::array();
        one.children.push_back(std::move(brought));
        const auto said = one.settle();
        if (c.message)
            EXPECT_EQ(said.verdict.message, c.message) << c.reason;
        else
            EXPECT_EQ(one.instance.status.names->vhost, "/abc") << c.reason;
    }
}

// --- further defaults of a class

TEST(InstanceClass, ItsAdminsGoFirstAndEachIsThereOnce) {
    Campus campus;
    campus.of_class.spec.admins.emplace().github_users = {"octocat", "dana"};
    campus.instance.spec.admins.emplace().github_users = {"dana", "kim"};
    campus.settle();
    EXPECT_NE(text_in(campus, "demo-configuration", "variables.yml")
                  .find(R"("COMMON_USER_INFO": [{"name": "octocat", "github": true, "type": "admin"}, )"
                        R"({"name": "dana", "github": true, "type": "admin"}, )"
                        R"({"name": "kim", "github": true, "type": "admin"}])"),
              std::string::npos);
}

TEST(InstanceClass, ARelayMayWantNoCredentials) {
    Campus campus;
    campus.of_class.spec.smtp_relay.emplace().host = "smtp.example.test";
    EXPECT_TRUE(Instances::further_needs(campus.instance, campus.inputs()).empty());
    campus.settle();
    const auto variables = text_in(campus, "demo-configuration", "variables.yml");
    EXPECT_NE(variables.find("\"POSTFIX_QUEUE_EXTERNAL_SMTP_USER\": !unsafe \"\"\n"), std::string::npos);
    EXPECT_NE(variables.find("\"@example.com  demo.example.test@example.test\""), std::string::npos)
        << "senders are of the domain that the class is for";
}

TEST(InstanceClass, SaysHowLongARunMayTakeUnlessAnAppServerDoes) {
    const struct {
        const char* reason;
        const char* settings;
        std::optional<std::int32_t> own;
        std::int32_t line, total;
    } cases[] = {
        {"a snapshot of an earlier version", R"({"cloud":"c"})", std::nullopt, 1500, 9000},
        {"as the class said", R"({"lineTimeoutSeconds":60,"totalTimeoutSeconds":600})", std::nullopt, 60, 600},
        {"the AppServer's own", R"({"lineTimeoutSeconds":60,"totalTimeoutSeconds":600})", 7, 7, 600},
    };
    for (const auto& c : cases) {
        crd::AppServer appserver;
        appserver.metadata.name = "demo-1";
        appserver.metadata.namespace_ = "campus";
        appserver.spec.instance_name = "demo";
        appserver.spec.provisioner.emplace().ansible.emplace().line_timeout_seconds = c.own;
        runtime::Children children;
        children.add(test::secret("campus", "demo-1-config", {{"settings.json", c.settings}}));
        for (const auto& child : AppServers::compose(appserver, children, {}).children) {
            const auto run = api::decode_object<crd::ProvisioningRun>(child.object);
            if (!run || api::find_text(child.object, {"kind"}) != "ProvisioningRun") continue;
            EXPECT_EQ(run->spec.line_timeout_seconds, c.line) << c.reason;
            EXPECT_EQ(run->spec.total_timeout_seconds, c.total) << c.reason;
        }
    }
    Campus campus;
    campus.settle();
    const auto hash = campus.instance.status.configuration_hash;
    campus.of_class.spec.configuration.line_timeout_seconds = 60;
    campus.settle();
    EXPECT_NE(text_in(campus, "demo-configuration", "settings.json").find("\"lineTimeoutSeconds\":60"),
              std::string::npos);
    EXPECT_EQ(campus.instance.status.configuration_hash, hash) << "it makes no other server";
}

}  // namespace
}  // namespace ocim::openedx
