#pragma once

#include "api/status.hpp"
#include "crd/instances.hpp"
#include "crd/redeployments.hpp"

#include <string>
#include <vector>

/// Which Instances a Redeployment is about, and what its patch may say. Pure.
namespace ocim::openedx {

/// Error invalid: the selector makes no sense.
Result<bool> chooses(const crd::Redeployment& object, const api::Json& instance);

/// What is wrong with the patch, each with its field.
std::vector<api::Cause> patch_problems(const crd::Redeployment& object);

/// The merge patch that takes `patch` of `before` back.
api::Json reverse_patch(const api::Json& before, const api::Json& patch);

/// What the patch changes of a spec, in words: "release: a -> b".
std::string changes_in_words(const api::Json& spec, const api::Json& patch);

}  // namespace ocim::openedx
