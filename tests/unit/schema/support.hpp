#pragma once

#include "api/yaml.hpp"
#include "schema/schema.hpp"

#include <gtest/gtest.h>
#include <stdexcept>

namespace ocim::schema {

/// A value from YAML, which is shorter than JSON in C++.
inline api::Json yaml(std::string_view text) {
    auto parsed = api::parse_yaml(text);
    if (!parsed) {
        ADD_FAILURE() << parsed.error().message << "\n" << text;
        return {};
    }
    return std::move(parsed->value);
}

/// A schema whose `spec` is given.
inline api::Json with_spec(std::string_view spec) {
    return api::json::object{{"type", "object"}, {"properties", api::json::object{{"spec", yaml(spec)}}}};
}

inline Schema compiled(const api::Json& open_api) {
    auto schema = Schema::compile(open_api, "schema");
    if (!schema) throw std::invalid_argument(schema.error().message);
    return *std::move(schema);
}

/// "field: message (reason)" of each cause.
inline std::vector<std::string> texts(const std::vector<api::Cause>& causes) {
    std::vector<std::string> out;
    for (const auto& cause : causes) out.push_back(cause.field + ": " + cause.message + " (" + cause.reason + ")");
    return out;
}

}  // namespace ocim::schema
