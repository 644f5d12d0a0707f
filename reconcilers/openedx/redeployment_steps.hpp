#pragma once

#include "crd/redeployments.hpp"
#include "runtime/edit.hpp"
#include "runtime/kinds.hpp"

/// One Instance of a Redeployment, from its turn to its end. What it is at was stored by an earlier visit; what it
/// comes to is stored before anything is done for that. Pure.
namespace ocim::openedx {

using RedeployedInstance = std::decay_t<decltype(crd::Redeployment::Status{}.instances[0])>;

struct RedeploymentView {
    const crd::Redeployment& object;
    const runtime::Children& children;
    const runtime::Inputs& inputs;
    runtime::Composition<crd::Redeployment>& out;  ///< gets what is to be made for it
    std::vector<runtime::Edit>& edits;             ///< gets what is to be changed for it
};

/// Its turn has come.
void begin_instance(const RedeploymentView& view, RedeployedInstance& entry);
/// The next step, if there is one to be taken now.
void advance_instance(const RedeploymentView& view, RedeployedInstance& entry);
/// Time alone will change something then.
void look_at(const RedeploymentView& view, WallTime due);

}  // namespace ocim::openedx
