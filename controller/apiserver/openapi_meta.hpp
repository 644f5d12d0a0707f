#pragma once

#include "api/json.hpp"

namespace ocim::apiserver {

/// The schemas that every document refers to: ObjectMeta, ListMeta, Status, DeleteOptions, Patch and what is in them.
const api::json::object& meta_schemas();

}  // namespace ocim::apiserver
