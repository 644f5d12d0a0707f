#include "compute/register.hpp"
#include "support/openstack.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <iostream>
#include <set>
#include <sstream>

/// VirtualMachines on a real OpenStack: from the declaration to what Nova shows, and back to nothing.
namespace ocim::compute {
namespace {

using ocim::test::json;
using ocim::test::OpenStack;
using std::chrono_literals::operator""s;

constexpr auto patience = 240s;  // ten times what a quiet machine takes

/// The sum of rest_client_requests_total, of those with `label` when it is given.
double calls_of(const std::string& metrics, const std::string& label = "") {
    double out = 0;
    std::istringstream lines(metrics);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("rest_client_requests_total{") && line.find(label) != std::string::npos)
            out += std::stod(line.substr(line.rfind(' ')));
    return out;
}

class OpenStackMachines : public testing::Test {
protected:
    OpenStackMachines() { stack.need_key_pair("ops"); }
    void TearDown() override {
        running.stop();
        stack.clear();
    }
    void put(const std::string& name, const std::string& more = "", const std::string& flavor = "{'name':'small'}",
             const std::string& cloud = "stack") {
        running.server.put(
            json("{'apiVersion':'ocim.opencraft.com/"
                 "v1alpha1','kind':'VirtualMachine','metadata':{'namespace':'campus','name':'" +
                 name + "'},'spec':{'cloudRef':{'name':'" + cloud +
                 "'},'keyName':'ops','image':{'name':'debian-12'},'flavor':" + flavor + more + "}}"));
    }
    std::string stands(const std::string& name) const { return running.stands("VirtualMachine", "campus", name); }
    bool stands_so(const std::string& name, const std::string& how) {
        return running.until([&] { return stands(name) == how; }, patience);
    }
    std::string said(const std::string& name) const {
        const auto* object = running.server.get("VirtualMachine", "campus", name);
        const auto* ready = object ? runtime::condition(*object, "Ready") : nullptr;
        return ready ? std::string(api::find_text(*ready, {"message"})) : "";
    }
    std::string in_status(const std::string& name, std::string_view field) const {
        const auto* object = running.server.get("VirtualMachine", "campus", name);
        return object ? std::string(api::find_text(*object, {"status", field})) : "";
    }

    OpenStack stack;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, [](auto& manager) { register_kinds(manager, LocalMachines::refused); }};
};

TEST_F(OpenStackMachines, AreMadeAndGoToTheLast) {
    stack.declare(running, "stack");
    put("demo", ",'userData':'#cloud-config'");
    running.start();
    const auto began = loop.clock().now();
    ASSERT_TRUE(stands_so("demo", "True Running")) << stands("demo") << ": " << said("demo");
    std::cout << "Running after " << std::chrono::duration<double>(loop.clock().now() - began).count() << " s\n";
    const auto servers = stack.servers();
    ASSERT_EQ(servers.size(), 1U);
    EXPECT_EQ(api::find_text(servers[0], {"id"}), in_status("demo", "id"));
    EXPECT_EQ(api::find_text(servers[0], {"metadata", "ocim-namespace"}), "campus");
    EXPECT_EQ(api::find_text(servers[0], {"metadata", "ocim-name"}), "demo");
    EXPECT_EQ(api::find_text(servers[0], {"key_name"}), "ops");
    EXPECT_EQ(in_status("demo", "phase"), "Ready");
    const auto* object = running.server.get("VirtualMachine", "campus", "demo");
    const auto* addresses = api::find(*object, {"status", "addresses"});
    ASSERT_TRUE(addresses && addresses->is_array() && !addresses->get_array().empty());
    EXPECT_TRUE(addresses->at(0).get_string().starts_with("10.77."));

    running.server.remove("VirtualMachine", "campus", "demo");
    ASSERT_TRUE(stands_so("demo", "gone")) << said("demo");
    EXPECT_TRUE(stack.servers().empty()) << "it is gone for Nova before it is gone for us";
}

