#pragma once

#include "compute/cloud.hpp"
#include "compute/group.hpp"
#include "compute/openstack_session.hpp"

namespace ocim::compute::openstack {

struct ProjectSettings {
    Duration drift_interval{60'000};
    bool floating = false;  ///< machines get public addresses
    bool wait_for_ssh = true;
    std::size_t in_flight = 4;  ///< actions at a time
};

/// The machines of a project. `services` must outlive it.
std::unique_ptr<System> open_project(std::unique_ptr<Session> session, const runtime::Services& services,
                                     ProjectSettings settings);

/// The security groups of a project.
std::unique_ptr<GroupSystem> open_groups(std::unique_ptr<Session> session);

/// Errors: auth and invalid, when what the Cloud and its Secret say is not enough.
Result<std::unique_ptr<Session>> open_session(const crd::Cloud& cloud, const runtime::Inputs& inputs,
                                              const runtime::Services& services);

}  // namespace ocim::compute::openstack
