#include "simulation/campaign_story.hpp"
#include "simulation/house_story.hpp"
#include "simulation/library_story.hpp"
#include "simulation/life.hpp"
#include "simulation/office_story.hpp"
#include "simulation/rotation_story.hpp"
#include "simulation/stack_story.hpp"

#include <gtest/gtest.h>

/// Seeded worlds: whatever happens, the world becomes what is declared.
namespace ocim::simulation {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Story> library(Universe& universe) { return std::make_unique<LibraryStory>(universe); }
std::unique_ptr<Story> house(Universe& universe) {
    return std::make_unique<HouseStory>(universe, local_grounds(universe));
}
std::unique_ptr<Story> stack(Universe& universe) { return std::make_unique<StackStory>(universe); }
std::unique_ptr<Story> campaign(Universe& universe) { return std::make_unique<CampaignStory>(universe); }
std::unique_ptr<Story> rotation(Universe& universe) { return std::make_unique<RotationStory>(universe); }
std::unique_ptr<Story> office(Universe& universe) { return std::make_unique<OfficeStory>(universe); }

/// Sites take longer than records: a machine, a run, a reboot.
constexpr Liveliness unhurried{15, 25, 5s, 90s, 40};

constexpr std::uint64_t parts = 10;

class Simulation : public testing::TestWithParam<std::uint64_t> {
protected:
    static Part part() { return {GetParam(), parts}; }
};

TEST_P(Simulation, WhateverHappensTheWorldBecomesWhatIsDeclared) {
    expect_lawful(scaled(100, 1'000), part(), library, {});
}
TEST_P(Simulation, WhateverHappensTheSitesBecomeWhatIsDeclared) {
    expect_lawful(scaled(20, 1'000), part(), house, unhurried);
}
TEST_P(Simulation, WhateverHappensTheSitesOnOpenStackBecomeWhatIsDeclared) {
    expect_lawful(scaled(parts / 2, 500), part(), stack, unhurried);
}
TEST_P(Simulation, WhateverHappensPeopleAreToldOnce) { expect_lawful(scaled(parts, 500), part(), office, {}); }
TEST_P(Simulation, NoCrashMattersToASite) { expect_no_crash_matters(scaled(parts, 0), part(), house); }

TEST_P(Simulation, NoCrashMattersToASiteOnOpenStack) { expect_no_crash_matters(scaled(parts, 0), part(), stack); }

TEST_P(Simulation, NoCrashMattersToARedeploymentNorToWhoIsToldOfIt) {
    expect_no_crash_matters(scaled(parts, 400), part(), campaign);  // of some 4,000 boundaries
}

TEST_P(Simulation, NoCrashMattersToTheReplacementOfPasswords) {
    expect_no_crash_matters(scaled(parts, 400), part(), rotation);
}

INSTANTIATE_TEST_SUITE_P(Part, Simulation, testing::Range<std::uint64_t>(0, parts));

TEST(SimulationOnce, NoCrashMattersToALibrary) { expect_no_crash_matters(scaled(20, 0), Part(), library); }

TEST(SimulationOnce, NoCrashMattersToWhatPeopleAreTold) { expect_no_crash_matters(scaled(12, 0), Part(), office); }

TEST(SimulationOnce, ASeedReplaysExactly) { expect_replay({11, 42, 1'789}, library, {}); }

TEST(SimulationOnce, ASeedOfSitesReplaysExactly) { expect_replay({3, 77}, house, unhurried); }

TEST(SimulationOnce, ASeedOfSitesOnOpenStackReplaysExactly) { expect_replay({5}, stack, unhurried); }

}  // namespace
}  // namespace ocim::simulation
