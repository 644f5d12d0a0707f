#pragma once

#include "api/json.hpp"
#include "api/status.hpp"
#include "registry/names.hpp"

#include <string>
#include <vector>

/// The part that every object has.
namespace ocim::registry {

/// Makes `object`.metadata what metav1.ObjectMeta can hold: nulls and empty lists go, unknown fields go and are added
/// to `unknown` by their paths. Error: the reason, when a field has the wrong type.
Result<void> tidy_metadata(api::Json& object, std::vector<std::string>& unknown);

/// All that is wrong with the metadata of an object about to be stored. `old` is null at creation.
std::vector<api::Cause> validate_metadata(const api::Json& object, const api::Json* old, NameRule rule,
                                          bool namespaced);

/// apiVersion, kind and metadata in front, and metadata in the order that text.hpp counts on.
void put_in_order(api::Json& object);

/// Equal but for metadata, and status when `with_status` is false.
bool same_content(const api::Json& a, const api::Json& b, bool with_status);

bool deleting(const api::Json& object);
/// metadata.finalizers as they are.
std::vector<std::string> finalizers_of(const api::Json& object);
void set_finalizers(api::Json& object, const std::vector<std::string>& finalizers);

}  // namespace ocim::registry
