#pragma once

#include "crd/instances.hpp"
#include "runtime/kinds.hpp"

#include <string_view>
#include <vector>

namespace ocim::mail {

/// Tells people that an AppServer of an Instance could not be made: one Notification a cause, however often it is
/// tried.
struct Failures {
    using Object = crd::Instance;
    static constexpr std::string_view name = "provisioning-notices";
    static constexpr bool attends = true;

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
};

}  // namespace ocim::mail
