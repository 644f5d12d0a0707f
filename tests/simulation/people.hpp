#pragma once

#include "simulation/program.hpp"

namespace ocim::simulation {

/// What the backends and their credentials are, before anybody wants anything.
void prepare(Program& program);
/// A person declares, changes or deletes something, well or badly.
void somebody_acts(Universe& universe, Program& program);
/// A stranger works in the backends behind our back: with our things and with his own.
void stranger_acts(Universe& universe, const std::string& installation);

/// How unkind the outside is.
void set_faults(Universe& universe, test::Faults faults);
void set_down(Universe& universe, bool down);

}  // namespace ocim::simulation
