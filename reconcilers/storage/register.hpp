#pragma once

namespace ocim::runtime {
class Manager;
}

namespace ocim::storage {

/// Registers StorageContainer. The manager must not have been started.
void register_kinds(runtime::Manager& manager);

}  // namespace ocim::storage
