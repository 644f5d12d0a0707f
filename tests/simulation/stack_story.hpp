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
};

}  // namespace ocim::simulation
