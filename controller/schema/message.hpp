#pragma once

#include "schema/node.hpp"

/// Kubernetes' words for what is wrong with a field; for this room only.
namespace ocim::schema {

/// A text as Go's %q prints it.
std::string quoted(std::string_view text);
/// A number as Go's %v prints it: 65535, 1e+06, 0.5.
std::string printed(double number);
std::string printed(const Bound& bound);
/// JSON with sorted keys: equal values have equal texts.
std::string canonical(const Json& value);
/// A value as an error shows it: texts quoted, structures as JSON.
std::string shown(const Json& value);

/// "spec.a" from the parent and the name; the root is "".
std::string child(const std::string& path, std::string_view name);

Cause required(const std::string& path, std::string_view why = {});
Cause invalid(const std::string& path, const Json& value, std::string_view why);
/// Without the value.
Cause invalid(const std::string& path, std::string_view why);
Cause forbidden(const std::string& path, std::string_view why);
/// `expected` and `found` are names of types.
Cause wrong_type(const std::string& path, std::string_view expected, std::string_view found);
Cause not_supported(const std::string& path, const Json& value, const std::vector<Json>& supported);
Cause too_long(const std::string& path, std::int64_t bytes_max);
Cause too_many(const std::string& path, std::size_t actual, std::int64_t items_max);
Cause duplicate(const std::string& path, const Json& value);

/// CEL rules are not run over an object that has one of these wrong: they could not be trusted.
bool is_blocking(const Cause& cause);

}  // namespace ocim::schema
