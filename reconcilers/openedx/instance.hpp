#pragma once

#include "crd/instances.hpp"
#include "runtime/edit.hpp"
#include "runtime/kinds.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::openedx {

/// Instance, composed: one site with its names, data, traffic, monitors and AppServers.
struct Instances {
    using Object = crd::Instance;
    static constexpr std::string_view name = "instance";

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    /// The Secrets that the class names.
    static std::vector<runtime::Reference> further_needs(const Object& object, const runtime::Inputs& inputs);
    /// Every host name of the site, once the status says which they are.
    static std::vector<runtime::Claim> claims(const Object& object);
    /// Where it is placed, by its status: no backend takes more Instances than it has room for.
    static std::set<std::string> tallies(const api::Json& status);
    /// Names that are reserved, too long, or somebody else's; what cannot change.
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
    /// The next step in replacing the site's passwords, in the Secret that it keeps for good.
    static std::vector<runtime::Edit> edits(const Object& object, const runtime::Children& children,
                                            const runtime::Inputs& inputs);
};

}  // namespace ocim::openedx
