#include "openedx/placement.hpp"
#include "campus.hpp"
#include "runtime/composite.hpp"
#include "runtime/tally.hpp"
#include "support/running.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <map>

/// Where sites go, and what is said when they cannot go anywhere.
namespace ocim::openedx {
namespace {

using api::Json;
using test::backend;
using test::Campus;
using Counts = std::map<std::string, std::int64_t>;

const std::string mysql = "{'mysql':{'host':'h.example.test'},'credentialsRef':{'name':'s'}}";

struct Server {
    const char* name;
    std::string labels = "{}";
    std::string spec{};  ///< further fields
    int objects = 0;
    const char* ready = "True";
    std::string provider = "'mysql':{'host':'h'}";
};

Json server(const Server& like) {
    auto out =
        backend("DatabaseServer", like.name, "{" + like.provider + ",'credentialsRef':{'name':'s'}" + like.spec + "}");
    api::make_object(out, {"metadata"})["labels"] = ocim::test::json(like.labels);
    out.at("status").as_object()["objects"] = like.objects;
    test::set_condition(out, "Ready", like.ready, "BackendUnreachable", "refused");
    return out;
}

Campus at(const std::vector<Server>& servers, const char* label = nullptr) {
    Campus out;
    std::erase_if(out.others, [](const Json& item) { return item.at("kind") == "DatabaseServer"; });
    for (const auto& one : servers) out.others.push_back(server(one));
    if (label) out.of_class.spec.placement.mysql.emplace().match_labels["tier"] = label;
    return out;
}

/// "db1", or what is said instead.
std::string chosen(Campus& campus, const Counts& others = {}) {
    auto inputs = campus.inputs();
    inputs.add(runtime::tally_input(others));
    DataPlaces data;
    data.databases = data.broker = true;
    const auto made = place(campus.instance, campus.of_class, {}, "demo.example.test", data, inputs);
    return made ? *made->mysql : made.error().message;
}

TEST(Placement, TakesTheLeastLoadedThatHasRoom) {
    const struct {
        const char* reason;
        std::vector<Server> servers;
        const char* label;
        Counts others;
        const char* expected;
    } cases[] = {
        {"the least loaded", {{.name = "a", .objects = 5}, {.name = "b", .objects = 4}}, nullptr, {}, "b"},
        {"the first among equals", {{.name = "b"}, {.name = "a"}}, nullptr, {}, "a"},
        {"who was placed a moment ago counts, though nothing stands there yet",
         {{.name = "a", .objects = 5}, {.name = "b", .objects = 4}},
         nullptr,
         {{"DatabaseServer/b", 2}, {"DatabaseServer/b new", 2}},
         "a"},
        {"who stands there counts once",
         {{.name = "a", .objects = 5}, {.name = "b", .objects = 4}},
         nullptr,
         {{"DatabaseServer/b", 4}},
         "b"},
        {"by its labels",
         {{.name = "a", .labels = "{'tier':'silver'}"}, {.name = "b", .labels = "{'tier':'gold'}", .objects = 50}},
         "gold",
         {},
         "b"},
        {"one that is full draws nobody, however empty it looks",
         {{.name = "a", .spec = ",'maxInstances':3"}, {.name = "b", .objects = 50}},
         nullptr,
         {{"DatabaseServer/a", 3}},
         "b"},
        {"the last place is one",
         {{.name = "a", .spec = ",'maxInstances':3"}, {.name = "b", .objects = 50}},
         nullptr,
         {{"DatabaseServer/a", 2}},
         "a"},
        {"room for nobody", {{.name = "a", .spec = ",'maxInstances':0"}, {.name = "b"}}, nullptr, {}, "b"},
        {"not one that is down", {{.name = "a", .ready = "False"}, {.name = "b", .objects = 50}}, nullptr, {}, "b"},
        {"not another engine",
         {{.name = "a", .provider = "'postgresql':{'host':'h'}"}, {.name = "b", .objects = 50}},
         nullptr,
         {},
         "b"},
    };
    for (const auto& c : cases) {
        auto campus = at(c.servers, c.label);
        EXPECT_EQ(chosen(campus, c.others), c.expected) << c.reason;
    }
}

TEST(Placement, AsksForLabelsAsKubernetesDoes) {
    const std::vector<Server> servers{{.name = "bare"},
                                      {.name = "gold", .labels = "{'tier':'gold','zone':'a'}", .objects = 1},
                                      {.name = "lead", .labels = "{'tier':'lead','zone':'b'}", .objects = 2}};
    const struct {
        const char* reason;
        const char* selector;
        const char* expected;
    } cases[] = {
        {"nothing asked", "{}", "bare"},
        {"one of several values", "{'matchExpressions':[{'key':'tier','operator':'In','values':['lead','tin']}]}",
         "lead"},
        {"any value", "{'matchExpressions':[{'key':'tier','operator':'Exists'}]}", "gold"},
        {"another value, or none", "{'matchExpressions':[{'key':'tier','operator':'NotIn','values':['gold']}]}",
         "bare"},
        {"no such label", "{'matchExpressions':[{'key':'zone','operator':'DoesNotExist'}]}", "bare"},
        {"both sorts must hold",
         "{'matchLabels':{'zone':'b'},'matchExpressions':[{'key':'tier','operator':'NotIn','values':['gold']}]}",
         "lead"},
        {"none fits",
         "{'matchLabels':{'zone':'b'},'matchExpressions':[{'key':'tier','operator':'In','values':['gold','tin']}]}",
         "no DatabaseServer can take this site: bare has not the labels zone=b,tier in (gold,tin); gold has not the "
         "labels "
         "zone=b,tier in (gold,tin); lead has not the labels zone=b,tier in (gold,tin). Make another, or change these "
         "or "
         "spec.placement of the InstanceClass."},
        {"no label can have that name", "{'matchLabels':{'no such':'b'}}", nullptr},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        auto campus = at(servers);
        ASSERT_TRUE(api::decode(ocim::test::json(c.selector), campus.of_class.spec.placement.mysql.emplace(), "mysql"));
        if (c.expected)
            EXPECT_EQ(chosen(campus), c.expected);
        else
            EXPECT_TRUE(chosen(campus).starts_with("spec.placement of the InstanceClass: ")) << chosen(campus);
        const auto lacking = unmatched(campus.of_class, campus.inputs());
        EXPECT_EQ(
            std::ranges::any_of(lacking, [](const auto& text) { return text.starts_with("spec.placement.mysql: "); }),
            !c.expected || std::string_view(c.expected).starts_with("no "));
    }
}

TEST(Placement, SaysOfEachCandidateWhatStandsAgainstIt) {
    auto campus = at({{.name = "closed", .labels = "{'tier':'gold'}", .spec = ",'acceptsNewTenants':false"},
                      {.name = "full", .labels = "{'tier':'gold'}", .spec = ",'maxInstances':3"},
                      {.name = "others", .labels = "{'tier':'gold'}", .spec = ",'allowedNamespaces':['lab']"},
                      {.name = "pg", .labels = "{'tier':'gold'}", .provider = "'postgresql':{'host':'h'}"},
                      {.name = "silver", .labels = "{'tier':'silver'}"}},
                     "gold");
    const std::string lasting =
        "closed accepts no new tenants; full is full, with 3 of 3 Instances; pg is no MySQL or MariaDB, which Open edX "
        "needs; silver has not the "
        "labels tier=gold";
    const Counts others{{"DatabaseServer/full", 3}};
    EXPECT_EQ(chosen(campus, others), "no DatabaseServer can take this site: " + lasting +
                                          ". Make another, or change these or spec.placement of the InstanceClass.");
    campus.others.push_back(server({.name = "down", .labels = "{'tier':'gold'}", .ready = "False"}));
    EXPECT_EQ(chosen(campus, others), "no DatabaseServer can take this site: " + lasting +
                                          "; down is not Ready: BackendUnreachable. It waits for one that is "
                                          "Ready.");
    for (int n = 0; n < 200; ++n) campus.others.push_back(server({.name = "x", .spec = ",'acceptsNewTenants':false"}));
    EXPECT_TRUE(chosen(campus, others).find("and 105 more") != std::string::npos) << "a message has an end";
}

TEST(Placement, WhatIsFullIsLookedAtAgain) {
    const struct {
        const char* reason;
        std::vector<Server> servers;
        const char* verdict;
        bool stalled, looks_again;
    } cases[] = {
        {"full", {{.name = "a", .spec = ",'maxInstances':0"}}, "BackendsFull", false, true},
        {"full, and one is down",
         {{.name = "a", .spec = ",'maxInstances':0"}, {.name = "b", .ready = "False"}},
         "WaitingForBackend",
         false,
         false},
        {"closed", {{.name = "a", .spec = ",'acceptsNewTenants':false"}}, "NoBackend", true, false},
        {"none", {}, "NoBackend", true, false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        auto campus = at(c.servers);
        const auto said = campus.settle();
        EXPECT_EQ(said.verdict.reason, c.verdict);
        EXPECT_EQ(said.verdict.state == runtime::Verdict::State::stalled, c.stalled);
        EXPECT_EQ(said.look_again.has_value(), c.looks_again);
        EXPECT_FALSE(campus.instance.status.placement) << "all of it is chosen, or nothing";
    }
}

TEST(Placement, StaysWhateverBecomesOfItsServers) {
    const struct {
        const char* reason;
        void (*change)(Json& spec, Json& metadata);
    } cases[] = {
        {"another label",
         [](Json&, Json& metadata) { metadata.as_object()["labels"] = ocim::test::json("{'tier':'lead'}"); }},
        {"closed", [](Json& spec, Json&) { spec.as_object()["acceptsNewTenants"] = false; }},
        {"overfull", [](Json& spec, Json&) { spec.as_object()["maxInstances"] = 0; }},
        {"for others", [](Json& spec, Json&) { spec.as_object()["allowedNamespaces"] = ocim::test::json("['lab']"); }},
        {"nothing, but its status was lost", [](Json&, Json&) {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.reason);
        Campus campus;
        campus.settle();
        const auto placed = campus.instance.status.placement;
        ASSERT_TRUE(placed && placed->mysql && placed->cloud && placed->rabbitmq && placed->load_balancer);
        std::vector<Json> emptier;
        for (auto& item : campus.others) {
            auto other = item;
            other.at("metadata").as_object()["name"] = "another";
            emptier.push_back(std::move(other));
            item.at("status").as_object()["objects"] = 500;
            c.change(item.at("spec"), item.at("metadata"));
        }
        for (auto& item : emptier) campus.others.push_back(std::move(item));
        if (std::string_view(c.reason).ends_with("lost")) campus.instance.status = {};
        campus.settle();
        EXPECT_EQ(campus.instance.status.placement, placed);
    }
}

TEST(Placement, IsTalliedByTheStatusAlone) {
    Campus campus;
    EXPECT_TRUE(Instances::tallies(api::encode(campus.instance.status)).empty());
    campus.settle();
    using Said = std::set<std::string>;
    EXPECT_EQ(Instances::tallies(api::encode(campus.instance.status)),
              (Said{"Cloud/cloud1", "DatabaseServer/db1", "LoadBalancer/lb1", "RabbitMQServer/mq1"}))
        << "its AppServer is made, so its objects stand";
    campus.instance.status.app_servers_made.reset();
    EXPECT_TRUE(Instances::tallies(api::encode(campus.instance.status)).contains("DatabaseServer/db1 new"));
}

/// The runtime itself with the kind Instance alone: backends and classes are people's here.
class ManyPlaced : public testing::Test {
protected:
    ManyPlaced() : running(loop, [](runtime::Manager& manager) { runtime::add_composite<Instances>(manager); }) {
        Campus campus;
        running.server.put(api::encode_object(campus.of_class));
        for (const auto& item : campus.others)
            if (item.at("kind") != "DatabaseServer") running.server.put(item);
    }
    ~ManyPlaced() override { running.stop(); }

    void put(const Server& like) { running.server.put(server(like)); }
    void make(int from, int to) {
        for (int n = from; n < to; ++n) {
            const auto name = "s" + std::to_string(n);
            running.server.put(
                ocim::test::json("{'apiVersion':'ocim.opencraft.com/"
                                 "v1alpha1','kind':'Instance','metadata':{'namespace':'campus','name':'" +
                                 name + "'},'spec':{'className':'sandbox','subdomain':'" + name + "'}}"));
        }
    }
    /// How many say they are placed on each; those nowhere under "".
    std::map<std::string, int> placed() const {
        std::map<std::string, int> out;
        for (const auto& item : running.server.all("Instance"))
            ++out[std::string(api::find_text(item, {"status", "placement", "mysql"}))];
        return out;
    }
    std::string first_left_out() const {
        for (const auto& item : running.server.all("Instance"))
            if (api::find_text(item, {"status", "placement", "mysql"}).empty())
                return running.stands("Instance", "campus", std::string(api::find_text(item, {"metadata", "name"})));
        return "";
    }

    ocim::test::TestLoop loop;
    ocim::test::Running running;
};

using Shares = std::map<std::string, int>;

TEST_F(ManyPlaced, AtOnceOverfillNothingAndSpread) {
    put({.name = "a", .spec = ",'maxInstances':20"});
    put({.name = "b", .spec = ",'maxInstances':50"});
    put({.name = "c", .spec = ",'maxInstances':50"});
    make(0, 150);
    running.start();
    loop.advance(std::chrono::seconds(5));
    EXPECT_EQ(placed(), (Shares{{"", 30}, {"a", 20}, {"b", 50}, {"c", 50}}));
    EXPECT_EQ(first_left_out(), "False BackendsFull");
    put({.name = "d"});
    loop.advance(std::chrono::seconds(5));
    EXPECT_EQ(placed(), (Shares{{"a", 20}, {"b", 50}, {"c", 50}, {"d", 30}})) << "at once, when there is one more";
}

TEST_F(ManyPlaced, AtOnceSpreadEvenlyWhereThereIsRoom) {
    for (const auto* name : {"a", "b", "c"}) put({.name = name});
    make(0, 120);
    running.start();
    loop.advance(std::chrono::seconds(5));
    EXPECT_EQ(placed(), (Shares{{"a", 40}, {"b", 40}, {"c", 40}})) << "nothing stands there yet, and yet they count";
}

TEST_F(ManyPlaced, AWriteThatFailsTakesNoPlaceTwice) {
    int writes = 0;
    running.server.refuse = [&](const std::string& verb, const Json& body) -> std::optional<Error> {
        const bool choice = verb == "apply" && api::find(body, {"status", "placement"});
        if (choice && ++writes % 3 != 0) return Error{ErrorClass::transient, "no answer"};
        return std::nullopt;
    };
    put({.name = "a", .spec = ",'maxInstances':15"});
    put({.name = "b", .spec = ",'maxInstances':15"});
    make(0, 40);
    running.start();
    loop.advance(std::chrono::minutes(20));
    EXPECT_EQ(placed(), (Shares{{"", 10}, {"a", 15}, {"b", 15}}));
    EXPECT_GT(writes, 60);
}

TEST_F(ManyPlaced, ARestartCountsWhoIsThereBeforeItPlacesAnybody) {
    put({.name = "a", .spec = ",'maxInstances':30"});
    make(0, 20);
    running.start();
    loop.advance(std::chrono::seconds(5));
    running.stop();
    make(20, 60);
    running.start();
    loop.advance(std::chrono::seconds(5));
    EXPECT_EQ(placed(), (Shares{{"", 30}, {"a", 30}}));
}

TEST_F(ManyPlaced, APlaceThatIsFreeAgainIsTaken) {
    put({.name = "a", .spec = ",'maxInstances':2"});
    make(0, 3);
    running.start();
    loop.advance(std::chrono::seconds(5));
    ASSERT_EQ(placed(), (Shares{{"", 1}, {"a", 2}}));
    for (const auto* name : {"s0", "s1", "s2"})
        if (!api::find_text(*running.server.get("Instance", "campus", name), {"status", "placement", "mysql"})
                 .empty()) {
            running.server.remove("Instance", "campus", name);
            break;
        }
    loop.advance(std::chrono::minutes(5));
    EXPECT_EQ(placed(), (Shares{{"a", 2}}));
}

}  // namespace
}  // namespace ocim::openedx
