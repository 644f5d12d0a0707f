#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

#include <string>
#include <vector>

/// One entry of a CustomResourceDefinition's spec.versions.
namespace ocim::registry {

/// What is wrong with it beyond its types; `at` is its place: "spec.versions[0]".
void check_version(const api::Json& version, const std::string& at, std::vector<api::Cause>& out);

/// Drops keywords that Kubernetes' schemas do not have, and those that are null, as its decoder does. The paths of
/// the unknown ones.
std::vector<std::string> drop_unknown_keywords(api::Json& definition);

}  // namespace ocim::registry
