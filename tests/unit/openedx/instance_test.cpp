#include "campus.hpp"
#include "crd/databasetenants.hpp"

#include "runtime/base64.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::openedx {
namespace {

using test::Campus;
using test::finding;
using test::Json;
using test::set_condition;
using test::told;
using Names = std::vector<std::string>;
using State = runtime::Verdict::State;

TEST(Instance, BecomesASite) {
    Campus campus;
    EXPECT_EQ(campus.settle().verdict.reason, "NoActiveAppServer");
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-1"});
    EXPECT_EQ(campus.names("DatabaseTenant"), Names{"demo-mysql"});
    EXPECT_EQ(campus.names("RabbitMQVhost"), Names{"demo-rabbitmq"});
    EXPECT_EQ(campus.names("Secret"), (Names{"demo-basic-auth", "demo-configuration", "demo-mysql", "demo-secrets"}));
    EXPECT_EQ(campus.names("DNSRecord"),
              (Names{"demo-discovery", "demo-ecommerce", "demo-lms", "demo-preview", "demo-studio"}));
    campus = Campus::serving();
    const auto done = campus.settle();
    EXPECT_EQ(done.verdict, (runtime::Verdict{State::ready, "Serving", "https://demo.example.test/ is served"}));
    EXPECT_EQ(campus.instance.status.active_app_servers, Names{"demo-1"});
    EXPECT_TRUE(campus.child("DNSRecord", "demo-vm1"));
}

TEST(Instance, TheNamesOfItsMachinesShrinkWithTheSet) {
    auto campus = Campus::serving();
    campus.instance.spec.rollout.strategy = crd::Instance::Spec::Rollout::Strategy::manual;
    const auto in_rotation = [&campus](bool second) {
        if (auto* made = campus.child("AppServer", "mine-8")) made->at("spec").as_object()["active"] = second;
        campus.settle();
        campus.balance();
        campus.settle();
        Names out;
        for (const auto& name : campus.names("DNSRecord"))
            if (name.starts_with("demo-vm")) out.push_back(name);
        return out;
    };
    campus.persons_appserver("mine-8", true);
    campus.appserver("mine-8", "Running");
    EXPECT_EQ(in_rotation(true), (Names{"demo-vm1", "demo-vm2"}));
    const auto of_first = campus.child("DNSRecord", "demo-vm1")->at("spec").at("values");
    EXPECT_NE(campus.child("DNSRecord", "demo-vm2")->at("spec").at("values"), of_first);
    EXPECT_EQ(in_rotation(false), Names{"demo-vm1"}) << "no name leads to a machine that serves nobody";
}

TEST(Instance, OnlyOnAServerOfItsOwnMayItsAdminMakeAccounts) {
    const struct {
        const char* reason;
        const char* shared;
        std::size_t grants;
    } cases[] = {{"a server is shared unless it says otherwise", nullptr, 0},
                 {"shared", "true", 0},
                 {"of one owner", "false", 1}};
    for (const auto& c : cases) {
        Campus campus;
        if (c.shared)
            campus.other("DatabaseServer", "db1")->at("spec").as_object()["shared"] = c.shared == std::string("true");
        campus.settle();
        const auto tenant = api::decode_object<crd::DatabaseTenant>(*campus.child("DatabaseTenant", "demo-mysql"));
        ASSERT_TRUE(tenant) << c.reason;
        for (const auto& user : tenant->spec.users)
            if (user.name.ends_with("_admin")) EXPECT_EQ(user.grants.size(), c.grants) << c.reason;
    }
}

// --- AppServers that people made

TEST(Instance, ArchivesAndDeletesWhatPeopleMadeForItToo) {
    for (const bool archive : {true, false}) {
        Campus campus;
        campus.instance.spec.rollout.strategy = crd::Instance::Spec::Rollout::Strategy::manual;
        campus.settle();
        campus.persons_appserver("mine-7", true);
        campus.appserver("mine-7", "Running");
        campus.settle();
        campus.balance();
        EXPECT_EQ(campus.settle().verdict.reason, "Serving");
        EXPECT_EQ(campus.names("AppServer"), Names{"mine-7"}) << "it is the Instance's now";
        // one that was made in the last moment
        campus.persons_appserver("mine-8", false);
        if (archive)
            campus.instance.spec.archived = true;
        else
            campus.remove();
        campus.settle();
        EXPECT_EQ(campus.names("AppServer"), Names{}) << "archive: " << archive;
        EXPECT_EQ(campus.other("AppServer", "mine-8"), nullptr);
        EXPECT_EQ(campus.names("DatabaseTenant").size(), archive ? 1u : 0u);
    }
}

// --- in stages

TEST(Instance, GoesInStages) {
    for (const bool archive : {true, false}) {
        auto campus = Campus::serving();
        if (archive)
            campus.instance.spec.archived = true;
        else
            campus.remove();
        const auto named = [](const Campus::Composition& made, const std::string& kind) {
            return std::ranges::count_if(made.children, [&](const runtime::Child& child) {
                return api::find_text(child.object, {"kind"}) == kind;
            });
        };
        auto first = campus.compose();
        EXPECT_EQ(named(first, "LoadBalancerFragment") + named(first, "DNSRecord") + named(first, "Monitor"), 0);
        EXPECT_EQ(named(first, "AppServer"), 1) << "its machine stays as long as visitors may come";
        EXPECT_EQ(named(first, "DatabaseTenant"), 1);
        campus.visit();
        EXPECT_EQ(named(campus.compose(), "AppServer"), 0) << "then the AppServers";
        EXPECT_EQ(named(campus.compose(), "DatabaseTenant"), 1);
        campus.visit();
        EXPECT_EQ(named(campus.compose(), "DatabaseTenant"), archive ? 1 : 0) << "the data last";
        const auto last = campus.settle();
        EXPECT_EQ(last.verdict.reason, archive ? "Archived" : "Deleting");
    }
}

TEST(Instance, IsArchivedOnlyWhenMonitorsAreGoneToo) {
    auto campus = Campus::serving();
    campus.instance.spec.archived = true;
    campus.visit();
    campus.visit();
    campus.children.push_back(test::backend("Monitor", "demo-lms", "{}"));
    campus.children.back().at("metadata").as_object()["ownerReferences"] =
        api::json::array{api::json::object{{"uid", "uid-demo"}}};
    EXPECT_EQ(finding(campus.compose(), "Archived")->status, "False");
    const auto done = campus.settle();
    EXPECT_EQ(finding(done, "Archived")->status, "True");
    EXPECT_EQ(told(done), Names{}) << "said once";
}

// --- what happens to data

TEST(Instance, ThePolicyThatHoldsIsTheOneAtDeletion) {
    using Policy = crd::Instance::Spec::DeletionPolicy;
    const struct {
        const char* reason;
        Policy before, at_deletion;
        Names secrets_left;
    } cases[] = {{"kept", Policy::retain, Policy::retain, {"demo-mysql", "demo-secrets"}},
                 {"gone", Policy::delete_, Policy::delete_, {}},
                 {"gone, said in the last moment", Policy::retain, Policy::delete_, {}},
                 {"kept, said in the last moment", Policy::delete_, Policy::retain, {"demo-mysql", "demo-secrets"}}};
    for (const auto& c : cases) {
        Campus campus;
        campus.instance.spec.deletion_policy = c.before;
        campus.settle();
        campus.instance.spec.deletion_policy = c.at_deletion;
        campus.remove();
        const std::string wanted = c.at_deletion == Policy::delete_ ? "Delete" : "Retain";
        for (int visits = 0; visits < 10; ++visits) {
            campus.visit();
            for (const auto* kind : {"DatabaseTenant", "RabbitMQVhost"})
                for (const auto& item : campus.children)
                    if (api::find_text(item, {"kind"}) == kind)
                        EXPECT_EQ(api::find_text(item, {"spec", "deletionPolicy"}), wanted) << c.reason;
        }
        EXPECT_EQ(campus.names("DatabaseTenant"), Names{}) << c.reason;
        EXPECT_EQ(campus.names("Secret"), c.secrets_left) << c.reason;
    }
}

TEST(Instance, WhatAFormerLifeKeptIsNotLostByOneThatNeverTookItOver) {
    Campus campus;
    campus.settle();
    campus.remove();
    for (int visits = 0; visits < 10; ++visits) campus.visit();
    const Names kept{"demo-mysql", "demo-secrets"};
    ASSERT_EQ(campus.names("Secret"), kept);

    const auto lives_again = [&](int visits) {
        campus.now += std::chrono::hours(1);
        campus.live_again(crd::Instance::Spec::DeletionPolicy::delete_);
        while (visits-- > 0 && campus.names("DatabaseTenant").empty()) campus.visit();
        const auto taken = !campus.names("DatabaseTenant").empty();
        if (taken) campus.visit();
        campus.remove();
        for (int more = 0; more < 10; ++more) campus.visit();
        return taken;
    };
    for (int visits = 0; !lives_again(visits); ++visits) {
        EXPECT_EQ(campus.names("Secret"), kept) << visits << " visits before its deletion";
        ASSERT_LT(visits, 10);
    }
    EXPECT_EQ(campus.names("Secret"), Names{}) << "with the data that it took over";
}

TEST(Instance, OneWithoutDataOfItsOwnLeavesTheKeysToWhatAFormerLifeKept) {
    Campus campus;
    campus.settle();
    campus.remove();
    for (int visits = 0; visits < 10; ++visits) campus.visit();
    campus.now += std::chrono::hours(1);
    campus.live_again(crd::Instance::Spec::DeletionPolicy::delete_);
    campus.instance.spec.databases.emplace().mode = crd::Instance::Spec::Databases::Mode::ephemeral;
    campus.settle();
    campus.remove();
    for (int visits = 0; visits < 10; ++visits) campus.visit();
    EXPECT_EQ(campus.names("Secret"), (Names{"demo-mysql", "demo-secrets"}));
}

// --- what is not known

TEST(Instance, WhatCannotBeReadTakesNothingAway) {
    const struct {
        const char* reason;
        void (*damage)(Campus&);
        const char* words;
    } cases[] = {
        {"a load balancer that is gone",
         [](Campus& c) { std::erase_if(c.others, [](const auto& o) { return o.at("kind") == "LoadBalancer"; }); },
         "LoadBalancer lb1, which leads visitors here, does not exist"},
        {"one that does not decode",
         [](Campus& c) { c.other("LoadBalancer", "lb1")->at("spec").as_object()["domain"] = 7; },
         "LoadBalancer lb1, which leads visitors here, does not exist or cannot be read"},
        {"an AppServer that does not decode",
         [](Campus& c) { c.child("AppServer", "demo-1")->at("spec").as_object()["active"] = "yes"; },
         "AppServer demo-1 cannot be read"},
        {"a database server that is gone",
         [](Campus& c) { std::erase_if(c.others, [](const auto& o) { return o.at("kind") == "DatabaseServer"; }); },
         "DatabaseServer db1, which holds the databases, does not exist"},
        {"a Secret of the configuration that is gone",
         [](Campus& c) { c.instance.spec.configuration.emplace().extra_vars_from.push_back({{"nosuch"}}); },
         "Secret nosuch does not exist; make it"},
        {"a class that is gone", [](Campus& c) { c.of_class.metadata.name = "other"; },
         "InstanceClass sandbox does not exist"},
    };
    for (const auto& c : cases) {
        auto campus = Campus::serving();
        const auto before = campus.children;
        c.damage(campus);
        auto damaged = campus.children;
        const auto said = campus.visit();
        EXPECT_EQ(said.verdict.reason, "DependencyNotReady") << c.reason;
        EXPECT_NE(said.verdict.message.find(c.words), std::string::npos) << said.verdict.message;
        EXPECT_EQ(campus.children, damaged) << c.reason;
        EXPECT_FALSE(said.complete) << c.reason;
    }
}

// --- what is settled once

TEST(Instance, AnEmptyStatusIsRebuiltFromItsChildren) {
    for (const bool archived : {false, true}) {
        auto campus = Campus::serving();
        campus.instance.spec.archived = archived;
        campus.settle();
        const auto before = campus.instance.status;
        const auto children = campus.children;
        // servers that would be preferred, and a class that gives other names
        for (const auto& [kind, spec] :
             {std::pair{"DatabaseServer", "{'mysql':{'host':'a.example.test'},'credentialsRef':{'name':'a'}}"},
              {"RabbitMQServer",
               "{'managementURL':'https://a.example.test','instanceURL':'amqps://"
               "a.example.test','credentialsRef':{'name':'a'}}"},
              {"LoadBalancer", "{'domain':'a.example.test'}"},
              {"Cloud", "{'local':{}}"},
              {"MonitoringService", "{'prober':{}}"},
              {"DNSZone", "{'domain':'example.test'}"}})
            campus.others.push_back(test::backend(kind, "a-first", spec));
        campus.of_class.spec.base_domain = "moved.example.test";
        campus.instance.status = {};
        campus.settle();
        EXPECT_EQ(campus.instance.status.domains, before.domains) << archived;
        EXPECT_EQ(campus.instance.status.names, before.names) << archived;
        EXPECT_EQ(campus.instance.status.placement->mysql, "db1");
        EXPECT_EQ(campus.instance.status.placement->rabbitmq, "mq1");
        EXPECT_EQ(campus.instance.status.placement->cloud, "cloud1");
        if (archived) continue;  // nothing says where its traffic was: it is made anew anyway
        EXPECT_EQ(campus.instance.status.placement, before.placement);
        EXPECT_EQ(campus.children, children);
    }
}

TEST(Instance, DataThatWasKeptIsFoundByItsNamesThoughTheClassChanged) {
    auto campus = Campus::serving();
    const auto before = *campus.instance.status.names;
    campus.remove();
    campus.settle();
    campus.instance.metadata.deletion_timestamp.clear();
    campus.instance.metadata.uid = "uid-of-the-next";
    campus.instance.status = {};
    campus.of_class.spec.base_domain = "moved.example.test";
    campus.settle();
    EXPECT_EQ(*campus.instance.status.names, before);
    EXPECT_EQ(campus.instance.status.domains->lms, "demo.moved.example.test") << "a new site has new addresses";
}

TEST(Instance, AClassThatChangesDoesNotMoveItsSites) {
    auto campus = Campus::serving();
    const auto children = campus.children;
    const auto status = campus.instance.status;
    campus.of_class.spec.base_domain = "moved.example.test";
    campus.of_class.spec.domain_prefixes.studio = "cms-";
    campus.of_class.spec.databases.mode = crd::InstanceClass::Spec::Databases::Mode::ephemeral;
    campus.settle();
    EXPECT_EQ(campus.children, children);
    EXPECT_EQ(campus.instance.status, status);
}

TEST(Instance, TheModeOfItsDatabasesStays) {
    using Mode = crd::Instance::Spec::Databases::Mode;
    auto campus = Campus::serving();
    const auto children = campus.children;
    auto old = campus.instance;
    campus.instance.spec.databases.emplace().mode = Mode::ephemeral;
    const auto causes = Instances::admit(campus.instance, &old, campus.inputs());
    ASSERT_EQ(causes.size(), 1u);
    EXPECT_EQ(causes[0].field, "spec.databases.mode");
    EXPECT_EQ(causes[0].message,
              "Invalid value: \"Ephemeral\": cannot be changed: this site's databases are Persistent; make another "
              "Instance");
    const auto said = campus.visit();
    EXPECT_EQ(said.verdict.state, State::stalled) << "where nothing admits";
    EXPECT_EQ(campus.children, children);
    campus.instance.spec.databases->mode = Mode::persistent;
    EXPECT_TRUE(Instances::admit(campus.instance, &old, campus.inputs()).empty()) << "saying what is so is no change";
}

TEST(Instance, AnEphemeralOneHasNoTenantAndNoVhost) {
    Campus campus;
    campus.of_class.spec.databases.mode = crd::InstanceClass::Spec::Databases::Mode::ephemeral;
    campus.settle();
    EXPECT_EQ(campus.names("DatabaseTenant"), Names{});
    EXPECT_EQ(campus.names("RabbitMQVhost"), Names{});
    EXPECT_EQ(campus.instance.status.placement->mysql, std::nullopt);
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-1"});
}

// --- placement

TEST(Instance, IsPlacedOnWhatIsReady) {
    const std::string spec = "{'mysql':{'host':'b.example.test'},'credentialsRef':{'name':'b'}}";
    const struct {
        const char* reason;
        void (*change)(Json& first, Json& second);
        const char* placed;
        const char* verdict;
    } cases[] = {
        {"the least loaded", [](Json& first, Json&) { first.at("status").as_object()["objects"] = 5; }, "db2", ""},
        {"one that is broken draws nobody, however empty",
         [](Json& first, Json& second) {
             set_condition(first, "Ready", "False", "BackendInvalid", "no such host");
             second.at("status").as_object()["objects"] = 50;
         },
         "db2", ""},
        {"none is Ready: it waits and says for what",
         [](Json& first, Json& second) {
             set_condition(first, "Ready", "False", "BackendUnreachable", "refused");
             second.at("status").as_object().erase("conditions");
         },
         nullptr,
         "no DatabaseServer can take this site: db1 is not Ready: BackendUnreachable; db2 has not reported "
         "yet. It waits"},
        {"closed ones do not count",
         [](Json& first, Json& second) {
             first.at("spec").as_object()["acceptsNewTenants"] = false;
             second.at("spec").as_object()["allowedNamespaces"] = api::json::array{"others"};
         },
         nullptr,
         "no DatabaseServer can take this site: db1 accepts no new tenants. Make "
         "another"},
    };
    for (const auto& c : cases) {
        Campus campus;
        campus.others.push_back(test::backend("DatabaseServer", "db2", spec));
        c.change(*campus.other("DatabaseServer", "db1"), *campus.other("DatabaseServer", "db2"));
        const auto said = campus.settle();
        if (c.placed) {
            ASSERT_TRUE(campus.instance.status.placement) << c.reason << said.verdict.message;
            EXPECT_EQ(campus.instance.status.placement->mysql, c.placed) << c.reason;
        } else {
            EXPECT_FALSE(campus.instance.status.placement) << c.reason;
            EXPECT_TRUE(said.verdict.message.starts_with(c.verdict)) << said.verdict.message;
        }
    }
}

TEST(Instance, StaysWhereItIsWhenItsBackendFails) {
    auto campus = Campus::serving();
    set_condition(*campus.other("DatabaseServer", "db1"), "Ready", "False", "BackendUnreachable");
    campus.others.push_back(
        test::backend("DatabaseServer", "db2", "{'mysql':{'host':'b.example.test'},'credentialsRef':{'name':'b'}}"));
    campus.settle();
    EXPECT_EQ(campus.instance.status.placement->mysql, "db1");
}

// --- names

TEST(Instance, ClaimsEveryNameOfItsOwn) {
    auto campus = Campus::serving();
    campus.instance.spec.domains.emplace().lms_preview = "preview.example.edu";
    std::map<std::string, std::string> claims;
    for (const auto& claim : Instances::claims(campus.instance)) claims[claim.key] = claim.field;
    EXPECT_EQ(claims, (std::map<std::string, std::string>{{"subdomain/sandbox/demo", "spec.subdomain"},
                                                          {"domain/demo.example.test", "spec.subdomain"},
                                                          {"domain/preview-demo.example.test", "spec.subdomain"},
                                                          {"domain/studio-demo.example.test", "spec.subdomain"},
                                                          {"domain/discovery-demo.example.test", "spec.subdomain"},
                                                          {"domain/ecommerce-demo.example.test", "spec.subdomain"},
                                                          {"domain/preview.example.edu", "spec.domains.lmsPreview"}}));
}

TEST(Instance, MakesNothingBeforeItsNamesAreClaimed) {
    Campus campus;
    const auto first = campus.compose();
    EXPECT_TRUE(first.children.empty());
    EXPECT_EQ(first.verdict.reason, "ReservingNames");
    EXPECT_EQ(first.status.domains->lms, "demo.example.test");
}

TEST(Instance, NamesOfOthersAreRefused) {
    const struct {
        const char* reason;
        void (*change)(Campus&);
        const char* field;
        const char* message;
    } cases[] = {
        {"a sub-domain that makes somebody's name", [](Campus& c) { c.instance.spec.subdomain = "studio-i1"; },
         "spec.subdomain",
         "Duplicate value: \"studio-i1\": makes the name studio-i1.example.test, which is already held by Instance "
         "\"i1\"; choose another"},
        {"a reserved one", [](Campus& c) { c.of_class.spec.reserved_subdomains = {"demo"}; }, "spec.subdomain",
         "Invalid value: \"demo\": is reserved by InstanceClass sandbox; choose another"},
        {"one that makes too long a label", [](Campus& c) { c.instance.spec.subdomain = std::string(60, 'a'); },
         "spec.subdomain", nullptr},
        {"an external name where the class gives them",
         [](Campus& c) { c.instance.spec.domains.emplace().lms = "victim.example.test"; }, "spec.domains.lms",
         "Invalid value: \"victim.example.test\": lies in example.test, where spec.subdomain gives the names; leave it "
         "out"},
        {"one name for two services",
         [](Campus& c) {
             c.instance.spec.domains.emplace().lms = "a.example.edu";
             c.instance.spec.domains->studio = "a.example.edu";
         },
         "spec.domains.studio", "Duplicate value: \"a.example.edu\": every service needs a name of its own"},
    };
    for (const auto& c : cases) {
        Campus campus;
        c.change(campus);
        auto inputs = campus.inputs();
        inputs.set_holders([](const std::string& claim) -> std::optional<std::string> {
            if (claim == "domain/studio-i1.example.test") return "Instance \"i1\"";
            return std::nullopt;
        });
        const auto causes = Instances::admit(campus.instance, nullptr, inputs);
        ASSERT_EQ(causes.size(), 1u) << c.reason;
        EXPECT_EQ(causes[0].field, c.field) << c.reason;
        if (c.message) EXPECT_EQ(causes[0].message, c.message) << c.reason;
    }
    Campus campus;
    EXPECT_TRUE(Instances::admit(campus.instance, nullptr, campus.inputs()).empty());
}

// --- configuration

TEST(Instance, AMissingSecretIsNeverAnEmptyCredential) {
    const struct {
        const char* reason;
        std::map<std::string, std::string> held;
        const char* message;
    } cases[] = {
        {"no Secret",
         {},
         "InstanceClass sandbox, spec.smtpRelay.credentialsRef: Secret ocim-system/smtp has no key "
         "\"username\"; add it"},
        {"half of it",
         {{"username", "u"}},
         "InstanceClass sandbox, spec.smtpRelay.credentialsRef: Secret "
         "ocim-system/smtp has no key \"password\"; add it"},
        {"an empty one",
         {{"username", "u"}, {"password", ""}},
         "InstanceClass sandbox, spec.smtpRelay.credentialsRef: Secret ocim-system/smtp has no key \"password\"; add "
         "it"},
        {"all of it", {{"username", "u"}, {"password", "p"}}, nullptr},
    };
    for (const auto& c : cases) {
        Campus campus;
        auto& relay = campus.of_class.spec.smtp_relay.emplace();
        relay.host = "smtp.example.test";
        relay.credentials_ref.emplace().name = "smtp";
        if (!c.held.empty()) campus.others.push_back(test::secret("ocim-system", "smtp", c.held));
        const auto said = campus.settle();
        EXPECT_EQ(campus.names("AppServer").size(), c.message ? 0u : 1u) << c.reason;
        if (c.message) EXPECT_EQ(said.verdict.message, c.message) << c.reason;
    }
}

TEST(Instance, ReadsOnlyTheSecretsThatItsClassNames) {
    Campus campus;
    campus.of_class.spec.smtp_relay.emplace().credentials_ref.emplace().name = "smtp";
    for (const auto& reference : Instances::needs(campus.instance)) EXPECT_NE(reference.namespace_, "ocim-system");
    const auto further = Instances::further_needs(campus.instance, campus.inputs());
    ASSERT_EQ(further.size(), 1u);
    EXPECT_EQ(further[0], (runtime::Reference{api::secret_kind, "ocim-system", "smtp", true}));
}

TEST(Instance, OnlyWhatPeopleDeclareMakesNewAppServers) {
    const struct {
        const char* reason;
        void (*change)(Campus&);
        bool anew;
    } cases[] = {
        {"nothing", [](Campus&) {}, false},
        {"its name", [](Campus& c) { c.instance.spec.display_name = "Other"; }, true},
        {"the release of the class", [](Campus& c) { c.of_class.spec.release = "redwood"; }, true},
        {"a request", [](Campus& c) { c.instance.spec.rollout.request = "again"; }, true},
        {"another admin", [](Campus& c) { c.instance.spec.admins.emplace().github_users = {"octocat"}; }, true},
        {"a rotated password of the class",
         [](Campus& c) {
             *c.other("Secret", "smtp") =
                 test::secret("ocim-system", "smtp", {{"username", "u"}, {"password", "other"}});
         },
         false},
        {"how it is watched", [](Campus& c) { c.of_class.spec.monitoring.interval_seconds = 7; }, false},
        {"where other sites live", [](Campus& c) { c.of_class.spec.base_domain = "moved.example.test"; }, false},
    };
    for (const auto& c : cases) {
        Campus campus;
        auto& relay = campus.of_class.spec.smtp_relay.emplace();
        relay.host = "smtp.example.test";
        relay.credentials_ref.emplace().name = "smtp";
        campus.others.push_back(test::secret("ocim-system", "smtp", {{"username", "u"}, {"password", "p"}}));
        campus.settle();
        const auto before = campus.instance.status.configuration_hash;
        c.change(campus);
        campus.settle();
        EXPECT_EQ(campus.instance.status.configuration_hash != before, c.anew) << c.reason;
    }
}

TEST(Instance, ItsSiteMayBeWatchedByNewRelic) {
    Campus campus;
    campus.others.back() =
        test::backend("MonitoringService", "newrelic", "{'newRelic':{'accountID':1},'credentialsRef':{'name':'key'}}");
    campus.instance.spec.monitoring.emplace().emails = {"ops@example.test"};
    campus.settle();
    for (const auto* name : {"demo-lms", "demo-studio", "demo-preview"}) {
        const auto* monitor = campus.child("Monitor", name);
        ASSERT_TRUE(monitor) << name;
        const auto& spec = monitor->at("spec");
        EXPECT_EQ(spec.at("serviceRef").at("name"), "newrelic");
        EXPECT_EQ(spec.at("intervalSeconds").to_number<int>(), 300) << "a period that New Relic knows";
        EXPECT_EQ(spec.at("alertEmails").as_array().size(), 1U);
        for (const auto* cannot : {"connectTo", "expectedStatus", "basicAuth", "dns", "tcp", "body"})
            EXPECT_FALSE(spec.as_object().contains(cannot)) << "a ping has no " << cannot;
    }
}

// --- what is told

TEST(Instance, IsAvailableWhenTheLoadBalancerSendsVisitorsThere) {
    Campus campus;
    campus.settle();
    campus.appserver("demo-1", "Running");
    const auto waiting = campus.settle();
    EXPECT_EQ(finding(waiting, "Available")->status, "False");
    EXPECT_EQ(finding(waiting, "Available")->message,
              "AppServer demo-1 runs, but the load balancer does not send visitors there yet; see kubectl describe "
              "loadbalancerfragment demo-http");
    EXPECT_EQ(campus.instance.status.active_app_servers, Names{});
    const auto enabled = [&] { return campus.child("Monitor", "demo-lms")->at("spec").at("enabled").as_bool(); };
    EXPECT_FALSE(enabled()) << "nobody is alarmed about a site that was never there";
    campus.balance();
    EXPECT_EQ(finding(campus.settle(), "Available")->status, "True");
    EXPECT_TRUE(enabled());
    set_condition(*campus.child("LoadBalancerFragment", "demo-http"), "Ready", "False", "BackendUnreachable",
                  "refused");
    const auto unknown = campus.compose();
    EXPECT_EQ(finding(unknown, "Available")->status, "Unknown") << "a load balancer that is not reached is not known";
}

TEST(Instance, TellsWhatAPersonWantsToKnowOnce) {
    Campus campus;
    std::vector<std::string> all;
    const auto go = [&] {
        for (int visits = 0; visits < 5; ++visits)
            for (auto& text : told(campus.visit())) all.push_back(text);
    };
    go();
    campus.appserver("demo-1", "ConfigurationFailed", "task \"migrate\" failed (exit code 2)");
    go();
    campus.now += std::chrono::minutes(1);
    go();
    campus.appserver("demo-2", "Running");
    go();
    campus.balance();
    go();
    campus.instance.spec.archived = true;
    go();
    EXPECT_EQ(all, (Names{"Normal AppServerMade", "Warning AppServerFailed", "Normal AppServerMade",
                          "Normal InRotation", "Normal OutOfRotation", "Normal Archived"}));
}

TEST(Instance, GivesUpAndSaysWhatHelps) {
    Campus campus;
    campus.settle();
    campus.appserver("demo-1", "ConfigurationFailed", "task \"a\" failed");
    EXPECT_EQ(campus.settle().verdict.message,
              "AppServer demo-1: task \"a\" failed; the next attempt is made at 2026-11-22T12:00:30Z");
    campus.now += std::chrono::minutes(1);
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), (Names{"demo-1", "demo-2"}));
    campus.appserver("demo-2", "ConfigurationFailed", "task \"b\" failed");
    const auto said = campus.settle();
    EXPECT_EQ(said.verdict.state, State::stalled);
    EXPECT_EQ(said.verdict.message,
              "2 attempts failed, the last one: AppServer demo-2: task \"b\" failed; change the configuration, raise "
              "spec.rollout.attempts, or ask once more with kubectl annotate and ocim.opencraft.com/reconcile-at");
    EXPECT_EQ(campus.names("AppServer"), Names{"demo-2"}) << "the newest failure is kept to look at";
    campus.now += std::chrono::hours(49);
    campus.settle();
    EXPECT_EQ(campus.names("AppServer"), Names{}) << "but not for ever";
    EXPECT_EQ(campus.settle().verdict.state, State::stalled);
}

