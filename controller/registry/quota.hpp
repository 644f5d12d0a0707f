#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// ResourceQuota by object count.
namespace ocim::registry {

std::vector<api::Cause> validate_quota(const api::Json& quota);

/// How a quota may name a kind: "count/instances.ocim.opencraft.com", and "secrets" beside "count/secrets".
std::vector<std::string> quota_names(const std::string& group, const std::string& plural);
/// The kind that such a name counts (group and plural); nothing for a name that counts nothing here.
std::optional<std::pair<std::string, std::string>> counted_by(const std::string& name);

/// A quantity that is a whole number, such as "10" or "2k"; nothing for any other.
std::optional<std::int64_t> whole_quantity(std::string_view text);

/// spec.hard, as far as it is whole numbers.
std::map<std::string, std::int64_t> hard_of(const api::Json& quota);

}  // namespace ocim::registry
