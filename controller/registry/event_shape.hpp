#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

#include <string>
#include <vector>

/// One stored Event in the two shapes that Kubernetes gives it: core/v1 (stored) and events.k8s.io/v1.
namespace ocim::registry {

void event_to_core(api::Json& event);
void event_from_core(api::Json& event);
/// A field's path in the core shape: "regarding.name" is "involvedObject.name".
std::string event_path_in_core(std::string path);

/// What events.k8s.io/v1 asks of an event beyond the schema. `old` is null at creation.
std::vector<api::Cause> validate_event(const api::Json& event, const api::Json* old);

}  // namespace ocim::registry
