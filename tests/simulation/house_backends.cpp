#include "compute/machine.hpp"
#include "database/tenant.hpp"
#include "loadbalancing/fragment.hpp"
#include "messaging/rabbitmq.hpp"
#include "messaging/vhost.hpp"
#include "monitoring/monitor.hpp"
#include "openedx/appserver.hpp"
#include "openedx/instance.hpp"
#include "openedx/instance_class.hpp"
#include "runtime/composite.hpp"
#include "runtime/external.hpp"
#include "simulation/house_effects.hpp"
#include "simulation/house_story.hpp"
#include "simulation/management_interface.hpp"
#include "support/sim_http.hpp"

/// The real reconcilers on simulated backends.
namespace ocim::simulation {

namespace {

using Tenant = database::Tenant;
using Vhost = messaging::Vhost;
using Fragment = loadbalancing::Fragment;
using Watched = monitoring::Monitor;

template <class Action>
auto one_key(const Action& action) {
    return std::vector{action.key};
}

template <class Action>
auto all_keys(const Action& action) {
    auto out = action.gone_too;
    out.push_back(action.key);
    return out;
}

}  // namespace

void HouseStory::register_kinds(runtime::Manager& manager) {
    grounds_->register_kinds(manager);
    register_runs(manager);
    register_data(manager);
    register_traffic(manager);
    runtime::add_composite<openedx::InstanceClasses>(manager);
    runtime::add_composite<openedx::Instances>(manager);
    runtime::add_composite<openedx::AppServers>(manager);
}

HouseStory::Runs& HouseStory::runs_on(const crd::VirtualMachine& machine) {
    const auto key = compute::key_of(machine);
    auto& runs = runs_[key];
    runs.faults = grounds_->faults();
    // it can be reached as long as it runs
    runs.out_of_reach = [this, key] {
        const auto machines = grounds_->machines();
        const auto found = machines.find(key);
        return found == machines.end() || found->second.state != compute::Machine::State::running;
    };
    return runs;
}

std::size_t HouseStory::running() {
    std::size_t out = 0;
    const auto machines = grounds_->machines();
    for (auto& [machine, runs] : runs_) {
        if (!machines.contains(machine)) continue;
        for (const auto& [key, run] : runs.things(Instant())) out += run.state == openedx::Run::State::running ? 1 : 0;
    }
    return out;
}

void HouseStory::count_sites(const database::Snapshot& things) {
    std::set<std::string> sites;
    for (const auto& [key, thing] : things)
        if (thing.mark && !thing.mark->retained && !database_.planted().contains(key))
            sites.insert(thing.mark->namespace_name);
    if (sites.size() > room()) too_many_.push_back(*sites.rbegin() + " has databases where there was no room for it");
}

bool HouseStory::run_fails(const openedx::RunAction&) {
    return grounds_->faults().fails_before > 0 && universe_.happens(10);
}

monitoring::Outcome HouseStory::probed(const monitoring::Key&) { return {true, 200, "200 OK", WallTime()}; }

void HouseStory::register_runs(runtime::Manager& manager) {
    using A = openedx::Runs;
    runtime::add_external<A>(manager,
                             [this](const crd::VirtualMachine& machine, const runtime::Inputs&,
                                    const runtime::Services& services) -> Result<std::unique_ptr<openedx::RunSystem>> {
                                 if (machine.status.addresses.empty())
                                     return Error{ErrorClass::transient, "the machine has no address yet"};
                                 auto& world = runs_on(machine);
                                 const auto effect = [this, &world, key = compute::key_of(machine)](
                                                         openedx::RunSnapshot& things,
                                                         const openedx::RunAction& action) {
                                     auto changed = change_run(world, things, action, run_fails(action));
                                     if (changed) note_logins(key, action);
                                     if (running() > runs_max)
                                         too_many_.push_back(action.mark.namespace_name + " runs beside others");
                                     return changed;
                                 };
                                 return simulated<A>(world, universe_, services, effect, one_key<openedx::RunAction>);
                             });
}

void HouseStory::register_data(runtime::Manager& manager) {
    runtime::add_external<Tenant>(
        manager,
        [this](const crd::DatabaseServer&, const runtime::Inputs&,
               const runtime::Services& services) -> Result<std::unique_ptr<database::Server>> {
            const auto effect = [this](database::Snapshot& things, const database::Action& action) {
                const auto before = let_in(things);
                auto changed = change_database(things, action);
                count_sites(things);
                if (undisturbed() || action.verb == database::Action::Verb::alter_user)
                    compare(before, let_in(things), Tenant::describe(action));
                return changed;
            };
            return simulated<Tenant>(database_, universe_, services, effect, all_keys<database::Action>);
        });
    runtime::add_external<Vhost>(
        manager,
        [this](const crd::RabbitMQServer&, const runtime::Inputs&,
               const runtime::Services& services) -> Result<std::unique_ptr<messaging::Broker>> {
            broker_.dies = [this] { return universe_.boundary(); };
            const auto answer = [this](messaging::Snapshot& things, const net::HttpRequest& request) {
                if (request.method == "GET") return answer_as_rabbitmq(things, request);
                const auto what = request.method + " " + request.target;
                universe_.trace.add(what);
                const auto before = let_in(things);
                auto answer = answer_as_rabbitmq(things, request);
                if (undisturbed() || request.method == "PUT") compare(before, let_in(things), what);
                return answer;
            };
            using Wire = test::SimHttp<test::SimWorld<messaging::Key, messaging::Thing>>;
            auto wire = std::make_unique<Wire>(broker_, answer, services.clock, services.random);
            return messaging::open_rabbitmq(std::move(wire), {"admin", Secret("sesame")}, services);
        });
}

void HouseStory::register_traffic(runtime::Manager& manager) {
    runtime::add_external<dns::Record>(manager,
                                       [this](const crd::DNSZone&, const runtime::Inputs&,
                                              const runtime::Services& services) -> Result<std::unique_ptr<dns::Zone>> {
                                           return simulated<dns::Record>(zone_, universe_, services, change_zone,
                                                                         one_key<dns::Action>);
                                       });
    watch_.perish();  // the built-in prober lives in the program
    runtime::add_external<Watched>(
        manager,
        [this](const crd::MonitoringService&, const runtime::Inputs&,
               const runtime::Services& services) -> Result<std::unique_ptr<monitoring::Watch>> {
            const auto effect = [this](monitoring::Snapshot& things, const monitoring::Action& action) {
                return change_watch(things, action, probed(action.key));
            };
            return simulated<Watched>(watch_, universe_, services, effect, one_key<monitoring::Action>);
        });
    runtime::add_external<Fragment>(
        manager,
        [this](const crd::LoadBalancer&, const runtime::Inputs&,
               const runtime::Services& services) -> Result<std::unique_ptr<loadbalancing::System>> {
            const auto keys = [this](const loadbalancing::Action& action) {
                std::vector<loadbalancing::Key> out{loadbalancing::fragment_key(action.fragment)};
                for (const auto& [key, thing] : balancer_.things(Instant()))
                    if (thing.backend == action.fragment) out.push_back(key);
                for (const auto& domain : action.domains) out.push_back(loadbalancing::domain_key(domain));
                return out;
            };
            return simulated<Fragment>(balancer_, universe_, services, change_balancer, keys);
        });
}

}  // namespace ocim::simulation
