#pragma once

#include "crd/instanceclasses.hpp"
#include "runtime/kinds.hpp"

namespace ocim::openedx {

/// InstanceClass: defaults for Instances. It makes the security group of their machines, and says whether what it names
/// is there.
struct InstanceClasses {
    using Object = crd::InstanceClass;
    static constexpr std::string_view name = "instanceclass";

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
};

}  // namespace ocim::openedx