TEST_F(OpenStackMachines, WhatTheCloudLacksIsSaidWithWhatItHas) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s");
    put("size", "", "{'ram':3}");
    put("sizes", "", "{'ram':4096,'disk':40}");
    put("net", ",'networks':[{'name':'nowhere'}]");
    put("group", ",'securityGroups':['nobody']");
    put("right", "", "{'ram':512}");
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'VirtualMachine','metadata':{'namespace':"
             "'campus','name':'twins'},'spec':{'cloudRef':{'name':'stack'},'keyName':'ops','image':{'name':"
             "'twin'},'flavor':{'name':'small'}}}"));
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'VirtualMachine','metadata':{'namespace':"
             "'campus','name':'key'},'spec':{'cloudRef':{'name':'stack'},'keyName':'late','image':{'name':"
             "'debian-12'},'flavor':{'name':'small'}}}"));
    running.start();
    const struct {
        const char *name, *stands, *says;
    } cases[] = {
        {"size", "False FlavorNotFound", "small (ram 512, disk 1, vcpus 1"},
        {"sizes", "False FlavorAmbiguous", "large-too (ram 4096, disk 40, vcpus 4"},
        {"twins", "False ImageAmbiguous", "twin (id "},
        {"net", "False NetworkNotFound", "private (id "},
        {"group", "False SecurityGroupNotFound", "default (id "},
        {"key", "False KeyPairNotFound", "ops"},
        {"right", "True Running", ""},
    };
    for (const auto& one : cases) {
        EXPECT_TRUE(stands_so(one.name, one.stands)) << one.name << ": " << stands(one.name) << ": " << said(one.name);
        if (*one.says)
            EXPECT_NE(said(one.name).find(one.says), std::string::npos) << one.name << ": " << said(one.name);
    }
    EXPECT_EQ(stack.servers().size(), 1U) << "nothing is made of what is not clear";
    stack.need_key_pair("late");
    EXPECT_TRUE(stands_so("key", "True Running")) << "what comes to be there is found: " << said("key");
    stack.call("DELETE", stack.url("nova") + "/os-keypairs/late");
}

TEST_F(OpenStackMachines, ArePoweredAndRebootedAsDeclared) {
    stack.declare(running, "stack");
    put("demo");
    running.start();
    ASSERT_TRUE(stands_so("demo", "True Running")) << said("demo");
    const auto id = in_status("demo", "id");
    const auto merge = [&](const std::string& spec) {
        running.server.merge("VirtualMachine", "campus", "demo", R"({"spec":{)" + spec + "}}");
    };
    merge(R"("powerState":"Stopped")");
    ASSERT_TRUE(stands_so("demo", "True Stopped")) << said("demo");
    EXPECT_EQ(api::find_text(stack.servers().at(0), {"status"}), "SHUTOFF");
    merge(R"("powerState":"Running")");
    ASSERT_TRUE(stands_so("demo", "True Running")) << said("demo");
    merge(R"("rebootRequest":"first")");
    ASSERT_TRUE(running.until([&] { return in_status("demo", "rebootRequest") == "first"; }, patience));
    ASSERT_TRUE(stands_so("demo", "True Running")) << said("demo");
    const auto actions = stack.list("nova", "/servers/" + id + "/os-instance-actions", "instanceActions");
    EXPECT_EQ(
        std::ranges::count_if(actions, [](const auto& one) { return api::find_text(one, {"action"}) == "reboot"; }), 1)
        << "one request, one reboot";
    EXPECT_EQ(in_status("demo", "id"), id) << "the same machine all the time";
}

TEST_F(OpenStackMachines, WaitForRoomInTheQuotaAndSaySo) {
    const OpenStack narrow(OpenStack::Who::narrow);
    narrow.need_key_pair("ops");
    narrow.declare(running, "narrow", "'waitForSSH':false", "1s");
    put("first", "", "{'name':'small'}", "narrow");
    running.start();
    ASSERT_TRUE(stands_so("first", "True Running")) << said("first");
    put("second", "", "{'name':'small'}", "narrow");
    ASSERT_TRUE(stands_so("second", "False QuotaExceeded")) << stands("second") << ": " << said("second");
    EXPECT_NE(said("second").find("machines: none left"), std::string::npos) << said("second");
    running.server.remove("VirtualMachine", "campus", "first");
    EXPECT_TRUE(stands_so("second", "True Running")) << stands("second") << ": " << said("second");
    EXPECT_EQ(narrow.servers().size(), 1U);
    running.stop();
    narrow.clear();
}

