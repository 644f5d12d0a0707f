#pragma once

#include "monitoring/watch.hpp"
#include "net/http_client.hpp"
#include "runtime/kinds.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ocim::monitoring::newrelic {

/// How long New Relic's list of entities may take to show what was done to them.
inline constexpr Duration index_delay_max = std::chrono::minutes(5);

struct Settings {
    std::int64_t account = 0;
    std::string service{};            ///< the MonitoringService's name
    std::string target = "/graphql";  ///< of NerdGraph, below the client's base URL
    Secret api_key{};
};

/// Ping monitors of one account at New Relic, by NerdGraph. Marks are tags.
///
/// New Relic's list of entities shows what was done to them seconds to minutes later. What this System itself did
/// stands in for it until the list shows it, for index_delay_max at most; and one of ours that the list no longer shows
/// is asked for by its GUID before it counts as gone. What an earlier System did the runtime waits for.
std::unique_ptr<Watch> open(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                            Settings settings);

/// How NerdGraph spells a period; "" when it has no such.
std::string_view period_word(std::int64_t minutes);
/// What a monitor's name ends in whose failures are told of by that AlertGroup: conditions find it by that.
std::string alert_word(const std::string& group);

}  // namespace ocim::monitoring::newrelic
