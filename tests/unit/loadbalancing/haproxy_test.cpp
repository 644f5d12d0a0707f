#include "loadbalancing/haproxy.hpp"

#include "base/random.hpp"
#include "fake_machine.hpp"
#include "sample.hpp"
#include "support/contract.hpp"

#include <gtest/gtest.h>

namespace ocim::loadbalancing {
namespace {

using namespace test;

class HaproxyTest : public testing::Test {
protected:
    std::unique_ptr<System> open() {
        const runtime::Services services{loop.executor(), loop.clock(), *random, metrics, pool, "prod", ""};
        return open_haproxy(std::make_unique<FakeHost>(machine), services, {"/x", {"/etc/haproxy.cfg"}, "/run/s"});
    }
    static std::vector<crd::LoadBalancerFragment> fragments(int count) {
        std::vector<crd::LoadBalancerFragment> out;
        for (int n = 0; n < count; ++n) out.push_back(fragment(n));
        return out;
    }

    Machine machine;
    ocim::test::RealLoop loop;  // reading happens on a thread
    std::unique_ptr<Random> random = make_seeded_random(1);
    Metrics metrics;
    BlockingPool pool{loop.executor(), "blocking", 1, 16};
    std::unique_ptr<System> system = open();
    ocim::test::Visitor<Fragment> visitor{loop, *system, inputs()};
};

TEST_F(HaproxyTest, AHundredFragmentsAreOneReload) {
    const auto objects = fragments(100);
    visitor.must(visitor.wanted(objects));
    EXPECT_EQ(machine.reloads, 1);
    EXPECT_EQ(machine.checks, 1);
    for (const auto& object : objects) EXPECT_TRUE(visitor.ready(object));
    machine.calls = 0;
    EXPECT_TRUE(visitor.wanted(objects).empty());
    EXPECT_EQ(machine.calls, 1) << "a sweep over all of them is one command";
}

TEST_F(HaproxyTest, CommandsDoNotGrowWithFragments) {
    const auto objects = fragments(1'000);
    const auto commands = [&](bool deleting) {
        const auto actions = visitor.wanted(objects, deleting);
        machine.calls = 0;
        const auto answers = visitor.act(actions);
        EXPECT_EQ(answers.size(), objects.size());
        for (const auto& answer : answers) EXPECT_TRUE(*answer) << answer->error().message;
        return machine.calls;
    };
    EXPECT_EQ(commands(false), 2) << "a look and a write";
    EXPECT_EQ(machine.reloads, 1);
    machine.calls = 0;
    EXPECT_TRUE(visitor.wanted(objects).empty());
    EXPECT_EQ(machine.calls, 1) << "a sweep";
    EXPECT_EQ(commands(true), 2);
    EXPECT_EQ(machine.reloads, 1) << "what goes is told to the process";
}

TEST_F(HaproxyTest, WhatIsInForceIsNotReloaded) {
    const auto actions = visitor.wanted(fragments(3));
    visitor.must(actions);
    visitor.must(actions);
    EXPECT_EQ(machine.reloads, 1);
}

TEST_F(HaproxyTest, AFaultyFragmentIsSetAsideByItsName) {
    auto objects = fragments(20);
    machine.faulty = {"192.0.2.66"};
    objects[7].spec.servers[0].address = objects[9].spec.servers[0].address = "192.0.2.66";
    const auto actions = visitor.wanted(objects);
    const auto answers = visitor.act(actions);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        ASSERT_TRUE(answers[i]);
        EXPECT_EQ(bool(*answers[i]), i != 7 && i != 9) << i;
        if (!*answers[i]) EXPECT_NE(answers[i]->error().message.find("line 3: no good"), std::string::npos);
    }
    EXPECT_EQ(machine.reloads, 1) << "the others went together";
    EXPECT_LE(machine.checks, 3);
}

TEST_F(HaproxyTest, ACulpritThatNoMessageNamesIsFoundByHalves) {
    visitor.must(visitor.wanted(fragments(20)));
    machine.needed = {"conf.d/" + name_of(5) + ".cfg"};  // the administrator's own configuration relies on it
    machine.checks = 0;
    const auto actions = visitor.wanted(fragments(20), true);
    const auto answers = visitor.act(actions);
    for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(bool(*answers[i]), actions[i].fragment != name_of(5));
    EXPECT_EQ(machine.files.size(), 3U) << "the one that is needed, the map and the list of certificates";
    EXPECT_LT(machine.checks, 16);
    EXPECT_EQ(machine.reloads, 1);
    EXPECT_EQ(machine.tellings, 1) << "what goes needs no reload";
}

TEST_F(HaproxyTest, ABrokenBaseIsNobodysFault) {
    machine.needed = {"something-else.cfg"};
    const auto answers = visitor.act(visitor.wanted(fragments(3)));
    for (const auto& answer : answers) {
        ASSERT_FALSE(*answer);
        EXPECT_EQ(answer->error().error_class, ErrorClass::transient) << answer->error().message;
    }
    EXPECT_EQ(machine.version, 0) << "nothing was changed";
}

TEST_F(HaproxyTest, FailuresHaveTheirClass) {
    const auto actions = visitor.wanted(fragments(2));
    machine.reload_fails = true;
    for (const auto& answer : visitor.act(actions)) EXPECT_EQ(answer->error().error_class, ErrorClass::transient);
    machine.reload_fails = false;
    machine.faults[machine.calls] = Machine::Fault::lost_after;
    for (const auto& answer : visitor.act(actions)) EXPECT_FALSE(answer->error().outcome_unknown) << "only a look";
    machine.faults[machine.calls + 1] = Machine::Fault::lost_after;
    for (const auto& answer : visitor.act(actions)) EXPECT_TRUE(answer->error().outcome_unknown);
}

TEST_F(HaproxyTest, ACredentialIsNotToldWhereverAMessageIsCut) {
    const auto actions = visitor.wanted(fragments(1));
    machine.reload_fails = true;
    const std::string credential(40, 'Q');
    for (std::size_t after = 440; after < 520; ++after) {
        machine.said = "set-header Authorization \"Basic " + credential + "\" " + std::string(after, '.');
        const auto answers = visitor.act(actions);
        EXPECT_EQ(answers.at(0)->error().message.find('Q'), std::string::npos) << after;
    }
}

TEST_F(HaproxyTest, ConvergesWhicheverCallIsLost) {
    using Fault = Machine::Fault;
    for (const auto fault : {Fault::lost_before, Fault::lost_after, Fault::dies_before_reload}) {
        for (int at = 0;; ++at) {
            SCOPED_TRACE(testing::Message() << "fault " << int(fault) << " at " << at);
            machine = Machine();
            machine.version = machine.loaded = 1;
            machine.files = {
                {"certs.list", ""}, {"conf.d/person.cfg", "backend person\n"}, {"domains.map", "person.org person\n"}};
            const auto persons = machine.files;
            machine.faults[at] = fault;
            system = open();
            ocim::test::Visitor<Fragment> swept(loop, *system, inputs());
            const auto objects = fragments(3);
            const auto visit = [&](bool deleting) {
                for (int visits = 0; visits < 4; ++visits) {
                    const auto seen = swept.look();
                    if (!seen) continue;
                    std::vector<Action> actions;
                    for (const auto& object : objects)
                        for (auto& action : deleting ? Fragment::remove(object, "prod", *seen)
                                                     : Fragment::diff(object, inputs(), *seen))
                            actions.push_back(std::move(action));
                    if (!actions.empty()) (void)swept.act(actions);
                }
            };
            visit(false);
            const auto faults = std::exchange(machine.faults, {});  // our own look is not swept
            const auto calls = machine.calls;
            for (const auto& object : objects) EXPECT_TRUE(swept.ready(object));
            EXPECT_EQ(machine.loaded, machine.version);
            EXPECT_EQ(machine.files.size(), 6U) << "nothing doubled";
            machine.faults = faults;
            machine.calls = calls;
            visit(true);
            EXPECT_EQ(machine.files, persons) << "nothing left, and the person's file untouched";
            if (machine.calls <= at) break;
        }
    }
}

}  // namespace
}  // namespace ocim::loadbalancing
