#pragma once

#include "openedx/rollout.hpp"

#include <string_view>

/// How often a configuration was tried, and what became of it. Pure.
namespace ocim::openedx {

const api::Condition* condition_of(const crd::AppServer& appserver, std::string_view type);
std::optional<WallTime> time_of(const std::optional<std::string>& text);
/// The number at the end of its name; 0 for a name of another form.
std::int32_t number_of(const crd::AppServer& appserver);
WallTime failed_at(const crd::AppServer& appserver, WallTime otherwise);

bool is_rejected(const Attempts& attempts, const crd::AppServer& appserver);

/// What was remembered, and what failed since. `mine` are those that rollouts made, newest first.
Attempts counted(const crd::Instance& instance, const std::vector<crd::AppServer>& mine, const Wanted& wanted,
                 WallTime now);

/// When the next attempt is due: later and later.
std::optional<WallTime> next_attempt(const Attempts& attempts);

}  // namespace ocim::openedx
