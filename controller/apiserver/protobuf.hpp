#pragma once

#include "api/json.hpp"

#include <string_view>

namespace ocim::apiserver {

/// Reads what `application/vnd.kubernetes.protobuf` carries (the bytes "k8s\0" and an envelope with the type and the
/// object) as the JSON that the same client would have sent. Error (invalid): not such a body, or a kind that
/// comes in JSON only.
Result<api::Json> decode_protobuf(std::string_view body);

}  // namespace ocim::apiserver
