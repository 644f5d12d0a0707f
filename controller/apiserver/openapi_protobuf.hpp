#pragma once

#include "api/json.hpp"

#include <string>

namespace ocim::apiserver {

/// An OpenAPI 2 document of ours as the protobuf that kubectl reads it in. Keywords without a place in it are left out.
std::string open_api_v2_protobuf(const api::Json& document);

}  // namespace ocim::apiserver
