#pragma once

#include "api/apply.hpp"
#include "schema/node.hpp"

namespace ocim::schema {

/// How objects of a schema merge; with apiVersion, kind and typed metadata at the root and in embedded resources.
std::unique_ptr<const api::TypeNode> merge_type(const Node& root);

}  // namespace ocim::schema
