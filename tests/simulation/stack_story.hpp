#pragma once

#include "simulation/house_story.hpp"

namespace ocim::simulation {

/// Sites on an OpenStack cloud. The one that lives from birth to death is launched, rolled out anew, and deleted, and
/// so is a security group beside it.
class StackStory final : public HouseStory {
public:
    explicit StackStory(Universe& universe) : HouseStory(universe, stack_grounds(universe)) {}

    void declare_one(Program& program) override;
    bool one_is_ready(Program& program) override;
    void delete_one(Program& program) override;
    std::vector<std::string> broken_laws(Program& program) override;

private:
    bool rolled_out_ = false;  ///< the one was launched and rolled out
};

}  // namespace ocim::simulation
