#include "compute/machine.hpp"
#include "runtime/base64.hpp"

#include <gtest/gtest.h>

namespace ocim::compute {
namespace {

using Verb = Action::Verb;
using State = Machine::State;
using runtime::Verdict;

crd::VirtualMachine object() {
    crd::VirtualMachine out;
    out.metadata.name = "demo-1";
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "12345678-0000-4000-8000-000000000000";
    out.spec.cloud_ref.name = "local";
    out.spec.key_name = "ops";
    return out;
}

crd::Cloud cloud() {
    crd::Cloud out;
    out.metadata.name = "local";
    auto& local = out.spec.local.emplace();
    local.key_pairs = {{"ops", "ssh-ed25519 AAAA"}};
    return out;
}

runtime::Inputs inputs(const crd::Cloud& of = cloud()) {
    runtime::Inputs out;
    out.installation = "here";
    out.add(api::encode_object(of));
    return out;
}

const Key key = "demo-1-12345678";
const runtime::Mark ours{"here", "campus/demo-1", object().metadata.uid, false};

Machine machine(State state, std::optional<runtime::Mark> mark = ours) {
    Machine out;
    out.mark = std::move(mark);
    out.state = state;
    out.id = key;
    out.addresses = {"10.0.0.2"};
    out.ssh_host_key = "ssh-ed25519 BBBB";
    return out;
}

std::vector<Verb> verbs(const std::vector<Action>& actions) {
    std::vector<Verb> out;
    for (const auto& action : actions) out.push_back(action.verb);
    return out;
}

TEST(VirtualMachine, DiffTable) {
    auto stopped = object();
    stopped.spec.power_state = crd::VirtualMachine::Spec::PowerState::stopped;
    auto rebooted = object();
    rebooted.spec.reboot_request = "demo-1-1";
    auto asked = machine(State::running);
    asked.reboot_request = "demo-1-1";
    auto retained = ours;
    retained.retained = true;
    retained.uid = "99999999-0000-4000-8000-000000000000";
    auto unkept = retained;
    unkept.retained = false;
    const Key former = "demo-1-99999999";
    auto other = ours;
    other.installation = "elsewhere";
    const struct {
        const char* reason;
        crd::VirtualMachine of;
        Snapshot seen;
        std::vector<Verb> wanted;
    } cases[] = {
        {"there is none yet", object(), {}, {Verb::create}},
        {"it runs", object(), {{key, machine(State::running)}}, {}},
        {"it boots: it is waited for", object(), {{key, machine(State::booting)}}, {}},
        {"it died behind our back", object(), {{key, machine(State::failed)}}, {Verb::start}},
        {"its making was cut short", object(), {{key, machine(State::building)}}, {Verb::start}},
        {"kept by a former object of this name", object(), {{former, machine(State::running, retained)}}, {Verb::mark}},
        {"taken over from a former object", object(), {{former, machine(State::running)}}, {}},
        {"a former object's, which is not kept", object(), {{former, machine(State::running, unkept)}}, {Verb::create}},
        {"it should be stopped", stopped, {{key, machine(State::running)}}, {Verb::stop}},
        {"it is stopped as declared", stopped, {{key, machine(State::stopped)}}, {}},
        {"it should run again", object(), {{key, machine(State::stopped)}}, {Verb::start}},
        {"a reboot is asked for", rebooted, {{key, machine(State::running)}}, {Verb::reboot}},
        {"and was carried out", rebooted, {{key, asked}}, {}},
        {"not ours: not touched", object(), {{key, machine(State::stopped, other)}}, {}},
        {"without any mark: not touched", object(), {{key, machine(State::stopped, std::nullopt)}}, {}},
        {"retained by an object of this name: taken over",
         object(),
         {{key, machine(State::running, retained)}},
         {Verb::mark}},
    };
    for (const auto& c : cases) EXPECT_EQ(verbs(Machines::diff(c.of, inputs(), c.seen)), c.wanted) << c.reason;
}

TEST(VirtualMachine, WithoutItsKeyPairNothingIsMadeAndTheReportSaysWhatThereIs) {
    auto of = object();
    of.spec.key_name = "mine";
    EXPECT_TRUE(Machines::diff(of, inputs(), {}).empty());
    const auto report = Machines::report(of, inputs(), {});
    EXPECT_EQ(report.verdict.state, Verdict::State::stalled);
    EXPECT_EQ(report.verdict.reason, "KeyPairNotFound");
    EXPECT_NE(report.verdict.message.find("it has: ops"), std::string::npos) << report.verdict.message;
}

TEST(VirtualMachine, RemoveTable) {
    auto kept = object();
    kept.spec.deletion_policy = crd::VirtualMachine::Spec::DeletionPolicy::retain;
    auto retained = ours;
    retained.retained = true;
    auto other = ours;
    other.uid = "99999999-0000-4000-8000-000000000000";
    const struct {
        const char* reason;
        crd::VirtualMachine of;
        Snapshot seen;
        std::vector<Verb> wanted;
    } cases[] = {
        {"it is there", object(), {{key, machine(State::running)}}, {Verb::remove}},
        {"it is gone", object(), {}, {}},
        {"somebody else's", object(), {{key, machine(State::running, other)}}, {}},
        {"kept: marked", kept, {{key, machine(State::running)}}, {Verb::mark}},
        {"marked: done", kept, {{key, machine(State::running, retained)}}, {}},
    };
    for (const auto& c : cases) EXPECT_EQ(verbs(Machines::remove(c.of, "here", c.seen)), c.wanted) << c.reason;
}

TEST(VirtualMachine, WhatAMachineDoesIsNewsForItsOwnAlone) {
    const runtime::Mark theirs{"there", "campus/demo-1", "", false};
    EXPECT_EQ(Machines::concerns(key, {{key, machine(State::stopped)}}), "campus/demo-1");
    EXPECT_EQ(Machines::concerns(key, {{key, machine(State::stopped, std::nullopt)}}), std::nullopt);
    EXPECT_EQ(Machines::concerns(key, {{"another", machine(State::stopped, theirs)}}), std::nullopt) << "it is gone";
}

TEST(VirtualMachine, ReportTellsHowToReachIt) {
    const auto report = Machines::report(object(), inputs(), {{key, machine(State::running)}});
    EXPECT_EQ(report.verdict.state, Verdict::State::ready);
    EXPECT_EQ(report.status.addresses, std::vector<std::string>{"10.0.0.2"});
    EXPECT_EQ(report.status.ssh_host_key, "ssh-ed25519 BBBB");
    auto other = ours;
    other.uid = "99999999-0000-4000-8000-000000000000";
    EXPECT_EQ(Machines::report(object(), inputs(), {{key, machine(State::running, other)}}).verdict.reason, "NotOwned");
}

TEST(VirtualMachine, AHostKeyThatChangesIsStalledUntilSomebodySaysThatItIsRight) {
    crd::Cloud stack;
    stack.metadata.name = "local";
    stack.spec.openstack.emplace();
    const auto given = inputs(stack);
    auto known = object();
    known.status.id = key;
    known.status.ssh_host_key = "ssh-ed25519 AAAA";
    auto declared = known;
    declared.spec.ssh_host_key = "ssh-ed25519 BBBB";
    auto wrong = object();
    wrong.spec.ssh_host_key = "ssh-ed25519 AAAA";
    auto another = known;
    another.status.id = "another";
    auto silent = machine(State::booting);
    silent.ssh_host_key = "";
    const struct {
        const char* reason;
        crd::VirtualMachine object;
        Machine seen;
        const char *says, *key;
    } cases[] = {
        {"at first contact it is recorded", object(), machine(State::running), "Running", "ssh-ed25519 BBBB"},
        {"another than before", known, machine(State::running), "SSHHostKeyChanged", "ssh-ed25519 AAAA"},
        {"while it reboots it is not forgotten", known, silent, "Booting", "ssh-ed25519 AAAA"},
        {"it is right", declared, machine(State::running), "Running", "ssh-ed25519 BBBB"},
        {"not the one that was put there", wrong, machine(State::running), "SSHHostKeyChanged", "ssh-ed25519 AAAA"},
        {"that of the machine before it", another, machine(State::running), "Running", "ssh-ed25519 BBBB"},
    };
    for (const auto& one : cases) {
        const auto report = Machines::report(one.object, given, {{key, one.seen}});
        EXPECT_EQ(report.verdict.reason, one.says) << one.reason;
        EXPECT_EQ(report.status.ssh_host_key, one.key) << one.reason;
    }
    EXPECT_EQ(Machines::report(known, inputs(), {{key, machine(State::running)}}).verdict.reason, "Running")
        << "a machine of this host has its key on our own disk";
}

class GivenHostKey : public testing::Test {
protected:
    GivenHostKey() {
        stack.metadata.name = "local";
        stack.spec.openstack.emplace();
        of.spec.ssh_host_key_secret_ref.emplace().name = "demo-1-key";
        of.spec.flavor.emplace().name = "small";
        of.spec.image.emplace().name = "debian";
        Offers offers;
        offers.flavors = {{"f", "small", 512, 1, 1}};
        offers.images = {{"i", "debian", {}, 0, 0}};
        offers.networks = {{"n", "private", false}};
        offers.key_pairs = {"ops"};
        empty[offers_key].offers = offers;
    }
    runtime::Inputs with(const std::string& seed) const {
        auto out = inputs(stack);
        api::json::object metadata{{"name", "demo-1-key"}, {"namespace", "campus"}};
        out.add(api::json::object{{"apiVersion", "v1"},
                                  {"kind", "Secret"},
                                  {"metadata", metadata},
                                  {"data", api::json::object{{host_key_seed, runtime::base64(seed)}}}});
        return out;
    }
    std::string why_not(const runtime::Inputs& given) const {
        EXPECT_TRUE(Machines::diff(of, given, empty).empty());
        return Machines::report(of, given, empty).verdict.reason;
    }

