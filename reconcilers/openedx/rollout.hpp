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
/// The load balancer sends visitors there.
bool in_rotation(const crd::AppServer& appserver);

/// What the load balancer's own checks say of it: its condition Healthy.
enum class Checked { unknown, passed, failed };
Checked checked(const crd::AppServer& appserver);

/// How long visitors who were connected to what leaves are given.
Duration drain_time(const crd::Instance& instance);
/// Until when that lasts; nothing for what was never left, or is not active any more in the moment of `now`.
std::optional<WallTime> drains_until(const crd::AppServer& appserver, Duration drain_for, WallTime now);

/// One AppServer that should exist.
struct PlannedAppServer {
    std::string name, configuration_hash;
    bool active = false;
    bool operator==(const PlannedAppServer&) const = default;
};

/// What is remembered of the attempts at one configuration, because AppServers that failed do not stay.
using Attempts = std::decay_t<decltype(*crd::Instance::Status{}.rollout)>;

/// How far a rollout is, for the condition RolledOut.
struct Stage {
    bool done = false;
    std::string reason, message;
    bool operator==(const Stage&) const = default;
};

struct Plan {
    std::vector<PlannedAppServer> appservers;
    /// Names of those in `appservers` that do not exist yet.
    std::vector<std::string> fresh;
    /// Behind the load balancer without visitors: what is checked before it serves, and what is left by them.
    std::vector<std::string> standby;
    /// What runs with the wanted configuration and does not serve; what served before, to go back to.
    std::vector<std::string> candidates, fallbacks;
    /// AppServers ever made, to be stored before a new one is applied.
    std::int32_t made = 0;
    /// To be stored before an AppServer that failed is taken away.
    Attempts attempts;
    /// Every attempt at this configuration failed.
    bool given_up = false;
    Stage stage;
    /// When the next attempt is made, where one failed.
    std::optional<WallTime> next_attempt_at;
    /// When something of this changes of its own accord.
    std::optional<WallTime> look_again_at;
};

/// What a plan is made for.
struct Wanted {
    std::string hash;            ///< of the configuration
    bool data_ready = false;     ///< databases and broker are there, so that a new AppServer can be provisioned
    Duration patience{300'000};  ///< how long a server may fail the load balancer's checks before it is given up
};

/// `all` are the Instance's AppServers; those that a person made (without a configurationHash) are left alone.
Plan plan_rollout(const crd::Instance& instance, const std::vector<crd::AppServer>& all, const Wanted& wanted,
                  WallTime now);

}  // namespace ocim::openedx
