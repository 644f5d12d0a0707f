#pragma once

#include "simulation/house_story.hpp"
#include "simulation/postbox.hpp"

#include <set>
#include <string>
#include <vector>

namespace ocim::simulation {

/// Three sites, redeployed two at a time; one of them fails at first. Then one is down for a while. And who is told.
///
/// It has one life only, from birth to death: what holds at each moment of it is looked at once a second.
class CampaignStory final : public HouseStory {
public:
    explicit CampaignStory(Universe& universe) : HouseStory(universe, local_grounds(universe)), postbox_(universe) {}

    void register_kinds(runtime::Manager& manager) override;
    const std::vector<api::Kind>& kinds() override;
    void prepare(Program& program) override;
    void declare_one(Program& program) override;
    bool one_is_ready(Program& program) override;
    void delete_one(Program& program) override;
    std::vector<std::string> broken_laws(Program& program) override;

protected:
    bool run_fails(const openedx::RunAction& action) override;
    monitoring::Outcome probed(const monitoring::Key& key) override;

private:
    enum class Stage { launching, redeploying, outage, recovered };

    void redeploy(Program& program);
    void outage(Program& program);
    /// What holds at any moment of a Redeployment.
    void look(Program& program);
    void expect(bool holds, const std::string& law);

    static constexpr std::int64_t batch = 2;

    Postbox postbox_;
    Stage stage_ = Stage::launching;
    int paused_ = 0;                        // seconds that it was seen to be so
    std::set<std::string> pending_;         // when it paused
    std::set<std::string> broken_earlier_;  // laws, at some moment
    WallTime down_since_{};
};

}  // namespace ocim::simulation
