#pragma once

#include "api/apply.hpp"
#include "schema/node.hpp"

namespace ocim::schema {

using TypePtr = std::shared_ptr<const api::TypeNode>;  // shared: what is alike in many schemas is there once

/// How objects of a schema merge; with apiVersion, kind and typed metadata at the root and in embedded resources.
TypePtr merge_type(const Node& root);

}  // namespace ocim::schema
