#pragma once

#include "crd/instances.hpp"
#include "runtime/kinds.hpp"

namespace ocim::openedx {

/// Instance, composed: one site with its names, data, traffic, monitors and AppServers.
struct Instances {
    using Object = crd::Instance;
    static constexpr std::string_view name = "instance";

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    /// A reserved sub-domain, or one whose names would be too long.
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
};

}  // namespace ocim::openedx
