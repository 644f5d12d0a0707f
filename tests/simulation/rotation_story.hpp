#pragma once

#include "simulation/house_story.hpp"

namespace ocim::simulation {

/// One site whose passwords are replaced while it serves. Nobody else touches anything, so that no machine may be
/// refused at any moment, whatever the program does.
class RotationStory final : public HouseStory {
public:
    explicit RotationStory(Universe& universe) : HouseStory(universe, local_grounds(universe)) {}

    void declare_one(Program& program) override;
    bool one_is_ready(Program& program) override;
    std::vector<std::string> broken_laws(Program& program) override;

protected:
    bool undisturbed() const override { return true; }

private:
    bool replaced_ = false;
};

}  // namespace ocim::simulation