TEST_F(OpenStackMachines, ThatCannotBeBuiltAreReplacedAndNotLeftBehind) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s");
    put("demo", ",'attempts':2", "{'name':'impossible'}");
    running.start();
    ASSERT_TRUE(stands_so("demo", "False BuildFailed")) << stands("demo") << ": " << said("demo");
    ASSERT_TRUE(running.until([&] { return said("demo").find("in 2 attempts") != std::string::npos; }, patience))
        << said("demo");
    EXPECT_NE(said("demo").find("No valid host was found"), std::string::npos) << said("demo");
    EXPECT_EQ(in_status("demo", "phase"), "BuildFailed");
    EXPECT_TRUE(stack.servers().empty()) << "none is left behind";
    const auto attempts = [&] {
        const auto* object = running.server.get("VirtualMachine", "campus", "demo");
        return api::find(*object, {"status", "attempts"})->to_number<int>();
    };
    EXPECT_EQ(attempts(), 2);
    EXPECT_EQ(calls_of(running.metrics->text(), R"(method="DELETE")"), 2) << "each was made once, and removed";
    running.stop();
    running.start();  // a restart is no further attempt
    ASSERT_TRUE(stands_so("demo", "False BuildFailed"));
    EXPECT_EQ(attempts(), 2);
    EXPECT_TRUE(stack.servers().empty());
}

TEST_F(OpenStackMachines, HavePublicAddressesThatAreGivenBack) {
    stack.declare(running, "stack", "'waitForSSH':false,'floatingNetwork':'public'");
    put("demo");
    running.start();
    const auto address = [&]() -> std::string {
        const auto* object = running.server.get("VirtualMachine", "campus", "demo");
        const auto* all = object ? api::find(*object, {"status", "addresses"}) : nullptr;
        return all && !all->get_array().empty() ? std::string(all->at(0).get_string()) : "";
    };
    ASSERT_TRUE(running.until([&] { return address().starts_with("198.51.100."); }, patience)) << address();
    ASSERT_TRUE(stands_so("demo", "True Running")) << said("demo");
    const auto held = stack.floating();
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(api::find_text(held[0], {"floating_ip_address"}), address());
    EXPECT_NE(api::find_text(held[0], {"description"}).find("o=campus/demo"), std::string_view::npos);
    running.server.remove("VirtualMachine", "campus", "demo");
    ASSERT_TRUE(stands_so("demo", "gone")) << said("demo");
    EXPECT_TRUE(stack.floating().empty());
    EXPECT_TRUE(stack.servers().empty());
}

TEST_F(OpenStackMachines, WithoutAnObjectAreOrphansAndStrangersAreLeftAlone) {
    stack.declare(running, "stack", "'waitForSSH':false", "1s", ",'orphanPolicy':{'action':'Delete','minAge':'1s'}");
    put("demo");
    running.start();
    ASSERT_TRUE(stands_so("demo", "True Running")) << said("demo");
    const auto installation = std::string(api::find_text(stack.servers().at(0), {"metadata", "ocim-installation"}));
    const auto make = [&](const std::string& name, const std::string& metadata) {
        stack.call("POST", stack.url("nova") + "/servers",
                   R"({"server":{"name":")" + name + R"(","flavorRef":")" +
                       stack.id_of("nova", "/flavors", "flavors", "small") + R"(","imageRef":")" +
                       stack.id_of("glance", "/images", "images", "debian-12") + R"(","networks":[{"uuid":")" +
                       stack.id_of("neutron", "/networks", "networks", "private") + R"("}],"metadata":{)" + metadata +
                       "}}}");
    };
    make("stranger", "");
    make("orphan", R"("ocim-installation":")" + installation +
                       R"(","ocim-namespace":"campus","ocim-name":"old","ocim-uid":"uid-old","ocim-retained":"false")");
    make("elsewhere",
         R"("ocim-installation":"another","ocim-namespace":"campus","ocim-name":"old","ocim-uid":"uid-old")");
    const auto names = [&] {
        std::set<std::string> out;
        for (const auto& server : stack.servers()) out.insert(std::string(api::find_text(server, {"name"})));
        return out;
    };
    EXPECT_TRUE(running.until([&] { return !names().contains("orphan"); }, patience));
    EXPECT_EQ(running.events("OrphanRemoved"), 1);
    EXPECT_TRUE(names().contains("stranger") && names().contains("elsewhere")) << "not ours to touch";
    EXPECT_EQ(names().size(), 3U);
}

