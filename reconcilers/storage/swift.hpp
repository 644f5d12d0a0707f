#pragma once

#include "storage/provider.hpp"
#include "storage/swift_session.hpp"

#include <memory>

namespace ocim::storage {

/// An account of OpenStack Swift.
std::unique_ptr<Provider> open_swift(std::unique_ptr<SwiftSession> session, const runtime::Services& services);

}  // namespace ocim::storage
