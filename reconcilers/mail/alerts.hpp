#pragma once

#include "crd/monitors.hpp"
#include "runtime/kinds.hpp"

#include <string_view>
#include <vector>

namespace ocim::mail {

/// Tells people that a site is down, and that it is up again: two Notifications of each alert that a Monitor's status
/// names.
struct Alerts {
    using Object = crd::Monitor;
    static constexpr std::string_view name = "monitor-alerts";
    static constexpr bool attends = true;

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
};

}  // namespace ocim::mail
