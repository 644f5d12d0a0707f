#include "compute/machine.hpp"
#include "crd/virtualmachines.hpp"
#include "runtime/external.hpp"
#include "simulation/grounds.hpp"
#include "simulation/house_effects.hpp"

namespace ocim::simulation {
namespace {

class LocalGrounds final : public Grounds {
public:
    explicit LocalGrounds(Universe& universe) : universe_(universe) {}

    void register_kinds(runtime::Manager& manager) override {
        using A = compute::Machines;
        const auto open = [this](const crd::Cloud&, const runtime::Inputs&,
                                 const runtime::Services& services) -> Result<std::unique_ptr<compute::System>> {
            const auto effect = [this](compute::Snapshot& things, const compute::Action& action) {
                const auto before = things.size();
                auto done = change_machine(cloud_, things, action);
                if (things.size() > before) ++made_[action.mark.namespace_name];
                return done;
            };
            const auto keys = [](const compute::Action& action) { return std::vector{action.key}; };
            return simulated<A>(cloud_, universe_, services, effect, keys);
        };
        runtime::add_external<A>(manager, open);
    }
    void suit(api::Json&) override {}
    std::vector<api::Json> needs() override { return {}; }

    compute::Snapshot machines() override { return cloud_.things(universe_.now); }
    const std::map<std::string, int>& made() override { return made_; }
    std::vector<std::string> remains() override {
        const auto left = cloud_.things(universe_.now).size();
        if (left == 0) return {};
        return {std::to_string(left) + " machines"};
    }

    void meddle(const std::string& installation) override {
        simulation::meddle(universe_, cloud_, installation,
                           [](compute::Machine& machine) { machine.state = compute::Machine::State::stopped; });
    }
    void plant(const std::string& name, std::optional<runtime::Mark> mark) override {
        compute::Machine machine;
        machine.state = compute::Machine::State::running;
        machine.mark = std::move(mark);
        cloud_.plant(universe_.now, name, machine);
    }

    test::Faults& faults() override { return cloud_.faults; }
    void set_trouble(const Trouble& trouble) override { trouble.show(cloud_); }
    int actions() override { return cloud_.calls["action"]; }

    void judge(Judge& judge, Program& program, const std::vector<api::Json>& others) override {
        const auto declared = program.list(crd::VirtualMachine::kind);
        judge.objects<compute::Machines>(declared, others, cloud_);
        judge.expect(cloud_.things(universe_.now).size() == declared.size() + cloud_.planted().size(),
                     "there are other machines than are declared");
    }

private:
    Universe& universe_;
    Cloud cloud_;
    std::map<std::string, int> made_;
};

}  // namespace

std::unique_ptr<Grounds> local_grounds(Universe& universe) { return std::make_unique<LocalGrounds>(universe); }

}  // namespace ocim::simulation
