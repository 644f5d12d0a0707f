#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "monitoring/watch.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

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

/// What was scraped last of `selector`, as long as it is one of the last two scrapes. By itself Prometheus looks back 5
/// minutes, and between the scrapes of a longer interval it would find nothing. In the spelling of Prometheus' API.
std::string last_scraped(const std::string& selector, std::int64_t interval_seconds);
/// The question whose answer findings() reads; empty when the files name nothing to ask for.
std::string query(const std::string& installation, const Snapshot& files);
/// From /api/v1/query, by Monitor and probe_name(). `now` is told by the minute, because each finding that differs is a
/// write of a status.
using Findings = std::map<std::pair<Key, std::string>, Outcome>;
Result<Findings> findings(std::string_view reply, WallTime now);

}  // namespace ocim::monitoring::prometheus