TEST_F(OpenStackMachines, ManyTogetherTakeFewCalls) {
    constexpr int count = 10;
    stack.declare(running, "stack", "'waitForSSH':false", "60s");
    for (int n = 0; n < count; ++n) put("many-" + std::to_string(n));
    running.start();
    const auto calls = [&] { return calls_of(running.metrics->text()); };
    ASSERT_TRUE(running.until([&] { return running.ready("VirtualMachine") == count; }, 600s))
        << running.ready("VirtualMachine") << " of " << count << "; " << said("many-0");
    std::cout << count << " machines: " << calls() << " calls, " << calls() / count << " a machine\n";
    EXPECT_LE(calls(), 10 * count) << "a create each, and looks that are shared";
    for (int n = 0; n < count; ++n) running.server.remove("VirtualMachine", "campus", "many-" + std::to_string(n));
    ASSERT_TRUE(running.until([&] { return running.server.all("VirtualMachine").empty(); }, 600s));
    std::cout << "until they are gone: " << calls() << " calls, " << calls() / count << " a machine\n";
    EXPECT_TRUE(stack.servers().empty());
}

TEST_F(OpenStackMachines, AreMadeWithAnApplicationCredentialOfACloudsFile) {
    const auto user = stack.call("GET", stack.auth_url + "/auth/tokens", "", true);
    const auto id = std::string(api::find_text(user, {"token", "user", "id"}));
    const auto made = stack.call("POST", stack.auth_url + "/users/" + id + "/application_credentials",
                                 R"({"application_credential":{"name":"test-)" + std::to_string(::getpid()) + R"("}})");
    const auto text = [&](const char* field) {
        return std::string(api::find_text(made, {"application_credential", field}));
    };
    const auto file = "clouds: {one: {auth_type: v3applicationcredential, region_name: RegionOne, auth: {auth_url: '" +
                      stack.auth_url + "', application_credential_id: " + text("id") +
                      ", application_credential_secret: '" + text("secret") + "'}}, two: {}}";
    running.put_secret("ocim-system", "file", "clouds.yaml", runtime::base64(file));
    running.server.put(
        json("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'Cloud','metadata':{'name':'stack'},"
             "'spec':{'openstack':{'cloudName':'one','waitForSSH':false,'credentialsRef':{'name':'file'}}}}"));
    put("demo", ",'networks':[{'name':'private'}]");
    running.start();
    ASSERT_TRUE(stands_so("demo", "True Running")) << stands("demo") << ": " << said("demo");
    running.server.remove("VirtualMachine", "campus", "demo");
    EXPECT_TRUE(stands_so("demo", "gone"));
    stack.call("DELETE", stack.auth_url + "/users/" + id + "/application_credentials/" + text("id"));
}

TEST_F(OpenStackMachines, SayWhyNothingGoesWithAWrongPassword) {
    stack.password = "wrong";
    stack.declare(running, "stack");
    put("demo");
    running.start();
    ASSERT_TRUE(stands_so("demo", "False BackendAuthFailed")) << stands("demo") << ": " << said("demo");
    EXPECT_NE(said("demo").find("has the user a role in it?"), std::string::npos) << said("demo");
    EXPECT_EQ(said("demo").find("wrong"), std::string::npos);
}

}  // namespace
}  // namespace ocim::compute
