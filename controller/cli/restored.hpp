#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "store/store.hpp"

#include <string_view>

/// What tells a server that its store was restored, and is older than the world.
namespace ocim::cli {

/// While this ConfigMap is there, nothing is sent that changes a backend.
inline constexpr std::string_view restored_name = "ocim-restored";
inline constexpr std::string_view restored_key = "core/configmaps/ocim-system/ocim-restored";
inline constexpr std::string_view installation_key = "core/configmaps/ocim-system/ocim-installation";

/// Keeps a gauge that says whether it is there. Until cancelled.
awaitable<void> tell_restored(Clock& clock, const store::Store& store, Metrics& metrics);

}  // namespace ocim::cli
