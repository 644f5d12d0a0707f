#include "openedx/redeployment.hpp"

#include "api/patch.hpp"
#include "campus.hpp"
#include "crd/databasescripts.hpp"
#include "openedx/redeployment_choice.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::openedx {
namespace {

using api::Json;
using Object = crd::Redeployment;
using Phase = Object::Status::Phase;
using State = std::decay_t<decltype(Object::Status{}.instances[0])>::State;
struct Composition : runtime::Composition<Object> {
    std::vector<runtime::Edit> edits;
};
using namespace std::chrono_literals;

Json json(std::string text) {
    std::ranges::replace(text, '\'', '"');
    return api::parse_json(text)->value;
}

/// Some Instances, and one Redeployment of them. A test plays the Instances' part; `visit` plays the runtime's, and
/// crashes where it is told to.
class World {
public:
    World() : now(*parse_rfc3339("2026-11-22T12:00:00Z")) {
        object.metadata.name = "up";
        object.metadata.namespace_ = "campus";
        object.metadata.uid = "uid-up";
        object.spec.patch = json("{'release':'two'}");
        object.spec.interval = "10m";
    }
    void instance(const std::string& name, const std::string& more = "{}") {
        auto made = json(
            "{'apiVersion':'ocim.opencraft.com/"
            "v1alpha1','kind':'Instance','metadata':{'namespace':'campus','generation':"
            "1,'resourceVersion':'7'},'spec':{'className':'sandbox','subdomain':'x','release':'one'},'status':{"
            "'observedGeneration':1,'appServersMade':1,'configurationHash':'h1','activeAppServers':[]}}");
        made.at("metadata").as_object()["name"] = name;
        made.at("metadata").as_object()["uid"] = "uid-" + name;
        api::merge_patch(made, json(more));
        instances[name] = std::move(made);
    }
    Composition compose() const {
        runtime::Inputs inputs;
        inputs.installation = "test";
        inputs.now = now;
        runtime::Children children;
        for (const auto& [name, item] : instances) inputs.add(item);
        for (const auto& [name, item] : appservers) inputs.add(item);
        for (const auto& item : others) inputs.add(item);
        for (const auto& [name, item] : scripts) children.add(item);
        return {Redeployments::compose(object, children, inputs), Redeployments::edits(object, children, inputs)};
    }
    /// What the runtime does with a composition; a crash loses all that comes after so many writes.
    Composition visit(int crash_after = 1000) {
        auto made = compose();
        auto write = [&] { return crash_after-- > 0; };
        if (!made.complete && write()) object.status = made.status;
        for (const auto& child : made.children) {
            const std::string kind(api::find_text(child.object, {"kind"})),
                name(api::find_text(child.object, {"metadata", "name"}));
            if (!write()) return made;
            auto& stored = kind == "AppServer" ? appservers[name] : scripts[name];
            if (stored.is_null()) {
                stored = child.object;
                stored.at("metadata").as_object()["uid"] = "uid-" + name;
                ++created[name];
            } else if (!child.create_only) {
                api::merge_patch(stored, child.object);
            }
        }
        for (auto edit : made.edits) {
            if (!write()) return made;
            auto& target = edit.kind.name == "AppServer" ? appservers[edit.name] : instances[edit.name];
            EXPECT_EQ(edit.resource_version, api::find_text(target, {"metadata", "resourceVersion"}));
            api::merge_patch(target, edit.patch);
            ++edits;
            if (edit.kind.name == "AppServer") continue;
            auto& metadata = target.at("metadata").as_object();
            metadata["generation"] = metadata["generation"].to_number<std::int64_t>() + 1;
            metadata["resourceVersion"] = std::to_string(++version);
            edited.push_back(edit.name);
        }
        if (made.complete) {
            std::erase_if(scripts, [&](const auto& item) {
                return std::ranges::none_of(made.children, [&](const auto& child) {
                    return api::find_text(child.object, {"metadata", "name"}) == item.first;
                });
            });
            if (write()) object.status = made.status;
        }
        return made;
    }
    Composition settle() {
        for (int i = 0; i < 20; ++i) {
            const auto before = api::encode(object.status);
            const auto changed = edits, made = created.size();
            auto said = visit();
            if (api::encode(object.status) == before && edits == changed && made == created.size()) return said;
        }
        ADD_FAILURE() << "it never settles";
        return visit();
    }
    /// The Instance saw the change and made an AppServer of it, which serves if it runs.
    void appserver(const std::string& instance, int number, const std::string& phase, bool serves = true) {
        auto& of = instances[instance];
        const auto name = instance + "-" + std::to_string(number);
        auto& status = api::make_object(of, {"status"});
        status["observedGeneration"] = of.at("metadata").at("generation");
        status["configurationHash"] = "h" + std::to_string(number);
        status["appServersMade"] = number;
        auto made = json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'AppServer','metadata':{'namespace':'campus'},"
            "'spec':{'active':false},'status':{'addresses':['192.0.2.1']}}");
        made.at("metadata").as_object()["name"] = name;
        made.at("spec").as_object()["instanceName"] = instance;
        made.at("spec").as_object()["configurationHash"] = "h" + std::to_string(number);
        made.at("status").as_object()["phase"] = phase;
        appservers[name] = std::move(made);
        if (phase == "Running" && serves) {
            status["activeAppServers"] = api::json::array{name};
            status["conditions"] = json("[{'type':'RolledOut','status':'True','reason':'RolledOut','message':''}]");
        }
        if (phase != "ConfigurationFailed") return;
        status["rollout"] = json("{'attempts':2,'failures':2,'message':'no such release'}");
        status["rollout"].as_object()["configurationHash"] = "h" + std::to_string(number);
        status["rollout"].as_object()["lastFailed"] = name;
    }
    std::vector<State> states() const {
        std::vector<State> out;
        for (const auto& entry : object.status.instances) out.push_back(entry.state);
        return out;
    }
    std::string text(const std::string& instance, std::initializer_list<std::string_view> path) {
        return std::string(api::find_text(instances[instance], path));
    }

