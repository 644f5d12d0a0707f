#pragma once

#include "api/json.hpp"
#include "api/status.hpp"
#include "registry/served.hpp"

#include <memory>
#include <vector>

/// CustomResourceDefinitions: what they must look like, and what is served because of one.
namespace ocim::registry {

/// Fills in the names that follow from others and the conversion.
void prepare_definition(api::Json& definition, const api::Json* old);
std::vector<api::Cause> validate_definition(const api::Json& definition, const api::Json* old);

/// The names one definition wants, as far as `others` (definitions) leave them free: sets its status (acceptedNames,
/// storedVersions, conditions NamesAccepted and Established; Terminating while it is being deleted). `now` is RFC 3339.
void establish(api::Json& definition, const std::vector<api::Json>& others, const std::string& now);
bool is_established(const api::Json& definition);

/// Its served versions, compiled. Error (invalid): the field and the reason.
Result<std::vector<std::shared_ptr<Served>>> compile_definition(const api::Json& definition, bool built_in);

/// status.conditions[type] to these values; lastTransitionTime moves only when the status does.
void set_condition(api::Json& object, std::string_view type, bool status, std::string_view reason,
                   std::string_view message, const std::string& now);

/// Holds a definition until its objects are gone.
inline constexpr const char* definition_finalizer = "customresourcecleanup.apiextensions.k8s.io";

}  // namespace ocim::registry
