#pragma once

#include "base/clock.hpp"
#include "crd/appservers.hpp"
#include "runtime/kinds.hpp"

/// How an AppServer leaves visitors, and how it goes.
namespace ocim::openedx {

/// It gets no new visitors from now on.
void note_left(crd::AppServer::Status& status, WallTime now);

/// Visitors are led away first, and those who are connected given their time; then machine and run go together.
runtime::Composition<crd::AppServer> compose_end(const crd::AppServer& object, const runtime::Children& children,
                                                 const runtime::Inputs& inputs);

}  // namespace ocim::openedx
