#pragma once

#include "api/json.hpp"
#include "api/status.hpp"
#include "registry/served.hpp"

#include <vector>

/// What the built-in kinds do beyond their schemas.
namespace ocim::registry {

/// Field names that may stand in field selectors of this kind, beside metadata.name and metadata.namespace.
std::vector<std::string> selectable_fields(std::string_view group, std::string_view plural);

/// Fills in what the server decides, before defaults and validation.
void prepare_create(const Served& served, api::Json& object);
void prepare_update(const Served& served, api::Json& object, const api::Json& old);
/// What is wrong with it; `old` is null at creation.
std::vector<api::Cause> validate_special(const Served& served, const api::Json& object, const api::Json* old);
/// Secret: moves stringData into data. Also for the body of an apply, before it is merged.
void fold_string_data(api::Json& secret);

}  // namespace ocim::registry
