#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

#include <vector>

/// What roles and bindings of rbac.authorization.k8s.io must look like beyond their schemas.
namespace ocim::registry {

std::vector<api::Cause> validate_role(const api::Json& role, bool namespaced);

/// Fills in the groups of what it refers to.
void prepare_binding(api::Json& binding);
std::vector<api::Cause> validate_binding(const api::Json& binding, const api::Json* old, bool namespaced);

}  // namespace ocim::registry
