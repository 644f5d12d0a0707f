#pragma once

#include <span>
#include <string_view>

namespace ocim::crd {

/// Our CRDs, each as JSON text, in the order of their file names.
std::span<const std::string_view> schemas();

}  // namespace ocim::crd