    Object object;
    WallTime now;
    std::map<std::string, Json> instances, appservers, scripts;
    std::vector<Json> others;
    std::vector<std::string> edited;
    std::map<std::string, int> created;
    int version = 100;
    std::size_t edits = 0;
};
using States = std::vector<State>;

TEST(Redeployment, ChoosesByLabelsAndFields) {
    World world;
    world.instance("a", "{'metadata':{'labels':{'tier':'gold'}}}");
    world.instance("b", "{'spec':{'release':'two'}}");
    world.instance("c", "{'spec':{'archived':true}}");
    world.instance("d", "{'metadata':{'labels':{'tier':'tin'}}}");
    const struct {
        const char* reason;
        std::string spec, chosen;
    } cases[] = {
        {"all but what is archived", "{'selector':{}}", "a b d "},
        {"a label", "{'selector':{'matchLabels':{'tier':'gold'}}}", "a "},
        {"an expression", "{'selector':{'matchExpressions':[{'key':'tier','operator':'DoesNotExist'}]}}", "b "},
        {"a field", "{'selector':{'matchFields':[{'key':'spec.release','operator':'In','values':['one']}]}}", "a d "},
        {"not a field", "{'selector':{'matchFields':[{'key':'spec.release','operator':'NotIn','values':['one']}]}}",
         "b "},
        {"a field that is there", "{'selector':{'matchFields':[{'key':'spec.email','operator':'Exists'}]}}", ""},
        {"but one", "{'selector':{},'exclude':['a']}", "b d "},
    };
    for (const auto& c : cases) {
        auto raw = api::encode_object(world.object);
        raw.at("spec").as_object().erase("selector");
        api::merge_patch(raw.at("spec"), json(c.spec));
        const auto object = api::decode_object<Object>(raw);
        ASSERT_TRUE(object) << c.reason << ": " << object.error().message;
        std::string chosen;
        for (const auto& [name, instance] : world.instances) {
            const auto is = chooses(*object, instance);
            ASSERT_TRUE(is) << c.reason;
            if (*is) chosen += name + " ";
        }
        EXPECT_EQ(chosen, c.chosen) << c.reason;
    }
}

TEST(Redeployment, ADryRunListsAndTouchesNothing) {
    World world;
    world.object.spec.dry_run = true;
    world.instance("a");
    world.instance("b", "{'spec':{'release':'two'}}");
    auto said = world.settle();
    EXPECT_EQ(said.verdict.reason, "DryRun");
    EXPECT_EQ(world.object.status.phase, Phase::dry_run);
    ASSERT_EQ(world.object.status.instances.size(), 2U);
    EXPECT_EQ(world.object.status.instances[0].message, "release: one -> two");
    EXPECT_EQ(world.object.status.instances[1].message, "the same configuration");
    world.instance("c");
    world.settle();
    EXPECT_EQ(world.object.status.total, 3) << "it follows what there is";
    EXPECT_TRUE(world.edited.empty());
    world.object.spec.dry_run = false;
    world.settle();
    EXPECT_EQ(world.edited, (std::vector<std::string>{"a", "b"}));
}

