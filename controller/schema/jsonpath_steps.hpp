#pragma once

#include "schema/column.hpp"

#include <optional>

/// What a JSONPath is made of; for this room only.
namespace ocim::schema {

struct JsonPath::Step {
    enum class Kind { fields, every, indexes, slice, recursive, filter };
    enum class Compare { exists, equal, not_equal, less, less_equal, greater, greater_equal };
    Kind kind{};
    std::vector<std::string> names{};
    std::vector<std::int64_t> indexes{};
    std::optional<std::int64_t> from{}, to{};
    std::int64_t stride = 1;
    Compare compare{};
    /// Either side of a comparison: a path from the item, or a literal.
    struct Operand {
        std::vector<Step> path{};
        bool literal = false;
        api::Json value{};
    };
    std::vector<Operand> operands{};  // one or two, of a filter
};

struct JsonPath::Piece {
    std::string text{};
    std::vector<Step> steps{};
    bool is_path = false;
};

}  // namespace ocim::schema
