#pragma once

#include "simulation/program.hpp"

#include <map>
#include <string>
#include <vector>

namespace ocim::simulation {

/// What strangers own, as it was when they made it. What is not ours must never change by our doing.
struct Strangers {
    std::map<dns::Key, dns::RecordSet> records;
    std::map<std::string, test::Volume> books;
};
Strangers strangers(Universe& universe);

/// What is not as it must be once everything has calmed down; empty: nothing.
std::vector<std::string> broken_laws(Universe& universe, Program& program, const Strangers& strangers);

/// All that must stay the same when nobody does anything: every object but events and the backends' own reports, and
/// everything in the backends.
std::string still_life(Universe& universe, Program& program);

}  // namespace ocim::simulation
