#include "client/delegate.hpp"

#include "registry/registry.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

namespace ocim::client {
namespace {

using api::Json;
using test::json_of;

class LocalDelegates : public testing::Test {
protected:
    template <class T>
    T run(awaitable<T> work) {
        return world.loop.run(std::move(work));
    }
    std::optional<api::Status> judge(const Question& question) {
        asked.push_back(question.user + " " + question.verb + " " + question.plural + " " + question.namespace_ + "/" +
                        question.name);
        if (may) return std::nullopt;
        return api::forbidden(question.plural, question.group, question.name, "no");
    }

    test::World world;
    bool may = true;
    std::vector<std::string> asked;
    std::unique_ptr<Delegate> delegate = make_local_delegates(
        world.registry(), [this](const Question& question) { return judge(question); }, "ocim/test")("default",
                                                                                                     "fleet");
    const ServedKind maps{"", "v1", "ConfigMap", "configmaps", true};
    const Json map = json_of(
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'default'},'data':{'k':'1'}}");
};

TEST_F(LocalDelegates, EveryCallIsJudgedAsThatAccount) {
    may = false;
    const auto refused = [](const auto& result) { return !result && result.error().error_class == ErrorClass::auth; };
    EXPECT_TRUE(refused(run(delegate->get(maps, "default", "a"))));
    EXPECT_TRUE(refused(run(delegate->apply(maps, map, "m", true))));
    EXPECT_TRUE(refused(run(delegate->apply(maps, map, "m", false))));
    EXPECT_TRUE(refused(run(delegate->remove(maps, "default", "a", ""))));
    const std::string who = "system:serviceaccount:default:fleet ";
    EXPECT_EQ(asked,
              (std::vector<std::string>{who + "get configmaps default/a", who + "patch configmaps default/a",
                                        who + "patch configmaps default/a", who + "delete configmaps default/a"}));
    may = true;
    const auto absent = run(delegate->get(maps, "default", "a"));
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().error_class, ErrorClass::not_found) << "nothing was written";
}

TEST_F(LocalDelegates, WhatGuardsAskIsWhoReallyWrites) {
    std::vector<std::string> writers;
    world.registry().set_guard([&](const registry::Intent& intent) -> std::optional<api::Status> {
        writers.push_back(intent.caller.user + (intent.applied ? " creates" : ""));
        for (const auto& group : intent.caller.groups) EXPECT_NE(group, "system:masters");
        return std::nullopt;
    });
    ASSERT_TRUE(run(delegate->apply(maps, map, "m", true)));
    EXPECT_EQ(writers, std::vector<std::string>{"system:serviceaccount:default:fleet creates"}) << "also of a dry run";
}

TEST_F(LocalDelegates, ADryRunStoresNothingAndIsStrict) {
    const auto tried = run(delegate->apply(maps, map, "m", true));
    ASSERT_TRUE(tried) << tried.error().message;
    EXPECT_FALSE(run(delegate->get(maps, "default", "a")));
    auto wrong = map;
    wrong.as_object()["bogus"] = 1;
    EXPECT_FALSE(run(delegate->apply(maps, wrong, "m", true)));
    ASSERT_TRUE(run(delegate->apply(maps, map, "m", false)));
    const auto stored = run(delegate->get(maps, "default", "a"));
    ASSERT_TRUE(stored);
    EXPECT_EQ(api::find_text(stored->at("metadata").at("managedFields").at(0), {"manager"}), "m");
    EXPECT_TRUE(run(delegate->remove(maps, "default", "a", "another")));
    EXPECT_TRUE(run(delegate->get(maps, "default", "a"))) << "that one is gone, this is another";
    EXPECT_TRUE(run(delegate->remove(maps, "default", "a", "")));
    EXPECT_FALSE(run(delegate->get(maps, "default", "a")));
}

TEST_F(LocalDelegates, KindsAreFoundAsTheyAreServed) {
    const auto known = run(delegate->served("v1", "ConfigMap"));
    ASSERT_TRUE(known && *known);
    EXPECT_EQ(**known, maps);
    const auto cluster = run(delegate->served("rbac.authorization.k8s.io/v1", "ClusterRole"));
    ASSERT_TRUE(cluster && *cluster);
    EXPECT_FALSE((*cluster)->namespaced);
    const auto unknown = run(delegate->served("lab.example.com/v1", "Widget"));
    ASSERT_TRUE(unknown);
    EXPECT_FALSE(*unknown);
}

}  // namespace
}  // namespace ocim::client
