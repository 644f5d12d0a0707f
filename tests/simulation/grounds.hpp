#pragma once

#include "compute/cloud.hpp"
#include "simulation/judge.hpp"
#include "simulation/universe.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ocim::simulation {

/// What else can be wrong with a backend as a whole.
struct Trouble {
    bool down = false, refuses_us = false, hangs = false, garbage = false;
    template <class World>
    void show(World& world) const {
        world.down = down;
        world.refuses_us = refuses_us;
        world.hangs = hangs;
        world.garbage = garbage;
    }
};

/// Where a house's machines are: a simulated cloud of one sort.
class Grounds {
public:
    virtual ~Grounds() = default;

    /// The kinds that a Cloud is the backend of.
    virtual void register_kinds(runtime::Manager& manager) = 0;
    /// Turns an object of the demonstration, its Cloud or its class, into what is wanted here.
    virtual void suit(api::Json& object) = 0;
    /// What is needed besides those.
    virtual std::vector<api::Json> needs() = 0;

    /// Every machine that is there, as a cloud's System would see it.
    virtual compute::Snapshot machines() = 0;
    /// How many were ever made of each, by "namespace/name" of its object.
    virtual const std::map<std::string, int>& made() = 0;
    /// Machines and whatever else there is of them that was not there before: for people.
    virtual std::vector<std::string> remains() = 0;

    /// A stranger does something to one of ours.
    virtual void meddle(const std::string& installation) = 0;
    /// A stranger's own machine; nobody touches it.
    virtual void plant(const std::string& name, std::optional<runtime::Mark> mark) = 0;

    virtual test::Faults& faults() = 0;
    virtual void set_trouble(const Trouble& trouble) = 0;
    virtual int actions() = 0;
    /// `others`: what the machines' decisions need to know.
    virtual void judge(Judge& judge, Program& program, const std::vector<api::Json>& others) = 0;
};

/// Machines of the host itself, simulated right below their System.
std::unique_ptr<Grounds> local_grounds(Universe& universe);
/// A project in an OpenStack cloud, simulated as its services on a wire, so that logging in, listing and acting run
/// too.
std::unique_ptr<Grounds> stack_grounds(Universe& universe);

}  // namespace ocim::simulation
