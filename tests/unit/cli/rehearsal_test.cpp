#include "cli/rehearsal.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ocim;
using namespace ocim::cli;
using namespace std::chrono_literals;

namespace {

api::Json json(std::string text) {
    std::ranges::replace(text, '\'', '"');
    auto parsed = api::parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? std::move(parsed->value) : api::Json();
}

api::Json object(const std::string& version, const std::string& kind, const std::string& name,
                 const std::string& metadata = "", const std::string& rest = "") {
    return json("{'apiVersion':'" + version + "','kind':'" + kind + "','metadata':{'name':'" + name + "','uid':'uid-" +
                kind + name + "','creationTimestamp':'2026-11-23T12:00:00Z'" + metadata + "}" + rest + "}");
}

constexpr auto ours = "ocim.opencraft.com/v1alpha1";
const std::string in_campus = ",'namespace':'campus'";
const std::string marked = in_campus + ",'annotations':{'ocim.opencraft.com/git-source':'campus/fleet'}";

api::Json campus() { return object("v1", "Namespace", "campus", "", ",'spec':{'finalizers':['kubernetes']}"); }
api::Json secret(const std::string& name, const std::string& metadata) {
    return object("v1", "Secret", name, metadata);
}

/// It applied two Secrets and a Deployment; of the Secrets "lost" is somebody else's by now, and "kept" is to stay.
api::Json source(const std::string& more = "") {
    const auto entry = [](const std::string& version, const std::string& kind, const std::string& name) {
        return "{'apiVersion':'" + version + "','kind':'" + kind + "','namespace':'campus','name':'" + name + "'}";
    };
    return object(ours, "GitSource", "fleet", in_campus + ",'finalizers':['ocim.opencraft.com/external']",
                  ",'spec':{'repository':'https://git.example.com/fleet.git'" + more + "},'status':{'inventory':[" +
                      entry("v1", "Secret", "mine") + "," + entry("v1", "Secret", "lost") + "," +
                      entry("v1", "Secret", "kept") + "," + entry("v1", "Secret", "gone") + "," +
                      entry("apps/v1", "Deployment", "web") + "]}");
}

std::vector<api::Json> world(const std::string& more = "") {
    return {campus(),
            source(more),
            secret("mine", marked),
            secret("lost", in_campus),
            secret("kept", in_campus + ",'annotations':{'ocim.opencraft.com/git-source':'campus/fleet',"
                                       "'ocim.opencraft.com/prune':'disabled'}"),
            secret("elsewhere", ",'namespace':'other'")};
}

Rehearsed run(Rehearsal::Given given) {
    auto out = Rehearsal::run(std::move(given), 30s);
    EXPECT_TRUE(out) << out.error().message;
    EXPECT_TRUE(out->complete);
    return out ? *std::move(out) : Rehearsed();
}

/// What goes in consequence.
std::vector<std::string> gone(const Rehearsed& told) {
    std::vector<std::string> out;
    for (const auto& one : told.consequences) {
        EXPECT_FALSE(one.before.is_null()) << one.spot.key.text();
        EXPECT_TRUE(one.after.is_null()) << one.spot.key.text();
        out.push_back(one.spot.kind + " " + one.spot.key.text());
    }
    std::ranges::sort(out);
    return out;
}

Rehearsed without(const api::Json& object, const std::string& more = "") {
    Rehearsal::Given given;
    given.before = world(more);
    given.gone = given.asked = {spot_of(object)};
    return run(std::move(given));
}

TEST(Rehearsal, WithAGitSourceGoesWhatIsMarkedAsItsOwn) {
    const auto told = without(source());
    EXPECT_EQ(gone(told), (std::vector<std::string>{"/Secret campus/mine", "apps/Deployment campus/web"}));
    ASSERT_EQ(told.untold.size(), 1U);
    EXPECT_EQ(told.untold[0].spot, spot_of(source()));
    EXPECT_FALSE(told.untold[0].unreachable);
}

TEST(Rehearsal, WithoutPruneOrSuspendedNothingGoesWithAGitSource) {
    for (const auto* more : {",'prune':false", ",'suspend':true"}) {
        const auto told = without(source(), more);
        EXPECT_EQ(gone(told), std::vector<std::string>()) << more;
        EXPECT_TRUE(told.untold.empty()) << more;
    }
}

TEST(Rehearsal, WithAnAbandonedGitSourceNothingGoes) {
    auto given = source();
    given.as_object()["metadata"].as_object()["annotations"] =
        api::json::object{{"ocim.opencraft.com/abandon", "true"}};
    Rehearsal::Given all;
    all.before = world();
    all.before[1] = given;
    all.gone = all.asked = {spot_of(given)};
    const auto told = run(std::move(all));
    EXPECT_EQ(gone(told), std::vector<std::string>());
    EXPECT_TRUE(told.untold.empty());
    EXPECT_EQ(told.abandoned, std::vector{spot_of(given)});
}

/// A zone whose server nobody reaches, and a record that was made there.
std::vector<api::Json> unreachable_zone(const std::string& annotations) {
    return {campus(), object("v1", "Secret", "key", ",'namespace':'ocim-system'", ",'data':{'apiKey':'a2V5'}"),
            object(ours, "DNSZone", "zone", "",
                   ",'spec':{'domain':'example.org','powerdns':{'url':'http://127.0.0.1:9'},"
                   "'credentialsRef':{'name':'key'}}"),
            object(ours, "DNSRecord", "www",
                   in_campus + ",'finalizers':['ocim.opencraft.com/dnsrecord'],'annotations':{" + annotations + "}",
                   ",'spec':{'zoneRef':{'name':'zone'},'name':'www.example.org','type':'A','values':['192.0.2.1']}")};
}

TEST(Rehearsal, AClassThatIsUsedSaysByHowManyOfItsOwn) {
    Rehearsal::Given given;
    given.before = {
        campus(), object(ours, "InstanceClass", "sandbox", ",'finalizers':['ocim.opencraft.com/instanceclass']",
                         ",'spec':{'baseDomain':'example.org','compute':{'cloudSelector':{},'sshKeyRef':{'name':'ssh'}"
                         ",'flavor':{'name':'m'},'image':{'name':'i'}}}")};
    const auto of_class = spot_of(given.before.back());
    for (const std::string name : {"one", "two", "three"})
        given.before.push_back(object(ours, "Instance", name, in_campus,
                                      ",'spec':{'className':'" + std::string(name == "two" ? "production" : "sandbox") +
                                          "','subdomain':'" + name + "','contactEmail':'a@example.org'}"));
    given.gone = given.asked = {of_class};
    const auto told = run(std::move(given));
    EXPECT_TRUE(std::ranges::any_of(told.untold, [&](const auto& one) {
        return one.spot == of_class &&
               one.why == "InUse: 2 Instances are made of it, campus/one among them; delete them first";
    })) << (told.untold.empty() ? "nothing" : told.untold.front().why);
}

TEST(Rehearsal, WhatAnAbandonedOwnerMadeIsLetGoOfWithIt) {
    for (const bool abandoned : {false, true}) {
        Rehearsal::Given given;
        given.before = unreachable_zone("");
        auto& record = given.before.back();
        record.as_object()["metadata"].as_object()["ownerReferences"] =
            json("[{'apiVersion':'" + std::string(ours) +
                 "','kind':'Instance','name':'demo','uid':'uid-Instancedemo','controller':true}]");
        const auto made = spot_of(record);
        given.before.push_back(
            object(ours, "Instance", "demo",
                   in_campus + ",'finalizers':['ocim.opencraft.com/instance']" +
                       (abandoned ? ",'annotations':{'ocim.opencraft.com/abandon':'true'}" : ""),
                   ",'spec':{'className':'sandbox','subdomain':'demo','contactEmail':'a@example.org'}"));
        const auto instance = spot_of(given.before.back());
        given.gone = given.asked = {instance};
        const auto told = run(std::move(given));
        const auto let_go = abandoned ? std::vector{made, instance} : std::vector<Spot>();
        EXPECT_EQ(told.abandoned, let_go);
        EXPECT_TRUE(told.actions.empty());
        if (abandoned) {
            EXPECT_TRUE(std::ranges::any_of(told.consequences, [&](const auto& one) {
                return one.spot == made && one.after.is_null();
            })) << "it goes";
            EXPECT_TRUE(told.untold.empty()) << told.untold.front().why;
        }
    }
}

TEST(Rehearsal, WhatIsAbandonedNeedsNoBackend) {
    const struct {
        const char* annotations;
        std::size_t abandoned, untold;
    } cases[] = {
        {"", 0, 1}, {"'ocim.opencraft.com/abandon':'false'", 0, 1}, {"'ocim.opencraft.com/abandon':'true'", 1, 0}};
    for (const auto& c : cases) {
        Rehearsal::Given given;
        given.before = unreachable_zone(c.annotations);
        const auto record = spot_of(given.before.back());
        given.gone = given.asked = {record};
        const auto told = run(std::move(given));
        EXPECT_EQ(told.abandoned.size(), c.abandoned) << c.annotations;
        EXPECT_EQ(told.untold.size(), c.untold) << c.annotations;
        EXPECT_TRUE(told.actions.empty()) << c.annotations;
        if (c.abandoned) { EXPECT_EQ(told.abandoned.front(), record); }
    }
}

TEST(Rehearsal, WithANamespaceGoesAllThatIsInIt) {
    EXPECT_EQ(gone(without(campus())),
              (std::vector<std::string>{"/Secret campus/kept", "/Secret campus/lost", "/Secret campus/mine",
                                        "apps/Deployment campus/web", "ocim.opencraft.com/GitSource campus/fleet"}));
}

TEST(Rehearsal, WhatGoesAnywayIsNoConsequence) {
    Rehearsal::Given given;
    given.before = world();
    given.gone = {spot_of(campus()), spot_of(source()), spot_of(secret("mine", in_campus))};
    given.asked = given.gone;
    EXPECT_EQ(gone(run(std::move(given))),
              (std::vector<std::string>{"/Secret campus/kept", "/Secret campus/lost", "apps/Deployment campus/web"}));
}

TEST(Rehearsal, WhatANewOrOtherGitSourceAppliesIsNotKnown) {
    const struct {
        const char* name;
        std::vector<api::Json> before, after;
        std::size_t untold;
    } cases[] = {
        {"new", {campus()}, {source()}, 1},
        {"other", world(), {source(",'path':'other'")}, 1},
        {"goes on", world(",'suspend':true"), {source(",'suspend':false")}, 1},
        {"suspended", world(), {source(",'suspend':true")}, 0},
        {"as it was", world(), {}, 0},
    };
    for (const auto& c : cases) {
        Rehearsal::Given given;
        given.before = c.before;
        given.after = c.after;
        given.asked = {spot_of(source())};
        const auto told = run(std::move(given));
        ASSERT_EQ(told.untold.size(), c.untold) << c.name;
        if (c.untold == 0) continue;
        EXPECT_EQ(told.untold[0].spot, spot_of(source())) << c.name;
        EXPECT_TRUE(told.untold[0].unreachable) << c.name;
    }
}

}  // namespace
