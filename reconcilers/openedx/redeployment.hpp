#pragma once

#include "crd/redeployments.hpp"
#include "runtime/edit.hpp"
#include "runtime/kinds.hpp"

namespace ocim::openedx {

/// Redeployment, composed: new AppServers for many Instances, a few at a time. Every step of an Instance is in the
/// status before it is done, and leaves a trace where it was done: a note in the tenant's database, an annotation on
/// the Instance.
struct Redeployments {
    using Object = crd::Redeployment;
    static constexpr std::string_view name = "redeployment";

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
    /// What it changes: Instances, and AppServers of those whose rollout people do.
    static std::vector<runtime::Edit> edits(const Object& object, const runtime::Children& children,
                                            const runtime::Inputs& inputs);
};

/// On an Instance: the Redeployment that changed it last, as uid/round.attempt, and a merge patch of its spec that
/// takes the change back.
inline constexpr auto redeployed_by = "ocim.opencraft.com/redeployed-by";
inline constexpr auto redeployment_undo = "ocim.opencraft.com/redeployment-undo";

}  // namespace ocim::openedx
