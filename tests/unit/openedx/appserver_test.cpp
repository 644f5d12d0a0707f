#include "openedx/appserver.hpp"

#include "campus.hpp"
#include "openedx/instance_class.hpp"
#include "openedx/machine_groups.hpp"

#include <gtest/gtest.h>

namespace ocim::openedx {
namespace {

using test::Json;
using test::set_condition;
using State = runtime::Verdict::State;

const WallTime now = *parse_rfc3339("2026-11-22T12:10:00Z");

crd::AppServer appserver() {
    crd::AppServer out;
    out.metadata.name = "demo-1";
    out.metadata.namespace_ = "campus";
    out.metadata.creation_timestamp = "2026-11-22T12:00:00Z";
    out.spec.instance_name = "demo";
    out.status.configuration_secret = "demo-1-config";
    out.status.addresses = {"192.0.2.1"};
    return out;
}

Json of_campus(const std::string& kind, const std::string& name, const std::string& spec) {
    auto out = test::backend(kind, name, spec);
    out.at("metadata").as_object()["namespace"] = "campus";
    return out;
}

/// Its machine, up and rebooted, its snapshot, and its run, which ended in `phase`.
runtime::Children children(const std::string& phase, const std::string& failed_step = "") {
    runtime::Children out;
    out.add(test::secret("campus", "demo-1-config", {{"settings.json", R"({"cloud":"c","repository":"r"})"}}));
    auto machine = of_campus("VirtualMachine", "demo-1", "{'cloudRef':{'name':'c'},'keyName':'k'}");
    machine.at("status").as_object()["phase"] = "Ready";
    machine.at("status").as_object()["rebootRequest"] = "demo-1-1";
    machine.at("status").as_object()["addresses"] = api::json::array{"192.0.2.1"};
    out.add(std::move(machine));
    auto run = of_campus("ProvisioningRun", "demo-1-1",
                         "{'machineRef':{'name':'demo-1'},'ansible':{'repository':'r','version':'v','playbook':'p'},"
                         "'variablesRef':{'name':'s','key':'k'}}");
    run.at("status").as_object()["phase"] = phase;
    if (!failed_step.empty()) run.at("status").as_object()["failedStep"] = failed_step;
    out.add(std::move(run));
    return out;
}

runtime::Inputs inputs(std::initializer_list<Json> objects) {
    runtime::Inputs out;
    out.now = now;
    for (const auto& item : objects) out.add(item);
    return out;
}

const runtime::Finding* finding(const runtime::Composition<crd::AppServer>& made, const std::string& type) {
    for (const auto& item : made.findings)
        if (item.type == type) return &item;
    return nullptr;
}

TEST(AppServer, SaysWhyNobodyIsSentThere) {
    auto listed = of_campus("LoadBalancerFragment", "demo-http", "{'loadBalancerRef':{'name':'lb'},'domains':['a']}");
    listed.at("status").as_object()["activeServers"] = api::json::array{"demo-1"};
    const auto unlisted =
        of_campus("LoadBalancerFragment", "demo-http", "{'loadBalancerRef':{'name':'lb'},'domains':['a']}");
    const struct {
        const char* reason;
        bool active;
        const char* run;
        Json fragment;
        const char* expected;
    } cases[] = {
        {"not wanted", false, "Succeeded", unlisted, "NotWanted"},
        {"wanted, but it failed: waiting would not help", true, "Failed", unlisted, "NotRunning"},
        {"wanted and running", true, "Succeeded", unlisted, "NotInRotation"},
        {"in rotation", true, "Succeeded", listed, "InRotation"},
    };
    for (const auto& c : cases) {
        auto object = appserver();
        object.spec.active = c.active;
        const auto made = AppServers::compose(object, children(c.run), inputs({c.fragment}));
        EXPECT_EQ(finding(made, "Active")->reason, c.expected) << c.reason;
    }
}

TEST(AppServer, TellsWhichPasswordsItHas) {
    auto object = appserver();
    EXPECT_FALSE(AppServers::compose(object, children("Succeeded"), inputs({})).status.passwords_drawn_at);
    runtime::Children ours;
    ours.add(test::secret("campus", "demo-1-config",
                          {{"settings.json", R"({"cloud":"c","passwordsDrawnAt":"2026-11-22T11:00:00Z"})"}}));
    EXPECT_EQ(AppServers::compose(object, ours, inputs({})).status.passwords_drawn_at, "2026-11-22T11:00:00Z");
}

TEST(AppServer, TellsInWhatItFailed) {
    for (const auto& [step, reason] : {std::pair{"Fetch", "FetchFailed"},
                                       {"Download", "DownloadFailed"},
                                       {"Requirements", "RequirementsFailed"},
                                       {"Playbook", "ConfigurationFailed"},
                                       {"", "ConfigurationFailed"}})
        EXPECT_EQ(finding(AppServers::compose(appserver(), children("Failed", step), inputs({})), "Configured")->reason,
                  reason);
}

TEST(AppServer, MeasuresOnceHowLongItTook) {
    auto object = appserver();
    const auto first = AppServers::compose(object, children("Succeeded"), inputs({}));
    EXPECT_EQ(first.measures, (std::vector<runtime::Measure>{{"ocim_provision_duration_seconds", 600}}));
    object.status = first.status;
    EXPECT_TRUE(AppServers::compose(object, children("Succeeded"), inputs({})).measures.empty());
    ASSERT_EQ(AppServers::histograms().size(), 1u);
    EXPECT_EQ(AppServers::histograms()[0].name, "ocim_provision_duration_seconds");
}

TEST(AppServer, GoesOnceNothingLeadsThere) {
    const auto record = [](const char* spec, const char* served) {
        auto out =
            of_campus("DNSRecord", "demo-vm1",
                      "{'zoneRef':{'name':'z'},'name':'vm1.demo','type':'A','values':['" + std::string(spec) + "']}");
        out.at("status").as_object()["served"] = api::json::array{served};
        return out;
    };
    auto fragment = of_campus("LoadBalancerFragment", "demo-http", "{'loadBalancerRef':{'name':'lb'},'domains':['a']}");
    fragment.at("status").as_object()["activeServers"] = api::json::array{"demo-1"};
    auto deleting = fragment;
    deleting.at("metadata").as_object()["deletionTimestamp"] = "2026-11-22T12:09:00Z";
    const struct {
        const char* reason;
        std::vector<Json> there;
        bool stays;
    } cases[] = {
        {"nothing", {}, false},
        {"the load balancer lists it", {fragment}, true},
        {"a fragment that is being deleted still leads there", {deleting}, true},
        {"a record leads there", {record("192.0.2.1", "192.0.2.1")}, true},
        {"a record was changed, but the zone does not serve that yet", {record("192.0.2.2", "192.0.2.1")}, true},
        {"another one's record", {record("192.0.2.2", "192.0.2.2")}, false},
    };
    for (const auto& c : cases) {
        auto object = appserver();
        object.metadata.deletion_timestamp = "2026-11-22T12:09:30Z";
        auto given = inputs({});
        for (const auto& item : c.there) given.add(item);
        EXPECT_EQ(!AppServers::compose(object, children("Succeeded"), given).children.empty(), c.stays) << c.reason;
    }
}

TEST(AppServer, TellsWhatTheLoadBalancersChecksSay) {
    const auto fragment = [](const std::string& server) {
        auto out = of_campus("LoadBalancerFragment", "demo-http", "{'loadBalancerRef':{'name':'lb'},'domains':['a']}");
        if (!server.empty()) out.at("status").as_object()["servers"] = api::json::array{api::parse_json(server)->value};
        return out;
    };
    const struct {
        const char* reason;
        const char* server;
        runtime::Finding wanted;
    } cases[] = {
        {"passed",
         R"({"name":"demo-1","check":"Passed"})",
         {"Healthy", "True", "CheckPassed", "the load balancer's check gets proper answers"}},
        {"failed, in its words",
         R"({"name":"demo-1","check":"Failed","message":"L7STS/503"})",
         {"Healthy", "False", "CheckFailed", "the load balancer's check fails: L7STS/503"}},
        {"not yet",
         R"({"name":"demo-1","standby":true})",
         {"Healthy", "Unknown", "NotChecked", "the load balancer has not checked it yet"}},
        {"another's",
         R"({"name":"demo-2","check":"Passed"})",
         {"Healthy", "Unknown", "NotListed", "it is not behind the load balancer"}},
        {"nobody's", "", {"Healthy", "Unknown", "NotListed", "it is not behind the load balancer"}},
    };
    for (const auto& c : cases) {
        const auto made = AppServers::compose(appserver(), children("Succeeded"), inputs({fragment(c.server)}));
        EXPECT_EQ(*finding(made, "Healthy"), c.wanted) << c.reason;
    }
}

TEST(AppServer, WritesDownSinceWhenVisitorsAreSentThereAndUntilWhen) {
    auto listed = of_campus("LoadBalancerFragment", "demo-http", "{'loadBalancerRef':{'name':'lb'},'domains':['a']}");
    listed.at("status").as_object()["activeServers"] = api::json::array{"demo-1"};
    auto object = appserver();
    object.spec.active = true;
    object.status.deactivated_at = "2026-11-20T12:00:00Z";
    object.status = AppServers::compose(object, children("Succeeded"), inputs({listed})).status;
    EXPECT_EQ(object.status.activated_at, rfc3339(now));
    EXPECT_EQ(object.status.deactivated_at, std::nullopt);
    object.spec.active = false;
    object.status = AppServers::compose(object, children("Succeeded"), inputs({listed})).status;
    EXPECT_EQ(object.status.activated_at, std::nullopt);
    EXPECT_EQ(object.status.deactivated_at, rfc3339(now));
    auto later = inputs({});
    later.now = now + std::chrono::minutes(5);
    EXPECT_EQ(AppServers::compose(object, children("Succeeded"), later).status.deactivated_at, rfc3339(now)) << "once";
}

TEST(AppServer, GivesThoseWhoAreConnectedTheirTimeBeforeItGoes) {
    const auto site = [](const std::string& more) {
        auto out = of_campus("Instance", "demo",
                             "{'className':'c','subdomain':'demo','rollout':{'drainFor':'30s'}" + more + "}");
        return out;
    };
    auto fragment = of_campus("LoadBalancerFragment", "demo-http", "{'loadBalancerRef':{'name':'lb'},'domains':['a']}");
    auto object = appserver();
    object.spec.active = true;
    object.metadata.deletion_timestamp = "2026-11-22T12:09:30Z";
    object.status.activated_at = "2026-11-22T11:00:00Z";
    fragment.at("status").as_object()["servers"] = api::json::array{api::json::object{{"name", "demo-1"}}};
    auto made = AppServers::compose(object, children("Succeeded"), inputs({site(""), fragment}));
    EXPECT_FALSE(made.children.empty()) << "on standby it is known there too";
    EXPECT_EQ(made.status.activated_at, object.status.activated_at);
    fragment.at("status").as_object()["servers"] = api::json::array();
    made = AppServers::compose(object, children("Succeeded"), inputs({site(""), fragment}));
    EXPECT_FALSE(made.children.empty());
    EXPECT_EQ(made.verdict.message, "those who are connected have until 2026-11-22T12:10:30Z");
    EXPECT_EQ(made.look_again, Duration(30'000));
    object.status = made.status;
    auto later = inputs({site(""), fragment});
    later.now = now + std::chrono::seconds(30);
    EXPECT_TRUE(AppServers::compose(object, children("Succeeded"), later).children.empty());
    EXPECT_TRUE(AppServers::compose(object, children("Succeeded"), inputs({site(",'archived':true"), fragment}))
                    .children.empty())
        << "the site itself goes";
    EXPECT_TRUE(AppServers::compose(object, children("Succeeded"), inputs({})).children.empty()) << "it is gone";
    object.status.deactivated_at.reset();
    EXPECT_TRUE(AppServers::compose(object, children("Succeeded"), inputs({site("")})).children.empty())
        << "nobody was ever there";
}

TEST(InstanceClass, StaysAsLongAsInstancesAreMadeOfIt) {
    test::Campus campus;
    auto& relay = campus.of_class.spec.smtp_relay.emplace();
    relay.host = "smtp.example.test";
    relay.credentials_ref.emplace().name = "smtp";
    campus.of_class.metadata.deletion_timestamp = "2026-11-22T12:00:00Z";
    auto given = campus.inputs();
    EXPECT_TRUE(InstanceClasses::compose(campus.of_class, {}, given).complete) << "nobody uses it";
    given.add(api::encode_object(campus.instance));
    const auto used = InstanceClasses::compose(campus.of_class, {}, given);
    EXPECT_FALSE(used.complete);
    EXPECT_EQ(used.status.instances, 1);
    EXPECT_EQ(used.verdict.reason, "InUse");
    EXPECT_EQ(used.verdict.message, "Instance campus/demo is made of it; delete that first");
    auto another = campus.instance;
    another.metadata.name = "other";
    given.add(api::encode_object(another));
    const auto twice = InstanceClasses::compose(campus.of_class, {}, given);
    EXPECT_FALSE(twice.complete);
    EXPECT_EQ(twice.status.instances, 2);
    EXPECT_EQ(twice.verdict.message, "2 Instances are made of it, campus/demo among them; delete them first");
    ASSERT_EQ(used.keeps.size(), 2u);
    EXPECT_EQ(used.keeps[0].name, "smtp");
    EXPECT_EQ(used.keeps[1].name, "ssh");
}

TEST(InstanceClass, SaysWhatIsLacking) {
    const struct {
        const char* reason;
        void (*change)(test::Campus&);
        const char* expected;
        const char* message;
    } cases[] = {
        {"nothing",
         [](test::Campus& c) { c.others.push_back(test::secret("ocim-system", "ssh", {{"ssh-privatekey", "k"}})); },
         "Ready", "Instances can be made of it"},
        {"the key", [](test::Campus&) {}, "SecretIncomplete",
         "spec.compute.sshKeyRef: Secret ocim-system/ssh has no key \"ssh-privatekey\"; add it"},
        {"a backend that its selector matches",
         [](test::Campus& c) {
             c.others.push_back(test::secret("ocim-system", "ssh", {{"ssh-privatekey", "k"}}));
             c.of_class.spec.placement.cloud.emplace().match_labels = {{"tier", "nosuch"}};
         },
         "NoBackend", "spec.placement.cloud: there is no Cloud with tier=nosuch; make one, or change the selector"},
    };
    for (const auto& c : cases) {
        test::Campus campus;
        c.change(campus);
        const auto made = InstanceClasses::compose(campus.of_class, {}, campus.inputs());
        EXPECT_EQ(made.verdict.reason, c.expected) << c.reason;
        EXPECT_EQ(made.verdict.message, c.message) << c.reason;
    }
}

/// A campus whose machines are in an OpenStack cloud.
test::Campus on_openstack() {
    test::Campus campus;
    campus.others.push_back(test::backend(
        "Cloud", "stack", "{'openstack':{'authURL':'https://id.example.test','credentialsRef':{'name':'stack'}}}"));
    return campus;
}

TEST(InstanceClass, MakesItsSecurityGroupInEachCloudThatHasSuchThings) {
    auto campus = on_openstack();
    const auto made = InstanceClasses::compose(campus.of_class, {}, campus.inputs());
    ASSERT_EQ(made.children.size(), 1u) << "the local cloud has none";
    const auto& group = made.children[0].object;
    EXPECT_EQ(api::find_text(group, {"kind"}), "SecurityGroup");
    EXPECT_EQ(api::find_text(group, {"metadata", "namespace"}), "ocim-system");
    EXPECT_EQ(api::find_text(group, {"metadata", "name"}), group_object_name("sandbox", "stack"));
    EXPECT_EQ(api::find_text(group, {"spec", "name"}), "ocim-sandbox");
    EXPECT_EQ(api::find_text(group, {"spec", "cloudRef", "name"}), "stack");
    EXPECT_EQ(api::find(group, {"spec", "rules"})->get_array().size(), 5u) << "SSH, the site, ping";

    campus.of_class.spec.security_group.name = "edxapp-appserver";
    campus.of_class.spec.security_group.rules.resize(1);
    const auto declared = InstanceClasses::compose(campus.of_class, {}, campus.inputs());
    EXPECT_EQ(api::find_text(declared.children.at(0).object, {"spec", "name"}), "edxapp-appserver");
    EXPECT_EQ(api::find(declared.children.at(0).object, {"spec", "rules"})->get_array().size(), 1u);

    campus.of_class.spec.placement.cloud.emplace().match_labels = {{"tier", "other"}};
    EXPECT_TRUE(InstanceClasses::compose(campus.of_class, {}, campus.inputs()).children.empty())
        << "no machine of the class is ever in a cloud that it may not choose";
    auto given = campus.inputs();
    auto placed = api::encode_object(campus.instance);
    api::make_object(placed, {"status", "placement"})["cloud"] = "stack";
    given.add(std::move(placed));
    EXPECT_EQ(InstanceClasses::compose(campus.of_class, {}, given).children.size(), 1u) << "but one that it has chosen";
}

TEST(AppServer, MachineWaitsForTheGroupOfItsClassAndHasItFirst) {
    runtime::Children ours;
    ours.add(
        test::secret("campus", "demo-1-config",
                     {{"settings.json",
                       R"({"cloud":"stack","securityGroups":["ocim-sandbox","mysql"],"securityGroupObject":"g"})"}}));
    const auto machine_in = [&](const runtime::Composition<crd::AppServer>& made) {
        for (const auto& child : made.children)
            if (api::find_text(child.object, {"kind"}) == "VirtualMachine") return child;
        return runtime::Child{};
    };
    const auto early = AppServers::compose(appserver(), ours, inputs({}));
    EXPECT_EQ(machine_in(early).waiting_for, "SecurityGroup ocim-system/g");
    EXPECT_EQ(early.verdict.reason, "WaitingForSecurityGroup");
    auto group = test::backend("SecurityGroup", "g", "{'cloudRef':{'name':'stack'},'name':'ocim-sandbox'}");
    group.at("metadata").as_object()["namespace"] = "ocim-system";
    set_condition(group, "Ready", "False", "NotOwned", "it is not ours");
    const auto stuck = AppServers::compose(appserver(), ours, inputs({group}));
    EXPECT_EQ(stuck.verdict.message, "SecurityGroup ocim-system/g: it is not ours");
    set_condition(group, "Ready", "True", "Synced");
    const auto machine = machine_in(AppServers::compose(appserver(), ours, inputs({group})));
    EXPECT_FALSE(machine.waiting_for);
    EXPECT_EQ(api::to_text(*api::find(machine.object, {"spec", "securityGroups"})), R"(["ocim-sandbox","mysql"])");
}

TEST(AppServer, MachineIsGivenAHostKeyWhereItsClassSaysSo) {
    const auto made = [](const std::string& settings) {
        runtime::Children ours;
        ours.add(test::secret("campus", "demo-1-config", {{"settings.json", settings}}));
        return AppServers::compose(appserver(), ours, inputs({}));
    };
    const auto kind = [](const runtime::Child& child) { return api::find_text(child.object, {"kind"}); };
    for (const auto& child : made(R"({"cloud":"stack"})").children)
        EXPECT_EQ(api::find(child.object, {"spec", "sshHostKeySecretRef"}), nullptr);
    const auto given = made(R"({"cloud":"stack","hostKeys":"Injected"})").children;
    const auto secret = std::ranges::find_if(given, [&](const auto& child) {
        return kind(child) == "Secret" && api::find_text(child.object, {"metadata", "name"}) == "demo-1-ssh-host-key";
    });
    ASSERT_NE(secret, given.end());
    EXPECT_TRUE(secret->create_only);
    EXPECT_FALSE(secret->retain) << "it goes with its machine";
    EXPECT_EQ(secret->generated,
              (std::map<std::string, runtime::Generate>{{"ed25519-seed", {runtime::Generate::Form::base64, 32}}}));
    const auto machine =
        std::ranges::find_if(given, [&](const auto& child) { return kind(child) == "VirtualMachine"; });
    ASSERT_NE(machine, given.end());
    EXPECT_EQ(api::find_text(machine->object, {"spec", "sshHostKeySecretRef", "name"}), "demo-1-ssh-host-key");
}

}  // namespace
}  // namespace ocim::openedx
