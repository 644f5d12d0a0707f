#pragma once

#include "simulation/program.hpp"

#include <string>
#include <vector>

namespace ocim::simulation {

/// Who takes part in a simulated life, what they do, and what must hold in the end.
class Story {
public:
    virtual ~Story() = default;

    /// CRDs beyond the real ones, and which of the real ones are served.
    virtual std::vector<api::Json> definitions() = 0;
    /// Reconcilers on simulated backends; asked at each start of a program.
    virtual void register_kinds(runtime::Manager& manager) = 0;
    virtual const std::vector<api::Kind>& kinds() = 0;

    /// What is there before anybody wants anything.
    virtual void prepare(Program& program) = 0;
    /// A person declares, changes or deletes something, well or badly.
    virtual void somebody_acts(Program& program) = 0;
    /// A stranger works in the backends behind our back: with our things and with his own.
    virtual void stranger_acts(const std::string& installation) = 0;

    /// One thing from birth to death, for which nothing else moves: declares it. May be repeated.
    virtual void declare_one(Program& program) = 0;
    virtual bool one_is_ready(Program& program) = 0;
    virtual void delete_one(Program& program) = 0;
    /// What is left of it, in the API or outside; empty: nothing.
    virtual std::vector<std::string> remains_of_one(Program& program) = 0;

    virtual void set_faults(test::Faults faults) = 0;
    virtual void set_down(bool down) = 0;
    virtual int actions() = 0;

    /// What is not as it must be once everything has calmed down; empty: nothing.
    virtual std::vector<std::string> broken_laws(Program& program) = 0;
};

}  // namespace ocim::simulation
