#include "openedx/run_on.hpp"
#include "campus.hpp"
#include "openedx/run.hpp"

#include <gtest/gtest.h>
#include <functional>

namespace ocim::openedx {
namespace {

using test::Campus;
using test::Json;
using Place = crd::InstanceClass::Spec::Configuration::RunOn;

TEST(RunOnController, IsRefusedForWhatComesOfAPullRequest) {
    const auto labelled = [](crd::Instance& instance) {
        instance.metadata.labels["ocim.opencraft.com/pull-request-watch"] = "team";
    };
    const auto owned = [](crd::Instance& instance) {
        instance.metadata.owner_references.push_back(
            {"ocim.opencraft.com/v1alpha1", "PullRequestWatch", "team", "u", {}, {}});
    };
    const struct {
        const char* reason;
        Place place;
        std::function<void(crd::Instance&)> change;
        const char* expected;
    } cases[] = {
        {"a person's Instance", Place::controller, [](crd::Instance&) {}, ""},
        {"the label of a watch", Place::controller, labelled, refused_reason},
        {"a watch's child whose label was taken off", Place::controller, owned, refused_reason},
        {"on machines it may", Place::machine, labelled, ""},
    };
    for (const auto& c : cases) {
        Campus campus;
        campus.of_class.spec.configuration.run_on = c.place;
        c.change(campus.instance);
        const auto made = campus.settle();
        const bool refused = made.verdict.reason == refused_reason;
        EXPECT_EQ(refused ? made.verdict.reason : "", c.expected) << c.reason << ": " << made.verdict.message;
        EXPECT_EQ(campus.names("AppServer").empty(), refused) << c.reason;
        if (refused) {
            EXPECT_EQ(made.verdict.state, runtime::Verdict::State::stalled);
            EXPECT_NE(made.verdict.message.find("PullRequestWatch"), std::string::npos) << made.verdict.message;
        }
    }
}

TEST(RunOnController, IsRefusedToTutor) {
    Campus campus;
    campus.of_class.spec.configuration.run_on = Place::controller;
    campus.of_class.spec.tutor.emplace();
    EXPECT_EQ(campus.settle().verdict.reason, refused_reason);
}

crd::ProvisioningRun run() {
    crd::ProvisioningRun out;
    out.metadata.namespace_ = "campus";
    out.metadata.name = "demo-1-1";
    out.metadata.uid = "uid-1";
    out.metadata.owner_references.push_back({"ocim.opencraft.com/v1alpha1", "AppServer", "demo-1", "a", true, {}});
    out.spec.machine_ref.name = "demo-1";
    out.spec.ansible.emplace();
    out.spec.variables_ref = {"demo-1-config", "variables.yml"};
    out.spec.run_on = crd::ProvisioningRun::Spec::RunOn::controller;
    return out;
}

Json of_campus(const std::string& kind, const std::string& name, const std::string& spec, const char* uid) {
    auto out = test::backend(kind, name, spec);
    out.at("metadata").as_object()["namespace"] = "campus";
    out.at("metadata").as_object()["uid"] = uid;
    return out;
}

runtime::Inputs inputs(const char* place, const char* appserver_uid = "a", bool watched = false) {
    runtime::Inputs out;
    out.installation = "prod";
    out.add(test::secret("campus", "demo-1-config", {{"variables.yml", "{}"}}));
    out.add(of_campus("AppServer", "demo-1", "{'instanceName':'demo'}", appserver_uid));
    auto instance = of_campus("Instance", "demo", "{'className':'own','subdomain':'demo'}", "i");
    if (watched)
        instance.at("metadata").as_object()["labels"] =
            api::json::object{{"ocim.opencraft.com/pull-request-watch", "team"}};
    out.add(std::move(instance));
    out.add(test::backend("InstanceClass", "own",
                          "{'baseDomain':'example.org','compute':{'keyName':'k','sshKeyRef':{'name':'s'}},"
                          "'configuration':{'repository':'r','version':'v','playbook':'p','runOn':'" +
                              std::string(place) + "'}}"));
    return out;
}

TEST(RunOnController, IsOnlyForAnAppServerWhoseClassSaysSo) {
    auto by_hand = run();
    by_hand.metadata.owner_references.clear();
    const struct {
        const char* reason;
        crd::ProvisioningRun run;
        runtime::Inputs inputs;
        bool begins;
    } cases[] = {
        {"the class says so", run(), inputs("Controller"), true},
        {"the class does not", run(), inputs("Machine"), false},
        {"a run that somebody made", by_hand, inputs("Controller"), false},
        {"one that names an AppServer of before", run(), inputs("Controller", "b"), false},
        {"a pull request's site, labelled since", run(), inputs("Controller", "a", true), false},
    };
    for (const auto& c : cases) {
        const auto actions = Runs::diff(c.run, c.inputs, {});
        EXPECT_EQ(actions.size(), c.begins ? 1u : 0u) << c.reason;
        if (!actions.empty()) EXPECT_TRUE(actions.front().on_controller) << c.reason;
        const auto report = Runs::report(c.run, c.inputs, {});
        EXPECT_EQ(report.verdict.reason, c.begins ? "Pending" : refused_reason) << c.reason;
    }
}

TEST(RunOnController, IsNeverBegunAgainOnAnotherHost) {
    auto object = run();
    object.status.phase = crd::ProvisioningRun::Status::Phase::running;
    object.status.started_at = "2026-11-22T12:00:00Z";
    EXPECT_TRUE(Runs::diff(object, inputs("Controller"), {}).empty());
    const auto report = Runs::report(object, inputs("Controller"), {});
    EXPECT_EQ(report.status.phase, crd::ProvisioningRun::Status::Phase::failed);
    EXPECT_NE(report.verdict.message.find("another"), std::string::npos);
    object.spec.run_on = crd::ProvisioningRun::Spec::RunOn::machine;
    EXPECT_EQ(Runs::diff(object, inputs("Machine"), {}).size(), 1u) << "a machine's folder is on the machine";
}

TEST(RunOnController, WhatIsThereIsStoppedThere) {
    openedx::Run there;
    there.mark = runtime::Mark{"prod", "campus/demo-1-1", "uid-1", false};
    there.state = openedx::Run::State::running;
    there.on_controller = true;
    const auto removed = Runs::remove(run(), "prod", {{"uid-1", there}});
    ASSERT_EQ(removed.size(), 1u);
    EXPECT_TRUE(removed.front().on_controller);
    EXPECT_TRUE(Runs::sweep("uid-1", {{"uid-1", there}}).front().on_controller);
}

}  // namespace
}  // namespace ocim::openedx
