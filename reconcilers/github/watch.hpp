#pragma once

#include "crd/pullrequestwatches.hpp"
#include "runtime/kinds.hpp"

namespace ocim::github {

/// The kind PullRequestWatch, composed: one feed, and an Instance for each pull request that gets one.
struct Watches {
    using Object = crd::PullRequestWatch;
    static constexpr std::string_view name = "pullrequestwatch";

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
};

}  // namespace ocim::github
