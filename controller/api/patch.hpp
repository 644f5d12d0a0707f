#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

namespace ocim::api {

/// RFC 7386, with Kubernetes' reading: null removes.
void merge_patch(Json& target, const Json& patch);

/// RFC 6902. 400 for a malformed patch, 413 for more than limits::patch_operations_max operations, 422 when a test
/// fails, a path does not exist, or the result would be too deep or copied too large; `target` is then unchanged.
Result<void, Status> json_patch(Json& target, const Json& patch);

/// Strategic merge for the built-in kinds. Lists merge by the keys that Kubernetes gives them there
/// (finalizers: set; ownerReferences: by uid; conditions: by type; a ServiceAccount's secrets: by name), others
/// are replaced. $patch, $retainKeys, $deleteFromPrimitiveList and $setElementOrder are understood.
/// 400 for a malformed patch; `target` is then unchanged.
Result<void, Status> strategic_merge_patch(Json& target, const Json& patch);

}  // namespace ocim::api
