#pragma once

#include "registry/registry.hpp"

#include <string>
#include <vector>

namespace ocim::apiserver {

/// A sub-resource that is answered from the stored object.
struct Part {
    std::string name;
    std::vector<std::string> verbs;
    std::string group, version, kind;  ///< of what is answered
};

/// Those of one resource: status, scale, and of a namespace finalize.
std::vector<Part> parts_of(const registry::Resource& resource);

}  // namespace ocim::apiserver
