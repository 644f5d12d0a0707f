#pragma once

#include "compute/cloud.hpp"
#include "database/server.hpp"
#include "loadbalancing/balancer.hpp"
#include "monitoring/watch.hpp"
#include "openedx/run.hpp"
#include "support/sim_system.hpp"

/// What each real action does in a simulated backend. Whose a thing is, is looked at once more right before the
/// write, as the real systems do.
namespace ocim::simulation {

using Cloud = test::SimWorld<compute::Key, compute::Machine>;
using RunWorld = test::SimWorld<std::string, openedx::Run>;

Result<void> change_machine(Cloud& cloud, compute::Snapshot& things, const compute::Action& action);
Result<void> change_run(RunWorld& world, openedx::RunSnapshot& things, const openedx::RunAction& action, bool fails);
Result<void> change_database(database::Snapshot& things, const database::Action& action);
Result<void> change_balancer(loadbalancing::Snapshot& things, const loadbalancing::Action& action);
Result<void> change_watch(monitoring::Snapshot& things, const monitoring::Action& action,
                          const monitoring::Outcome& found);

}  // namespace ocim::simulation
