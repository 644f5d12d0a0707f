#include "compute/group.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace ocim::compute {
namespace {

using Verb = GroupAction::Verb;
using Rule = crd::SecurityGroup::Spec::Rule;
using runtime::Verdict;

crd::SecurityGroup object(std::vector<Rule> rules = {}) {
    crd::SecurityGroup out;
    out.metadata.name = "web";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-1";
    out.spec.cloud_ref.name = "stack";
    out.spec.name = "servers";
    out.spec.rules = std::move(rules);
    return out;
}

Rule rule(const std::string& protocol, std::optional<std::int32_t> port = {}) {
    Rule out;
    out.direction = Rule::Direction::ingress;
    if (!protocol.empty()) out.protocol = protocol;
    out.port_min = port;
    return out;
}

runtime::Inputs inputs(bool openstack = true) {
    crd::Cloud cloud;
    cloud.metadata.name = "stack";
    if (openstack)
        cloud.spec.openstack.emplace();
    else
        cloud.spec.local.emplace();
    runtime::Inputs out;
    out.installation = "here";
    out.add(api::encode_object(cloud));
    return out;
}

const runtime::Mark ours{"here", "campus/web", "uid-1", false};
const GroupRule out4{"egress", "IPv4", "", {}, {}, "", ""}, out6{"egress", "IPv6", "", {}, {}, "", ""},
    ssh{"ingress", "IPv4", "tcp", 22, 22, "", ""}, strange{"ingress", "IPv4", "tcp", 3306, 3306, "", ""};

Group group(std::map<std::string, GroupRule> rules, std::optional<runtime::Mark> mark = ours,
            const std::string& id = "g1") {
    return {std::move(mark), id, "servers", std::move(rules)};
}

TEST(SecurityGroup, RulesThatMeanTheSameAreTheSame) {
    const struct {
        const char* reason;
        GroupRule one, same;
    } cases[] = {
        {"a protocol's number", {"ingress", "IPv4", "6", 22, 22, "", ""}, ssh},
        {"everywhere", {"ingress", "IPv4", "tcp", 22, 22, "0.0.0.0/0", ""}, ssh},
        {"the bits of a host",
         {"ingress", "IPv4", "tcp", 22, 22, "10.1.2.3/8", ""},
         {"ingress", "IPv4", "tcp", 22, 22, "10.0.0.0/8", ""}},
        {"one address",
         {"ingress", "IPv4", "tcp", 22, 22, "192.0.2.1", ""},
         {"ingress", "IPv4", "tcp", 22, 22, "192.0.2.1/32", ""}},
        {"an address of IPv6",
         {"ingress", "IPv6", "tcp", 22, 22, "2001:DB8:0::1/32", ""},
         {"ingress", "IPv6", "tcp", 22, 22, "2001:db8::/32", ""}},
        {"all ports", {"ingress", "IPv4", "udp", 1, 65535, "", ""}, {"ingress", "IPv4", "udp", {}, {}, "", ""}},
        {"ICMP of IPv6", {"ingress", "IPv6", "icmp", {}, {}, "", ""}, {"ingress", "IPv6", "58", {}, {}, "", ""}},
    };
    for (const auto& one : cases) {
        const auto a = normal(one.one), b = normal(one.same);
        ASSERT_TRUE(a && b) << one.reason;
        EXPECT_TRUE(*a == *b) << one.reason;
    }
    for (const auto* text : {"10.0.0.0/33", "10.0.0", "2001:db8::/129", "here", "10.0.0.0/", "10.0.0.0/8 "})
        EXPECT_FALSE(normal({"ingress", "IPv4", "tcp", 22, 22, text, ""})) << text;
}

TEST(SecurityGroup, DiffTable) {
    auto adopting = object({rule("tcp", 22)});
    adopting.spec.adoption_policy = crd::SecurityGroup::Spec::AdoptionPolicy::adopt;
    auto itself = object({rule("tcp", 22)});
    itself.spec.rules[0].remote_group = "servers";
    auto kept = ours;
    kept.retained = true;
    const std::map<std::string, GroupRule> right{{"a", ssh}, {"b", out4}, {"c", out6}};
    const struct {
        const char* reason;
        crd::SecurityGroup object;
        GroupSnapshot seen;
        std::vector<Verb> verbs;
        std::size_t added = 0;
        std::vector<std::string> dropped = {};
    } cases[] = {
        {"nothing is there", object({rule("tcp", 22)}), {}, {Verb::create}},
        {"its rules lead to itself, which is not there yet", itself, {}, {Verb::create}},
        {"as declared", object({rule("tcp", 22)}), {{"servers", group(right)}}, {}},
        {"declared twice is declared once", object({rule("tcp", 22), rule("6", 22)}), {{"servers", group(right)}}, {}},
        {"a rule too many",
         object({rule("tcp", 22)}),
         {{"servers", group({{"a", ssh}, {"b", out4}, {"c", out6}, {"d", strange}})}},
         {Verb::sync},
         0,
         {"d"}},
        {"the same rule twice",
         object({rule("tcp", 22)}),
         {{"servers", group({{"a", ssh}, {"b", out4}, {"c", out6}, {"d", ssh}})}},
         {Verb::sync},
         0,
         {"d"}},
        {"one is missing and one is too many",
         object({rule("tcp", 22)}),
         {{"servers", group({{"b", out4}, {"c", out6}, {"d", strange}})}},
         {Verb::sync},
         1,
         {"d"}},
        {"nothing may go out any more", object({rule("tcp", 22)}), {{"servers", group({{"a", ssh}})}}, {Verb::sync}, 2},
        {"all ICMP is no type of it",
         object({rule("icmp")}),
         {{"servers", group({{"a", {"ingress", "IPv4", "icmp", {}, {}, "", ""}}, {"b", out4}, {"c", out6}})}},
         {}},
        {"somebody else's", object({rule("tcp", 22)}), {{"servers", group({}, std::nullopt)}}, {}},
        {"somebody else's, given to us", adopting, {{"servers", group(right, std::nullopt)}}, {Verb::mark}},
        {"kept for it", object({rule("tcp", 22)}), {{"servers", group(right, kept)}}, {Verb::mark}},
        {"made twice",
         object({rule("tcp", 22)}),
         {{"servers", group(right)}, {"servers/g2", group(right, ours, "g2")}},
         {Verb::remove}},
        {"another group is not there yet",
         [] {
             auto out = object({rule("tcp", 22)});
             out.spec.rules[0].remote_group = "balancers";
             return out;
         }(),
         {},
         {}},
        {"no network",
         [] {
             auto out = object({rule("tcp", 22)});
             out.spec.rules[0].remote_cidr = "here";
             return out;
         }(),
         {},
         {}},
    };
    for (const auto& one : cases) {
        const auto actions = Groups::diff(one.object, inputs(), one.seen);
        std::vector<Verb> verbs;
        for (const auto& action : actions) verbs.push_back(action.verb);
        EXPECT_EQ(verbs, one.verbs) << one.reason;
        if (verbs.size() != 1 || verbs != one.verbs) continue;
        EXPECT_EQ(actions[0].add.size(), one.added) << one.reason;
        EXPECT_EQ(actions[0].drop, one.dropped) << one.reason;
    }
    EXPECT_TRUE(Groups::diff(object(), inputs(false), {}).empty()) << "a local cloud has none";
}

TEST(SecurityGroup, ReportTable) {
    auto lost = object({rule("tcp", 22)});
    lost.spec.rules[0].remote_group = "balancers";
    auto wrong = object({rule("tcp", 22)});
    wrong.spec.rules[0].remote_cidr = "here";
    const struct {
        crd::SecurityGroup object;
        GroupSnapshot seen;
        const char *reason, *says;
    } cases[] = {
        {object(), {}, "Pending", ""},
        {object(), {{"servers", group({{"b", out4}, {"c", out6}})}}, "Synced", ""},
        {object(), {{"servers", group({})}}, "Updating", ""},
        {object(), {{"servers", group({}, std::nullopt)}}, "NotOwned", "adoptionPolicy"},
        {lost, {}, "RemoteGroupNotFound", "spec.rules[0].remoteGroup"},
        {wrong, {}, "Invalid", "spec.rules[0]"},
    };
    for (const auto& one : cases) {
        const auto said = Groups::report(one.object, inputs(), one.seen).verdict;
        EXPECT_EQ(said.reason, one.reason);
        EXPECT_NE(said.message.find(one.says), std::string::npos) << said.message;
    }
    EXPECT_EQ(Groups::report(object(), inputs(false), {}).verdict.reason, "Unsupported");
}

TEST(SecurityGroup, RemovesOnlyItsOwn) {
    auto keeping = object();
    keeping.spec.deletion_policy = crd::SecurityGroup::Spec::DeletionPolicy::retain;
    auto kept = ours;
    kept.retained = true;
    auto other = ours;
    other.uid = "uid-2";
    const struct {
        const char* reason;
        crd::SecurityGroup object;
        GroupSnapshot seen;
        std::vector<Verb> verbs;
    } cases[] = {
        {"its own", object(), {{"servers", group({})}}, {Verb::remove}},
        {"its own, to be kept", keeping, {{"servers", group({})}}, {Verb::mark}},
        {"kept already", keeping, {{"servers", group({}, kept)}}, {}},
        {"another object's", object(), {{"servers", group({}, other)}}, {}},
        {"nobody's", object(), {{"servers", group({}, std::nullopt)}}, {}},
    };
    for (const auto& one : cases) {
        std::vector<Verb> verbs;
        for (const auto& action : Groups::remove(one.object, "here", one.seen)) verbs.push_back(action.verb);
        EXPECT_EQ(verbs, one.verbs) << one.reason;
    }
}

}  // namespace
}  // namespace ocim::compute
