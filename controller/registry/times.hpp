#pragma once

#include "api/json.hpp"
#include "schema/schema.hpp"

namespace ocim::registry {

/// Writes the times of an object of a built-in kind as Kubernetes does, whatever zone and precision they came in:
/// those that `schema` calls date-time. What is no time is left for the validation to refuse.
void put_times_in_form(api::Json& object, const schema::Schema& schema);

/// A time of an object's metadata in that form. Error (invalid): it is none.
Result<std::string> time_in_form(std::string_view text);

}  // namespace ocim::registry