TEST(Redeployment, GoesInBatches) {
    World world;
    for (const auto* name : {"a", "b", "c"}) world.instance(name);
    world.settle();
    EXPECT_EQ(world.edited, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(world.states(), (States{State::deploying, State::deploying, State::pending}));
    EXPECT_EQ(world.text("a", {"spec", "release"}), "two");
    EXPECT_EQ(world.text("a", {"spec", "rollout", "request"}), "up/uid-up/1.1");
    EXPECT_EQ(world.text("a", {"metadata", "annotations", redeployment_undo}),
              "{\"release\":\"one\",\"rollout\":null}");
    world.appserver("a", 2, "Running");
    world.appserver("b", 2, "Configuring");
    world.now += 1min;
    EXPECT_EQ(world.settle().look_again, Duration(9min + 1s)) << "a place is free, but it is early";
    EXPECT_EQ(world.states(), (States{State::succeeded, State::deploying, State::pending}));
    EXPECT_EQ(world.object.status.instances[0].app_server, "a-2");
    world.now += 9min;
    world.settle();
    EXPECT_EQ(world.states(), (States{State::succeeded, State::deploying, State::deploying}));
    world.appserver("b", 2, "Running");
    world.appserver("c", 2, "Running");
    const auto said = world.settle();
    EXPECT_EQ(said.verdict.reason, "Complete");
    EXPECT_EQ(world.object.status.phase, Phase::complete);
    EXPECT_EQ(world.object.status.succeeded, 3);
    EXPECT_TRUE(said.complete && said.edits.empty() && said.children.empty());
}

TEST(Redeployment, WhatServesAndIsNotYetVerifiedIsNoSuccess) {
    World world;
    world.instance("a");
    world.settle();
    world.appserver("a", 2, "Running");
    auto& condition = world.instances["a"].at("status").at("conditions").as_array()[0].as_object();
    condition["status"] = "False";
    world.settle();
    EXPECT_EQ(world.states(), States{State::deploying}) << "it may be taken out again";
    condition["status"] = "True";
    world.settle();
    EXPECT_EQ(world.states(), States{State::succeeded});
}

TEST(Redeployment, WhatServedBeforeIsNoSuccess) {
    World world;
    world.instance("a", "{'status':{'activeAppServers':['a-1']}}");
    world.appserver("a", 1, "Running");
    world.settle();
    EXPECT_EQ(world.states(), States{State::deploying});
    world.instances["a"].at("status").as_object()["observedGeneration"] = 2;  // seen, and nothing made yet
    world.settle();
    EXPECT_EQ(world.states(), States{State::deploying});
}

TEST(Redeployment, PausesOnFailuresAndGoesOnWhenAsked) {
    World world;
    for (const auto* name : {"a", "b", "c"}) world.instance(name);
    world.object.spec.batch_size = 1;
    world.object.spec.attempts = 2;
    world.settle();
    world.appserver("a", 2, "ConfigurationFailed");
    world.settle();
    EXPECT_EQ(world.text("a", {"spec", "rollout", "request"}), "up/uid-up/1.2") << "the second attempt";
    world.appserver("a", 3, "ConfigurationFailed");
    world.now += 1h;
    auto said = world.settle();
    EXPECT_EQ(world.states(), (States{State::failed, State::pending, State::pending}));
    EXPECT_EQ(said.verdict.reason, "Paused");
    EXPECT_NE(said.verdict.message.find("no such release"), std::string::npos) << said.verdict.message;
    EXPECT_EQ(world.text("b", {"spec", "release"}), "one");
    world.object.spec.pause_on_failures = 2;
    world.settle();
    EXPECT_EQ(world.states(), (States{State::failed, State::deploying, State::pending}));
    world.appserver("b", 2, "Running");
    world.object.spec.paused = true;
    world.now += 1h;
    EXPECT_EQ(world.settle().verdict.reason, "Paused");
    world.object.spec.paused = false;
    world.settle();
    world.appserver("c", 2, "Running");
    EXPECT_EQ(world.settle().verdict.reason, "SomeFailed");
    world.object.metadata.annotations["ocim.opencraft.com/reconcile-at"] = "2026-11-22T15:00:00Z";
    world.now += 1h;
    world.settle();
    EXPECT_EQ(world.states(), (States{State::deploying, State::succeeded, State::succeeded}));
    world.appserver("a", 4, "Running");
    EXPECT_EQ(world.settle().verdict.reason, "Complete");
}

TEST(Redeployment, WithoutActivationACandidateIsEnough) {
    World world;
    world.instance("a");
    world.object.spec.activate = false;
    world.settle();
    EXPECT_EQ(world.text("a", {"spec", "rollout", "activation"}), "Manual");
    world.appserver("a", 2, "Running", false);
    EXPECT_EQ(world.settle().verdict.reason, "Complete");
    World again;
    again.instance("a", "{'spec':{'rollout':{'activation':'Manual'}}}");
    again.settle();
    EXPECT_EQ(again.text("a", {"spec", "rollout", "activation"}), "Automatic") << "with it, the candidate serves";
}

TEST(Redeployment, DoesWhatAPersonWouldWhereRolloutIsManual) {
    World world;
    world.instance("a", "{'spec':{'rollout':{'strategy':'Manual'}}}");
    world.appserver("a", 1, "Running");
    world.appservers["a-1"].at("spec").as_object().erase("configurationHash");
    world.appservers["a-1"].at("spec").as_object()["active"] = true;
    world.settle();
    EXPECT_FALSE(world.appservers.contains("a-uid-up-1-1")) << "not before its configuration is made";
    world.instances["a"].at("status").as_object()["observedGeneration"] = 2;
    world.settle();
    ASSERT_TRUE(world.appservers.contains("a-uid-up-1-1"));
    auto& made = world.appservers["a-uid-up-1-1"];
    api::merge_patch(made, json("{'status':{'phase':'Running','addresses':['192.0.2.2']}}"));
    world.settle();
    EXPECT_TRUE(made.at("spec").at("active").get_bool());
    EXPECT_TRUE(world.appservers["a-1"].at("spec").at("active").get_bool()) << "until the new one is in rotation";
    world.instances["a"].at("status").as_object()["activeAppServers"] = api::json::array{"a-1", "a-uid-up-1-1"};
    EXPECT_EQ(world.settle().verdict.reason, "Complete");
    EXPECT_FALSE(world.appservers["a-1"].at("spec").at("active").get_bool());
}

void with_sql(World& world) {
    auto& sql = world.object.spec.sql_before.emplace();
    sql.statements = {"UPDATE t SET i = 1"};
    world.instance("a", "{'status':{'names':{'database':'demo_x','mysqlUser':'demo_y'}}}");
    world.others.push_back(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'DatabaseTenant','metadata':{'name':"
             "'a-mysql','namespace':'campus'},'spec':{'serverRef':{'name':'db1'}}}"));
}
void sql_is(World& world, const std::string& phase, std::int64_t round) {
    api::merge_patch(world.scripts["up-a"], json("{'status':{'phase':'" + phase + "','message':'statement 1: no'}}"));
    world.scripts["up-a"].at("status").as_object()["round"] = round;
}

TEST(Redeployment, RunsSqlFirstAsTheUserWhoseDatabaseItIs) {
    World world;
    with_sql(world);
    world.settle();
    const auto script = api::decode_object<crd::DatabaseScript>(world.scripts["up-a"]);
    ASSERT_TRUE(script);
    EXPECT_EQ(script->spec.username, "demo_y_edxapp");
    EXPECT_EQ(script->spec.database, "demo_x_edxapp");
    EXPECT_EQ(script->spec.password_ref, (api::SecretKeyRef{"a-mysql", "demo_y_edxapp"}));
    EXPECT_EQ(script->spec.script_id, "uid-up.a");
    EXPECT_TRUE(world.edited.empty()) << "not changed before";
    sql_is(world, "Failed", 1);
    EXPECT_EQ(world.settle().verdict.reason, "SomeFailed");
    EXPECT_TRUE(world.edited.empty());
    world.object.metadata.annotations["ocim.opencraft.com/reconcile-at"] = "2026-11-22T15:00:00Z";
    world.now += 1h;
    world.settle();
    EXPECT_EQ(api::decode_object<crd::DatabaseScript>(world.scripts["up-a"])->spec.round, 2);
    EXPECT_EQ(world.states(), States{State::running_sql}) << "the failure of the first round is not that of the second";
    sql_is(world, "Succeeded", 2);
    world.settle();
    EXPECT_EQ(world.edited, std::vector<std::string>{"a"});
    EXPECT_TRUE(world.scripts.empty());
}

TEST(Redeployment, SqlNeedsADatabaseOfItsOwn) {
    World world;
    with_sql(world);
    world.others.clear();
    EXPECT_EQ(world.settle().verdict.reason, "SomeFailed");
    EXPECT_TRUE(world.edited.empty());
}

/// After every number of writes of every visit: what was done is not done again.
TEST(Redeployment, ACrashAtAnyWriteDoublesNothing) {
    for (int crash = 0; crash < 12; ++crash) {
        SCOPED_TRACE(crash);
        World world;
        with_sql(world);
        world.instance("b", "{'status':{'names':{'database':'demo_x','mysqlUser':'demo_y'}}}");
        world.object.spec.exclude = {"b"};
        for (int left = crash; left >= 0; --left) world.visit(left % 3);
        world.settle();
        if (world.scripts.contains("up-a")) sql_is(world, "Succeeded", 1);
        for (int left = crash; left >= 0; --left) world.visit(left % 2);
        world.settle();
        world.appserver("a", 2, "Running");
        EXPECT_EQ(world.settle().verdict.reason, "Complete");
        EXPECT_EQ(world.edited, std::vector<std::string>{"a"});
        EXPECT_EQ(world.created["up-a"], 1);
    }
}

TEST(Redeployment, LeavesAloneWhatGoesMeanwhile) {
    World world;
    for (const auto* name : {"a", "b", "c", "d", "e"}) world.instance(name);
    world.object.spec.batch_size = 5;
    world.settle();
    world.instances.erase("a");
    world.instance("b", "{'metadata':{'uid':'another'}}");
    world.instances["c"].at("spec").as_object()["archived"] = true;
    world.instances["d"].at("metadata").at("annotations").as_object()[redeployed_by] = "uid-other/1.1";
    world.instances["d"].at("status").as_object()["observedGeneration"] = 2;
    world.settle();
    EXPECT_EQ(world.states(),
              (States{State::skipped, State::skipped, State::skipped, State::failed, State::deploying}));
    world.now += 6h;
    const auto said = world.settle();
    EXPECT_EQ(world.states().back(), State::failed);
    EXPECT_NE(said.verdict.message.find("within 6h"), std::string::npos) << said.verdict.message;
}

TEST(Redeployment, RefusesAPatchThatCannotBe) {
    const struct {
        const char* patch;
        const char* field;
    } cases[] = {
        {"{'release':'x'}", ""},
        {"{'release':null}", ""},
        {"{'configuration':{'extraVars':{'ANY':{'thing':1}}}}", ""},
        {"{'relase':'x'}", "spec.patch.relase"},
        {"{'configuration':{'versoin':'x'}}", "spec.patch.configuration.versoin"},
        {"{'release':7}", "spec.patch"},
        {"{'subdomain':'x'}", "spec.patch.subdomain"},
        {"{'archived':true}", "spec.patch.archived"},
        {"{'rollout':{'request':'x'}}", "spec.patch.rollout.request"},
        {"{'rollout':{'attempts':3}}", ""},
    };
    for (const auto& c : cases) {
        World world;
        world.instance("a");
        world.object.spec.patch = json(c.patch);
        const auto causes = Redeployments::admit(world.object, nullptr, {});
        EXPECT_EQ(causes.empty() ? "" : causes[0].field, std::string(c.field)) << c.patch;
        const auto said = world.settle();
        EXPECT_EQ(said.verdict.reason == "SpecInvalid", !causes.empty()) << c.patch << " without admission";
        EXPECT_EQ(world.edited.empty(), !causes.empty()) << c.patch;
    }
    World world;
    auto changed = world.object;
    changed.spec.patch = json("{'release':'three'}");
    EXPECT_EQ(Redeployments::admit(changed, &world.object, {}).size(), 1U) << "once it has begun";
    world.object.spec.dry_run = true;
    EXPECT_TRUE(Redeployments::admit(changed, &world.object, {}).empty());
}

}  // namespace
}  // namespace ocim::openedx
