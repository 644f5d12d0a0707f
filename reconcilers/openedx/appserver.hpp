#pragma once

#include "crd/appservers.hpp"
#include "runtime/kinds.hpp"

namespace ocim::openedx {

/// AppServer, composed: one machine, made into an Open edX server once, from a snapshot of its Instance's
/// configuration.
///
///   New -> WaitingForMachine -> Configuring -> Rebooting -> Verifying -> Running
///                                    |                        |
///                                    +------------------------+-> ConfigurationFailed
///                                                                 (for good: a new attempt is a new AppServer)
struct AppServers {
    using Object = crd::AppServer;
    static constexpr std::string_view name = "appserver";

    static std::vector<api::Kind> child_kinds();
    static std::vector<runtime::Reference> needs(const Object& object);
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<runtime::HistogramKind> histograms();
    static runtime::Composition<Object> compose(const Object& object, const runtime::Children& children,
                                                const runtime::Inputs& inputs);
};

}  // namespace ocim::openedx
