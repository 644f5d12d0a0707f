#pragma once

#include "registry/registry.hpp"

/// The sub-resource scale: the number of replicas of an object, in the shape of autoscaling/v1.
namespace ocim::registry {

/// The Scale of an object whose kind has one. Error: 500 when the object says no number.
Outcome<api::Json> scale_of(const Resource& resource, const api::Json& object);

/// The object with the number that a Scale wants. Errors: 400 for what is no Scale of this object, 409 when it is one
/// of an older state, 422 for a number that cannot be.
Outcome<api::Json> scaled(const Resource& resource, const api::Json& object, const api::Json& scale);

/// What of an object is applied by applying a Scale of it: what names it, and the number. Errors: as of scaled(), and
/// 422 where no number is said.
Outcome<api::Json> applied_scale(const Resource& resource, const std::string& name, const api::Json& scale);

/// What is wrong with the paths of a version's scale sub-resource, which is found at `at`.
std::vector<api::Cause> validate_scale_paths(const api::Json& scale, const std::string& at);

/// ".spec.replicas" -> spec, replicas.
std::vector<std::string> scale_path(std::string_view text);

}  // namespace ocim::registry
