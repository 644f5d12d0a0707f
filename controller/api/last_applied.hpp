#pragma once

#include "api/field_set.hpp"
#include "api/typed_value.hpp"

#include <string_view>

/// How server-side apply by kubectl gets on with what kubectl applies in the client, which keeps what it applied in an
/// annotation. As Kubernetes, only for the manager that kubectl is by default: any other name opts out.
namespace ocim::api {

inline constexpr std::string_view last_applied_annotation = "kubectl.kubernetes.io/last-applied-configuration";

bool keeps_last_applied(std::string_view manager);

/// The places that the annotation of `live` set and nobody has changed since: the manager may take them from others
/// without a conflict. None when there is no annotation, or one of another version.
FieldSet set_by_last_applied(const Json& live, const TypeNode& type, std::string_view api_version);

/// Where `object` has the annotation, makes it say what is applied now, so that applying in the client can go on.
void update_last_applied(Json& object, const Json& applied);

}  // namespace ocim::api
