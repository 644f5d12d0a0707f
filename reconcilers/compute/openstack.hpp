#pragma once

#include "compute/cloud.hpp"
#include "compute/openstack_session.hpp"

namespace ocim::compute::openstack {

struct ProjectSettings {
    Duration drift_interval{60'000};
    bool floating = false;  ///< machines get public addresses
    bool wait_for_ssh = true;
};

/// The machines of a project. `services` must outlive it.
std::unique_ptr<System> open_project(std::unique_ptr<Session> session, const runtime::Services& services,
                                     ProjectSettings settings);

}  // namespace ocim::compute::openstack
