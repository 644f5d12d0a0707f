#pragma once

#include "api/json.hpp"

#include <string>

namespace ocim::api {

/// What a plain scalar of YAML means, as Kubernetes (go-yaml 2) reads it: yes, On, ~, 0x1F, 010, 1_000, 1e3, .5; all
/// else is a string, and so is a number that is too large. Refused: .inf and .nan, which JSON cannot say.
Result<Json> resolve_scalar(const std::string& text);

}  // namespace ocim::api
