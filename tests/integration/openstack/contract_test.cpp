#include "support/contract.hpp"
#include "compute/group.hpp"
#include "compute/machine.hpp"
#include "support/openstack.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// The contract that every external kind keeps, on a real OpenStack.
namespace ocim::compute {
namespace {

using ocim::test::json;
using ocim::test::OpenStack;
using ocim::test::Visitor;

class OpenStackContract : public testing::Test {
protected:
    OpenStackContract() {
        stack.need_key_pair("ops");
        stack.declare(running, "stack");
        const auto* declared = running.server.get("Cloud", "", "stack");
        cloud = *api::decode_object<crd::Cloud>(*declared);
        inputs.installation = "lab";
        inputs.add(*declared);
        inputs.add(*running.server.get("Secret", "ocim-system", "stack"));
    }
    void TearDown() override { stack.clear(); }
    template <class A>
    auto open() {
        auto opened = A::open(cloud, inputs, services);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return *std::move(opened);
    }
    /// Until no machine is being made, changed or deleted.
    void settle() const {
        const auto still = [&] {
            const auto servers = stack.servers();
            return std::ranges::all_of(servers, [](const auto& server) {
                return api::find(server, {"OS-EXT-STS:task_state"})->is_null() &&
                       api::find_text(server, {"status"}) != "BUILD";
            });
        };
        EXPECT_TRUE(ocim::test::wait_for(still, std::chrono::seconds(240)));
    }
    template <class Object>
    static Object numbered(int n) {
        Object out;
        out.metadata.namespace_ = "campus";
        out.metadata.name = "contract-" + std::to_string(n);
        out.metadata.uid = "uid-" + std::to_string(1000 + n);
        out.spec.cloud_ref.name = "stack";
        return out;
    }

    OpenStack stack;
    ocim::test::RealLoop loop;
    ocim::test::Running running{loop, [](runtime::Manager&) {}};  // only its server, for what is declared
    ocim::test::TempDir data;
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool blocking{loop.executor(), "test", 2, 100};
    runtime::Services services{loop.executor(), loop.clock(), *random, metrics, blocking, "lab", data.path(), nullptr};
    runtime::Inputs inputs;
    crd::Cloud cloud;
};

TEST_F(OpenStackContract, IsKeptByMachines) {
    auto system = open<Machines>();
    Visitor<Machines> visitor(loop, *system, inputs);
    ocim::test::ContractCase<Machines> given;
    given.settle = [this] { settle(); };
    given.object = [](int n) {
        auto out = numbered<crd::VirtualMachine>(n);
        out.spec.key_name = "ops";
        out.spec.flavor.emplace().name = "small";
        out.spec.image.emplace().name = "debian-12";
        return out;
    };
    given.changed = [](crd::VirtualMachine object) {
        object.spec.power_state = crd::VirtualMachine::Spec::PowerState::stopped;
        return object;
    };
    given.stranger = [&](int n) {
        stack.call("POST", stack.url("nova") + "/servers",
                   R"({"server":{"name":")" + key_of(given.object(n)) + R"(","flavorRef":")" +
                       stack.id_of("nova", "/flavors", "flavors", "small") + R"(","imageRef":")" +
                       stack.id_of("glance", "/images", "images", "debian-12") + R"(","networks":[{"uuid":")" +
                       stack.id_of("neutron", "/networks", "networks", "private") + R"("}]}})");
    };
    given.refused = [&] {
        auto action = visitor.wanted(given.object(30)).at(0);
        action.plan.flavor_id = "no-such-flavor";
        return action;
    };
    ocim::test::run_contract(visitor, given);
}

TEST_F(OpenStackContract, IsKeptByGroups) {
    auto system = open<Groups>();
    Visitor<Groups> visitor(loop, *system, inputs);
    ocim::test::ContractCase<Groups> given;
    given.settle = [] {};  // a group comes first, then its rules
    given.object = [](int n) {
        auto out = numbered<crd::SecurityGroup>(n);
        out.spec.name = "contract-" + std::to_string(n);
        auto& rule = out.spec.rules.emplace_back();
        rule.direction = crd::SecurityGroup::Spec::Rule::Direction::ingress;
        rule.protocol = "tcp";
        rule.port_min = 22;
        return out;
    };
    given.changed = [](crd::SecurityGroup object) {
        object.spec.rules[0].port_min = 443;
        return object;
    };
    given.adopting = [](crd::SecurityGroup object) {
        object.spec.adoption_policy = crd::SecurityGroup::Spec::AdoptionPolicy::adopt;
        return object;
    };
    given.stranger = [this](int n) {
        stack.call("POST", stack.url("neutron") + "/security-groups",
                   R"({"security_group":{"name":"contract-)" + std::to_string(n) + R"("}})");
    };
    given.refused = [&] {
        auto action = visitor.wanted(given.object(30)).at(0);
        action.name = std::string(300, 'x');
        return action;
    };
    ocim::test::run_contract(visitor, given);
}

}  // namespace
}  // namespace ocim::compute
