#include "openedx/rollout.hpp"

#include "runtime/backend_spec.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

using crd::AppServer;
using Phase = AppServer::Status::Phase;

const api::Condition* condition(const AppServer& appserver, std::string_view type) {
    for (const auto& item : appserver.status.conditions)
        if (item.type == type) return &item;
    return nullptr;
}

std::string failure_of(const AppServer& appserver) {
    const auto* ready = condition(appserver, "Ready");
    return appserver.metadata.name + ": " + (ready ? ready->message : "failed");
}

/// The number at the end of "<instance>-<number>"; 0 for a name of another form.
std::int32_t number_of(const AppServer& appserver) {
    const auto& name = appserver.metadata.name;
    std::int32_t out = 0;
    for (auto letter : name.substr(name.rfind('-') + 1)) {
        if (letter < '0' || letter > '9' || out > 100'000'000) return 0;
        out = out * 10 + (letter - '0');
    }
    return out;
}

bool in_rotation(const AppServer& appserver) {
    const auto* active = condition(appserver, "Active");
    return active && active->status == "True";
}

/// Those that a rollout made, newest first.
std::vector<AppServer> automatic(const std::vector<AppServer>& all) {
    std::vector<AppServer> out;
    for (const auto& appserver : all)
        if (appserver.spec.configuration_hash && !appserver.metadata.deleting()) out.push_back(appserver);
    std::ranges::sort(out, [](const auto& a, const auto& b) { return number_of(a) > number_of(b); });
    return out;
}

/// A person decides: everything stays as it is.
Plan keep_all(const crd::Instance& instance, const std::vector<AppServer>& mine) {
    Plan plan;
    plan.made = instance.status.app_servers_made.value_or(0);
    for (const auto& appserver : mine)
        plan.appservers.push_back({appserver.metadata.name, *appserver.spec.configuration_hash, appserver.spec.active});
    return plan;
}

/// When the AppServer that `current` replaced is no longer needed to go back to.
std::optional<WallTime> fallback_until(const crd::Instance& instance, const AppServer& current) {
    if (!current.status.activated_at) return std::nullopt;
    const auto since = parse_rfc3339(*current.status.activated_at);
    const auto keep = runtime::parse_duration(instance.spec.rollout.keep_fallback_for);
    if (!since || !keep) return std::nullopt;
    return *since + *keep;
}

}  // namespace

Progress progress(const AppServer& appserver) {
    const auto phase = appserver.status.phase;
    if (phase == Phase::running) return Progress::running;
    if (phase == Phase::configuration_failed || phase == Phase::error) return Progress::failed;
    return Progress::working;
}

bool can_serve(const AppServer& appserver) {
    return progress(appserver) == Progress::running && !appserver.status.addresses.empty() &&
           !appserver.metadata.deleting();
}

Plan plan_rollout(const crd::Instance& instance, const std::vector<AppServer>& all, const std::string& hash,
                  bool data_ready, WallTime now) {
    const auto mine = automatic(all);
    if (instance.spec.rollout.strategy == crd::Instance::Spec::Rollout::Strategy::manual)
        return keep_all(instance, mine);

    Plan plan;
    plan.made = instance.status.app_servers_made.value_or(0);
    for (const auto& appserver : all) plan.made = std::max(plan.made, number_of(appserver));

    // The newest that runs with the wanted configuration serves; until it is in rotation, so do those that served.
    const auto current = std::ranges::find_if(mine, [&](const auto& appserver) {
        return *appserver.spec.configuration_hash == hash && can_serve(appserver);
    });
    const bool switched = current != mine.end() && in_rotation(*current);
    const auto keep_until = switched ? fallback_until(instance, *current) : std::nullopt;
    bool fallback_kept = false;
    std::int32_t failed = 0;
    bool one_working = false;
    for (auto it = mine.begin(); it != mine.end(); ++it) {
        const bool wanted_configuration = *it->spec.configuration_hash == hash;
        const auto state = progress(*it);
        if (wanted_configuration && state == Progress::failed) ++failed;
        if (wanted_configuration && state == Progress::working) one_working = true;
        PlannedAppServer planned{it->metadata.name, *it->spec.configuration_hash, false};
        if (it == current) {
            planned.active = true;
        } else if (!switched && it->spec.active) {
            planned.active = true;
        } else if (switched) {
            const bool newer = it < current;
            const bool fallback =
                !newer && !fallback_kept && state == Progress::running && keep_until && now < *keep_until;
            if (fallback) {
                fallback_kept = true;
                plan.look_again_at = keep_until;
            } else if (!newer) {
                continue;  // replaced: it goes
            }
        } else if (!wanted_configuration && state != Progress::running) {
            continue;  // never served and nobody wants its configuration any more
        }
        plan.appservers.push_back(std::move(planned));
    }
    if (current != mine.end() || one_working) return plan;
    if (failed >= instance.spec.rollout.attempts) {
        const auto last = std::ranges::find_if(mine, [](const auto& a) { return progress(a) == Progress::failed; });
        plan.given_up = failure_of(*last);
        return plan;
    }
    if (!data_ready) return plan;
    ++plan.made;
    plan.appservers.push_back({instance.metadata.name + "-" + std::to_string(plan.made), hash, false});
    return plan;
}

}  // namespace ocim::openedx
