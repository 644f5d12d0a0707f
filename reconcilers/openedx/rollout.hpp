#pragma once

#include "base/clock.hpp"
#include "crd/appservers.hpp"
#include "crd/instances.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Which AppServers an Instance should have, and which of them serve. Pure.
namespace ocim::openedx {

/// Reasons of an AppServer's condition Configured that say nothing of its configuration: something was not reached.
/// Such a failure uses up no attempt.
constexpr auto fetch_failed = "FetchFailed", download_failed = "DownloadFailed";

/// What an AppServer has come to.
enum class Progress { working, running, failed };
Progress progress(const crd::AppServer& appserver);
/// Running, with an address, and not on its way out.
bool can_serve(const crd::AppServer& appserver);

/// One AppServer that should exist.
struct PlannedAppServer {
    std::string name, configuration_hash;
    bool active = false;
    bool operator==(const PlannedAppServer&) const = default;
};

/// What is remembered of the attempts at one configuration, because AppServers that failed do not stay.
using Attempts = std::decay_t<decltype(*crd::Instance::Status{}.rollout)>;

struct Plan {
    std::vector<PlannedAppServer> appservers;
    /// AppServers ever made, to be stored before a new one is applied.
    std::int32_t made = 0;
    /// To be stored before an AppServer that failed is taken away.
    Attempts attempts;
    /// Every attempt at this configuration failed.
    bool given_up = false;
    /// When the next attempt is made, where one failed.
    std::optional<WallTime> next_attempt_at;
    /// When something of this changes of its own accord.
    std::optional<WallTime> look_again_at;
};

/// `all` are the Instance's AppServers; those that a person made (without a configurationHash) are left alone.
/// `data_ready`: databases and broker are there, so that a new AppServer can be provisioned.
Plan plan_rollout(const crd::Instance& instance, const std::vector<crd::AppServer>& all, const std::string& hash,
                  bool data_ready, WallTime now);

}  // namespace ocim::openedx
