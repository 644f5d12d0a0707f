#pragma once

#include <span>
#include <string_view>

namespace ocim::schema {

/// The kinds that the server has without anybody defining them (Namespace, Secret, Event, …): each a document
/// in the shape of a CustomResourceDefinition (group "" for core/v1), as JSON text, in the order of the file names
/// of builtin/*.yaml. Their columns may use what a user's CRD cannot: see schema::Column.
std::span<const std::string_view> builtin_schemas();

}  // namespace ocim::schema
