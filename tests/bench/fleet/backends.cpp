#include "reconcilers/register.hpp"
#include "simulation/house_story.hpp"

/// `ocim` as it is, with every reconciler of a site, but for what is outside: machines, playbooks, zones and servers
/// are simulated in the process, a few milliseconds away and without faults. For script/bench fleet.
namespace ocim::reconcilers {

// In the place of the program's own, which is in a library: the linker takes what it finds first.
void register_all(runtime::Manager& manager, webhooks::Hooks& /*hooks*/, compute::LocalMachines /*local*/) {
    static simulation::Universe universe(1);
    static simulation::HouseStory story(universe, simulation::local_grounds(universe));
    story.register_kinds(manager);
}

}  // namespace ocim::reconcilers
