#pragma once

#include "api/json.hpp"

#include <string>
#include <vector>

namespace ocim::cli {

/// One field that is other than it was; "" where it was or is not there.
struct FieldChange {
    std::string path, before, after;
    bool operator==(const FieldChange&) const = default;
};
/// What a person calls the change of an object: without its status and what the server keeps for itself. What a Secret
/// holds is "(hidden)".
std::vector<FieldChange> differences(const api::Json& before, const api::Json& after);

}  // namespace ocim::cli
