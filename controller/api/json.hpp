#pragma once

#include "base/limits.hpp"
#include "base/result.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::api {

namespace json = boost::json;
using Json = boost::json::value;

struct Parsed {
    Json value;
    /// Paths of keys that came twice ("spec.color"); the last one won, as in Kubernetes.
    std::vector<std::string> duplicates;
};

/// Reads JSON. Refused (invalid, with the place): bad syntax, bad UTF-8, nesting beyond limits::json_depth_max,
/// numbers that are not finite.
Result<Parsed> parse_json(std::string_view text);

/// Compact JSON. Numbers print as Go prints them (1, 0.1, 1e+21), so that texts can be compared.
std::string to_text(const Json& value);

/// The value at a path of field names, or null when any step is absent or not an object.
const Json* find(const Json& value, std::initializer_list<std::string_view> path);
/// The string there, or "".
std::string_view find_text(const Json& value, std::initializer_list<std::string_view> path);
/// The object there, making every step that is absent or not an object.
json::object& make_object(Json& value, std::initializer_list<std::string_view> path);

}  // namespace ocim::api