TEST(Instance, ItsMachinesHaveTheGroupOfTheClassAndFurtherOnes) {
    test::Campus campus;
    const auto settings = [&] {
        campus.settle();
        const auto* secret = campus.child("Secret", "demo-configuration");
        return api::parse_json(runtime::from_base64(api::find_text(*secret, {"data", "settings.json"})).value())->value;
    };
    EXPECT_EQ(api::find(settings(), {"securityGroups"}), nullptr) << "a local cloud has no such things";
    campus = test::Campus();
    *campus.other("Cloud", "cloud1") = test::backend(
        "Cloud", "cloud1", "{'openstack':{'authURL':'https://id.example.test','credentialsRef':{'name':'stack'}}}");
    campus.of_class.spec.compute.additional_security_groups = {"mysql", "shared"};
    campus.instance.spec.compute.emplace().additional_security_groups = {"shared", "own"};
    const auto there = settings();
    EXPECT_EQ(api::to_text(*api::find(there, {"securityGroups"})), R"(["ocim-sandbox","mysql","shared","own"])");
}

TEST(Instance, HowItsMachinesAreFirstMetMakesThemNoOthers) {
    test::Campus campus;
    const auto of_configuration = [&](const char* name) {
        campus.settle();
        const auto* secret = campus.child("Secret", "demo-configuration");
        return runtime::from_base64(api::find_text(*secret, {"data", name})).value();
    };
    EXPECT_EQ(of_configuration("settings.json").find("hostKeys"), std::string::npos);
    const auto before = of_configuration("hash");
    campus.of_class.spec.compute.host_keys = crd::InstanceClass::Spec::Compute::HostKeys::injected;
    EXPECT_NE(of_configuration("settings.json").find(R"("hostKeys":"Injected")"), std::string::npos);
    EXPECT_EQ(of_configuration("hash"), before) << "nothing is rolled out for it";
}

}  // namespace
}  // namespace ocim::openedx
