#pragma once

#include "api/json.hpp"

#include <string>
#include <vector>

namespace ocim::api {

/// Reads one YAML document as JSON, by YAML 1.1's core rules as Kubernetes reads it. Refused (invalid, with line
/// and column): bad syntax, cycles, more than limits::yaml_nodes_max nodes counting what aliases expand to,
/// nesting beyond limits::json_depth_max, keys that are not scalars. `duplicates` lists keys that came twice.
Result<Parsed> parse_yaml(std::string_view text);
/// Every document of a stream; empty ones are left out.
Result<std::vector<Parsed>> parse_yaml_stream(std::string_view text);

/// Block-style YAML with every string quoted where another reader could take it for something else. Keys keep
/// their order.
std::string to_yaml(const Json& value);

}  // namespace ocim::api
