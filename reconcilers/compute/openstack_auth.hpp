#pragma once

#include "crd/clouds.hpp"
#include "keystone/login.hpp"
#include "runtime/kinds.hpp"

/// Who we are at a cloud. Pure.
namespace ocim::compute::openstack {

using keystone::Credentials;

/// What the Cloud and its Secret say together; the Cloud's own words go before the Secret's.
/// Error: auth when the Secret does not hold what is needed, invalid when the Cloud does not make sense; the message
/// names what is missing where.
Result<Credentials> credentials_of(const crd::Cloud& cloud, const runtime::Inputs& inputs);

}  // namespace ocim::compute::openstack
