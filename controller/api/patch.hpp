#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

namespace ocim::api {

/// RFC 7386, with Kubernetes' reading: null removes.
void merge_patch(Json& target, const Json& patch);

/// RFC 6902. 400 for a malformed patch, 422 when a test fails or a path does not exist; `target` is then
/// unchanged.
Result<void, Status> json_patch(Json& target, const Json& patch);

/// Strategic merge for the built-in kinds. Lists merge by the keys that Kubernetes gives them there
/// (finalizers: set; ownerReferences: by uid; conditions: by type); $patch and $retainKeys directives and
/// $deleteFromPrimitiveList are understood.
Result<void, Status> strategic_merge_patch(Json& target, const Json& patch);

}  // namespace ocim::api
