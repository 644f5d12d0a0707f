#pragma once

#include "api/object.hpp"
#include "base/clock.hpp"

#include <string_view>
#include <vector>

/// What a status says about its object, by the conventions of Kubernetes.
namespace ocim::api {

/// The condition of that type, or null.
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);
/// True when the condition is there and its status is "True".
bool is_true(const std::vector<Condition>& conditions, std::string_view type);
/// Sets or adds the condition of wanted.type. lastTransitionTime becomes `now` only when status changes; what
/// `wanted` says of it is ignored. True when anything changed.
bool set_condition(std::vector<Condition>& conditions, Condition wanted, WallTime now);
/// True when there was one.
bool remove_condition(std::vector<Condition>& conditions, std::string_view type);

}  // namespace ocim::api
