#include "compute/register.hpp"
#include "fault_proxy.hpp"
#include "support/openstack.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <set>

/// SecurityGroups on a real Neutron: exactly their rules, whoever changes what.
namespace ocim::compute {
namespace {

using ocim::test::FaultProxy;
using ocim::test::json;
using ocim::test::OpenStack;
using std::chrono_literals::operator""s;

constexpr auto patience = 120s;
constexpr auto ssh_and_web =
    "{'direction':'Ingress','protocol':'tcp','portMin':22},"
    "{'direction':'Ingress','protocol':'tcp','portMin':80,'portMax':81,"
    "'remoteCIDR':'10.1.2.3/16'},"
    "{'direction':'Ingress','protocol':'icmp'},"
    "{'direction':'Ingress','etherType':'IPv6','protocol':'icmp','remoteCIDR':'::/0'},"
    "{'direction':'Ingress','protocol':'tcp','portMin':4369,'remoteGroup':'servers'}";

class OpenStackGroups : public testing::Test {
protected:
    void TearDown() override {
        running.stop();
        stack.clear();
    }
    void put(const std::string& rules, const std::string& more = "", const std::string& name = "web") {
        running.server.put(json(
            "{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'SecurityGroup','metadata':"
            "{'namespace':'ocim-system','name':'" +
            name + "'},'spec':{'cloudRef':{'name':'stack'},'name':'servers'" + more + ",'rules':[" + rules + "]}}"));
    }
    bool stands_so(const std::string& how, const std::string& name = "web") {
        return running.until([&] { return stands(name) == how; }, patience);
    }
    std::string stands(const std::string& name = "web") const {
        return running.stands("SecurityGroup", "ocim-system", name);
    }
    std::vector<api::Json> named(const std::string& name = "servers") const {
        auto out = stack.groups();
        std::erase_if(out, [&](const auto& group) { return api::find_text(group, {"name"}) != name; });
        return out;
    }
    std::string id() const {
        const auto group = named();
        return std::string(api::find_text(group.at(0), {"id"}));
    }
    /// "ingress IPv4 tcp 22-22 from 10.1.0.0/16", as Neutron has them.
    std::set<std::string> rules() const {
        std::set<std::string> out;
        const auto group = named();
        if (group.size() != 1) return out;
        const auto text = [](const api::Json& rule, std::string_view field) {
            return std::string(api::find_text(rule, {field}));
        };
        const auto port = [](const api::Json& rule, std::string_view field) {
            const auto* value = api::find(rule, {field});
            return value && value->is_number() ? std::to_string(value->to_number<int>()) : std::string();
        };
        for (const auto& rule : api::find(group[0], {"security_group_rules"})->get_array())
            out.insert(text(rule, "direction") + " " + text(rule, "ethertype") + " " + text(rule, "protocol") + " " +
                       port(rule, "port_range_min") + "-" + port(rule, "port_range_max") + " " +
                       text(rule, "remote_ip_prefix") +
                       (text(rule, "remote_group_id") == text(group[0], "id") ? "itself" : ""));
        return out;
    }
    std::string rule_id(const std::string& direction, const std::string& protocol) const {
        const auto group = named();
        for (const auto& rule : api::find(group.at(0), {"security_group_rules"})->get_array())
            if (api::find_text(rule, {"direction"}) == direction && api::find_text(rule, {"protocol"}) == protocol)
                return std::string(api::find_text(rule, {"id"}));
        return "none";
    }
    void make_by_hand(const std::string& name, const std::string& description) const {
        stack.call("POST", stack.url("neutron") + "/security-groups",
                   R"({"security_group":{"name":")" + name + R"(","description":")" + description + R"("}})");
    }

    const std::set<std::string> out_everywhere{"egress IPv4  - ", "egress IPv6  - "};
    const std::set<std::string> wanted{"egress IPv4  - ",
                                       "egress IPv6  - ",
                                       "ingress IPv4 tcp 22-22 ",
                                       "ingress IPv4 tcp 80-81 10.1.0.0/16",
                                       "ingress IPv4 icmp - ",
                                       "ingress IPv6 ipv6-icmp - ",
                                       "ingress IPv4 tcp 4369-4369 itself"};
    OpenStack stack;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, [](auto& manager) { register_kinds(manager, LocalMachines::refused); }};
};

TEST_F(OpenStackGroups, HaveExactlyTheirRulesWhateverIsDoneByHand) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s");
    put(ssh_and_web);
    running.start();
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    EXPECT_EQ(rules(), wanted);
    const auto made = id();

    const auto rule_url = stack.url("neutron") + "/security-group-rules";
    stack.call("DELETE", rule_url + "/" + rule_id("ingress", "icmp"));
    stack.call("DELETE", rule_url + "/" + rule_id("egress", ""));
    stack.call("POST", rule_url,
               R"({"security_group_rule":{"security_group_id":")" + made +
                   R"(","direction":"ingress","protocol":"tcp","port_range_min":3306,"port_range_max":3306}})");
    EXPECT_NE(rules(), wanted);
    EXPECT_TRUE(running.until([&] { return rules() == wanted; }, patience)) << testing::PrintToString(rules());
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    EXPECT_EQ(id(), made) << "the same group all the time";

    put("{'direction':'Egress','protocol':'tcp','portMin':443}");
    EXPECT_TRUE(running.until([&] { return rules() == std::set<std::string>{"egress IPv4 tcp 443-443 "}; }, patience))
        << "who says what goes out says all of it: " << testing::PrintToString(rules());

    running.server.remove("SecurityGroup", "ocim-system", "web");
    ASSERT_TRUE(stands_so("gone")) << stands();
    EXPECT_TRUE(named().empty());
}

