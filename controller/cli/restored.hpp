#pragma once

#include <string_view>

/// What tells a server that its store was restored, and is older than the world.
namespace ocim::cli {

/// While this ConfigMap is there, nothing is sent that changes a backend.
inline constexpr std::string_view restored_name = "ocim-restored";
inline constexpr std::string_view restored_key = "core/configmaps/ocim-system/ocim-restored";
inline constexpr std::string_view installation_key = "core/configmaps/ocim-system/ocim-installation";

}  // namespace ocim::cli
