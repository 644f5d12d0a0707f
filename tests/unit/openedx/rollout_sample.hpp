#pragma once

#include "openedx/rollout.hpp"

#include <gtest/gtest.h>

/// AppServers of one Instance "demo" for the tests of rollouts.
namespace ocim::openedx::test {

using crd::AppServer;
using Phase = AppServer::Status::Phase;

inline const WallTime now = *parse_rfc3339("2026-11-22T12:00:00Z");

inline AppServer made(int number, const std::string& hash, std::optional<Phase> phase, bool active = false,
                      bool in_rotation = false) {
    AppServer out;
    out.metadata.name = "demo-" + std::to_string(number);
    out.metadata.namespace_ = "campus";
    out.spec.instance_name = "demo";
    out.spec.configuration_hash = hash;
    out.spec.active = active;
    out.status.phase = phase;
    if (phase == Phase::running) out.status.addresses = {"192.0.2." + std::to_string(number)};
    api::Condition condition;
    condition.type = "Active";
    condition.status = in_rotation ? "True" : "False";
    out.status.conditions.push_back(condition);
    condition.type = "Healthy";
    condition.status = in_rotation ? "True" : "Unknown";
    out.status.conditions.push_back(condition);
    if (in_rotation) out.status.activated_at = "2026-11-22T11:00:00Z";
    if (progress(out) == Progress::failed) {
        api::Condition stalled;
        stalled.type = "Stalled";
        stalled.status = "True";
        stalled.last_transition_time = "2026-11-22T11:58:00Z";
        out.status.conditions.push_back(stalled);
    }
    return out;
}

inline AppServer failed(int number, const std::string& hash, const std::string& at, const std::string& reason) {
    auto out = made(number, hash, Phase::configuration_failed);
    out.status.conditions.back().last_transition_time = at;
    api::Condition configured;
    configured.type = "Configured";
    configured.status = "False";
    configured.reason = reason;
    out.status.conditions.push_back(configured);
    return out;
}

inline crd::Instance instance(std::int32_t count) {
    crd::Instance out;
    out.metadata.name = "demo";
    out.metadata.namespace_ = "campus";
    out.status.app_servers_made = count;
    return out;
}

using Planned = std::vector<PlannedAppServer>;
using Names = std::vector<std::string>;

/// What the load balancer's checks say.
inline AppServer checked_as(AppServer out, const std::string& status,
                            const std::string& since = "2026-11-22T11:59:30Z") {
    for (auto& condition : out.status.conditions) {
        if (condition.type != "Healthy") continue;
        condition.status = status;
        condition.last_transition_time = since;
        if (status == "False") condition.message = "the load balancer's check fails: L7STS/503";
    }
    return out;
}
inline AppServer activated(AppServer out, const std::string& when) {
    out.status.activated_at = when;
    return out;
}
/// It served, and was left at that time.
inline AppServer left(AppServer out, const std::string& when) {
    out.status.activated_at.reset();
    out.status.deactivated_at = when;
    return out;
}
inline Wanted wanted(const std::string& hash, bool data_ready = true) {
    return {hash, data_ready, std::chrono::minutes(5)};
}

}  // namespace ocim::openedx::test