    crd::Cloud stack;
    crd::VirtualMachine of = object();
    Snapshot empty;
    const std::string seed = runtime::base64(std::string(host_key_seed_bytes, 's'));
};

TEST_F(GivenHostKey, IsDrawnOnceAndNothingIsMadeWithoutIt) {
    const auto drawn = Machines::generates(of);
    ASSERT_EQ(drawn.size(), 1U);
    EXPECT_EQ(drawn[0],
              (runtime::GeneratedSecret{
                  "demo-1-key", host_key_seed, {runtime::Generate::Form::base64, host_key_seed_bytes}, false}));
    of.spec.deletion_policy = crd::VirtualMachine::Spec::DeletionPolicy::retain;
    EXPECT_TRUE(Machines::generates(of).at(0).retain) << "who takes the machine over needs it";
    EXPECT_TRUE(Machines::generates(object()).empty());
    EXPECT_EQ(why_not(inputs(stack)), "WaitingForHostKey");
    EXPECT_EQ(why_not(with("no base64")), "HostKeyDamaged");
    const auto made = Machines::diff(of, with(seed), empty);
    ASSERT_EQ(verbs(made), std::vector{Verb::create});
    EXPECT_EQ(made[0].plan.host_key, *host_key_of(Secret(seed)));
    EXPECT_EQ(Machines::describe(made[0]), "create machine " + key);
    of.spec.user_data = std::string(49'000, '#');
    EXPECT_EQ(why_not(with(seed)), "UserDataTooLong");
}

TEST_F(GivenHostKey, IsTheOnlyOneThatIsRightFromTheFirstContactOn) {
    auto born = machine(State::building);
    born.given_host_key = "ssh-ed25519 GIVEN";
    born.ssh_host_key = "";
    born.born = inputs().now;
    auto right = born, wrong = born;
    right.state = wrong.state = State::running;
    right.ssh_host_key = "ssh-ed25519 GIVEN";
    auto known = of;
    known.status.id = key;
    known.status.ssh_host_key = "ssh-ed25519 GIVEN";
    auto said = known;
    said.spec.ssh_host_key = "ssh-ed25519 BBBB";
    wrong.ssh_host_key = "ssh-ed25519 BBBB";
    auto old = wrong;
    old.born -= std::chrono::minutes(6);
    auto rebooted = wrong;
    rebooted.reboot_request = "once";
    auto lost = right;  // the Secret was lost and drawn anew: the machine has what it was given
    const struct {
        const char* reason;
        crd::VirtualMachine object;
        Machine seen;
        const char *says, *key;
    } cases[] = {
        {"known before it runs", of, born, "Building", "ssh-ed25519 GIVEN"},
        {"it shows it", known, right, "Running", "ssh-ed25519 GIVEN"},
        {"cloud-init has not come to it yet", known, wrong, "Booting", "ssh-ed25519 GIVEN"},
        {"another at first contact", known, old, "SSHHostKeyChanged", "ssh-ed25519 GIVEN"},
        {"it was installed anew", known, rebooted, "SSHHostKeyChanged", "ssh-ed25519 GIVEN"},
        {"also when our status was lost", of, old, "SSHHostKeyChanged", "ssh-ed25519 GIVEN"},
        {"a person says that the other is right", said, old, "Running", "ssh-ed25519 BBBB"},
        {"with another Secret it is as it was", known, lost, "Running", "ssh-ed25519 GIVEN"},
    };
    for (const auto& one : cases) {
        const auto report = Machines::report(one.object, with(seed), {{key, one.seen}});
        EXPECT_EQ(report.verdict.reason, one.says) << one.reason;
        EXPECT_EQ(report.status.ssh_host_key, one.key) << one.reason;
    }
}

TEST(VirtualMachine, NamesAreHostNamesWhateverTheObjectIsCalled) {
    auto of = object();
    of.metadata.name = std::string(200, 'a') + ".b";
    EXPECT_LE(key_of(of).size(), 63u);
    of.metadata.name = "a.b";
    EXPECT_EQ(key_of(of), "a-b-12345678");
}

}  // namespace
}  // namespace ocim::compute
