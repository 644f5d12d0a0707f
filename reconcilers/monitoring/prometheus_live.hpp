#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "monitoring/watch.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>

/// What Prometheus says about itself and what it found. Pure.
namespace ocim::monitoring::prometheus {

/// Whether a reply of its API says that it succeeded. Error: unreachable.
Result<void> is_success(std::string_view reply);

/// Rules that are in force, by the Monitor whose mark they carry.
using RulesInForce = std::multimap<Key, Rule>;
/// Those of the file of that name, wherever it is, from GET /api/v1/rules?type=alert. Error: unreachable, when it is
/// no such answer.
Result<RulesInForce> rules_in_force(std::string_view reply, std::string_view file);
/// Whether it is there once, and no other one of that Monitor.
bool in_force(const RulesInForce& rules, const Key& key, const std::optional<Rule>& rule);

/// From GET /api/v1/targets?state=active: how many there are of each group, by its label entry_label.
Result<std::map<std::string, std::size_t>> targets_in_force(std::string_view reply);

/// The question whose answer findings() reads.
std::string query(const std::string& installation);
/// From GET /api/v1/query. `now` is told by the minute, because each finding that differs is a write of a status.
Result<std::map<Key, Outcome>> findings(std::string_view reply, WallTime now);

}  // namespace ocim::monitoring::prometheus