TEST_F(OpenStackGroups, AddBeforeTheyRemoveAndAreNotMadeTwice) {
    FaultProxy proxy{stack.port("neutron"), "/v2.0/security-groups"};
    const auto region = ocim::test::region_through(stack, {{"neutron", proxy.port()}});
    stack.declare(running, "stack", "'waitForSSH':false,'region':'" + region + "'");
    proxy.suffer(FaultProxy::Fault::lose_creates, 1);
    put(ssh_and_web);
    running.start();
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    EXPECT_EQ(proxy.left(), 0) << "the answer to its birth was lost";
    EXPECT_EQ(proxy.creates(), 1);
    EXPECT_EQ(named().size(), 1U);

    const auto before = proxy.asked().size();
    put("{'direction':'Ingress','protocol':'tcp','portMin':22},{'direction':'Ingress','protocol':'tcp','portMin':443}");
    ASSERT_TRUE(running.until([&] { return rules().size() == 4; }, patience)) << testing::PrintToString(rules());
    auto asked = proxy.asked();
    asked.erase(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(before));
    const auto first = [&](const std::string& what) {
        return std::ranges::find_if(asked, [&](const auto& one) { return one.starts_with(what); }) - asked.begin();
    };
    EXPECT_LT(first("POST /v2.0/security-group-rules"), first("DELETE /v2.0/security-group-rules/"));
    EXPECT_EQ(std::ranges::count_if(asked, [](const auto& one) { return one.starts_with("DELETE "); }), 4)
        << "what stays is not touched";
}

TEST_F(OpenStackGroups, OfOthersAreLeftAloneUnlessTheyAreGivenToUs) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s");
    make_by_hand("servers", "by hand");
    put(ssh_and_web);
    running.start();
    ASSERT_TRUE(stands_so("False NotOwned")) << stands();
    EXPECT_EQ(rules(), out_everywhere) << "nothing of it was changed";
    put(ssh_and_web, ",'adoptionPolicy':'Adopt'");
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    EXPECT_EQ(rules(), wanted);
    const auto taken = named();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_NE(api::find_text(taken[0], {"description"}).find("o=ocim-system/web"), std::string_view::npos);
}

TEST_F(OpenStackGroups, ThatAreRetainedAreTakenUpAgain) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s");
    put(ssh_and_web, ",'deletionPolicy':'Retain'");
    running.start();
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    const auto made = id();
    running.server.remove("SecurityGroup", "ocim-system", "web");
    ASSERT_TRUE(stands_so("gone")) << stands();
    const auto kept = named();
    EXPECT_TRUE(api::find_text(kept.at(0), {"description"}).ends_with(" retained"));
    put("{'direction':'Ingress','protocol':'tcp','portMin':22}");
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    EXPECT_EQ(id(), made);
    EXPECT_EQ(rules().size(), 3U);
}

TEST_F(OpenStackGroups, WithoutAnObjectAreOrphansAndStrangersAreLeftAlone) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s", ",'orphanPolicy':{'action':'Delete','minAge':'1s'}");
    put(ssh_and_web);
    running.start();
    ASSERT_TRUE(stands_so("True Synced")) << stands();
    const auto group = named();
    const std::string mark(api::find_text(group.at(0), {"description"}));
    const auto installation = mark.substr(0, mark.find(' '));
    make_by_hand("old", installation + " o=ocim-system/old u=uid-old");
    make_by_hand("kept", installation + " o=ocim-system/kept u=uid-kept retained");
    make_by_hand("elsewhere", "i=another o=ocim-system/old u=uid-old");
    EXPECT_TRUE(running.until([&] { return named("old").empty(); }, patience));
    EXPECT_TRUE(running.until([&] { return running.events("OrphanRemoved") == 1; }));
    EXPECT_EQ(named("kept").size() + named("elsewhere").size() + named().size() + named("default").size(), 4U);
}

TEST_F(OpenStackGroups, WaitForTheirMachinesBeforeTheyGo) {
    stack.need_key_pair("ops");
    stack.declare(running, "stack", "'waitForSSH':false", "60s");  // nothing here waits for a sweep
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'VirtualMachine','metadata':{'namespace':'campus',"
             "'name':'demo'},'spec':{'cloudRef':{'name':'stack'},'keyName':'ops','image':{'name':'debian-12'},'flavor'"
             ":{'name':'small'},'securityGroups':['servers','default']}}"));
    running.start();
    ASSERT_TRUE(running.until(
        [&] { return running.stands("VirtualMachine", "campus", "demo") == "False SecurityGroupNotFound"; }, patience))
        << running.stands("VirtualMachine", "campus", "demo");
    put(ssh_and_web);
    ASSERT_TRUE(
        running.until([&] { return running.stands("VirtualMachine", "campus", "demo") == "True Running"; }, patience))
        << "a group that is made here is known at once: " << running.stands("VirtualMachine", "campus", "demo");
    std::set<std::string> names;
    const auto servers = stack.servers();
    for (const auto& group : api::find(servers.at(0), {"security_groups"})->get_array())
        names.insert(std::string(api::find_text(group, {"name"})));
    EXPECT_EQ(names, (std::set<std::string>{"default", "servers"}));

    running.server.remove("SecurityGroup", "ocim-system", "web");
    ASSERT_TRUE(running.until([&] { return running.events("ActionFailed") > 0; }, patience)) << "it is in use";
    EXPECT_EQ(named().size(), 1U);
    running.server.remove("VirtualMachine", "campus", "demo");
    EXPECT_TRUE(stands_so("gone")) << stands();
    EXPECT_TRUE(named().empty());
    EXPECT_TRUE(stack.servers().empty());
}

}  // namespace
}  // namespace ocim::compute
