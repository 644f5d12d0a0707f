#pragma once

#include <span>
#include <string_view>

namespace ocim::apiserver {

/// Lists of the ClusterRoles and ClusterRoleBindings that every installation has, as JSON text.
std::span<const std::string_view> policies();

}  // namespace ocim::apiserver
