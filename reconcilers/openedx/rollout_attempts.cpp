#include "openedx/rollout_attempts.hpp"

#include <algorithm>
#include <utility>

namespace ocim::openedx {
namespace {

using namespace std::chrono_literals;
using crd::AppServer;

constexpr Duration retry_min = 30s, retry_max = 30min;  // between attempts: a machine each, so not in a hurry
constexpr auto reconcile_at = "ocim.opencraft.com/reconcile-at";
constexpr std::size_t remembered_max = 32;

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

void remember(std::vector<std::string>& names, const std::string& name) {
    names.push_back(name);
    if (names.size() > remembered_max) names.erase(names.begin());
}

void note(Attempts& out, const AppServer& appserver, WallTime when, std::string message) {
    out.last_failed = appserver.metadata.name;
    out.failed_at = rfc3339(when);
    out.message = std::move(message);
}

void count(Attempts& out, bool attempt) {
    out.failures = out.failures.value_or(0) + 1;
    if (attempt) out.attempts = out.attempts.value_or(0) + 1;
}

/// Others serve visitors, with another configuration: what does not answer as it should need not.
bool others_serve(const std::vector<AppServer>& mine, const std::string& hash) {
    return std::ranges::any_of(mine, [&](const AppServer& item) {
        return *item.spec.configuration_hash != hash && item.spec.active && in_rotation(item);
    });
}

/// Why an AppServer that runs is not what visitors should get; "" when it may be.
std::string rejection(const AppServer& appserver, bool others, const Wanted& wanted, WallTime now) {
    if (checked(appserver) != Checked::failed) return "";
    const auto* healthy = condition_of(appserver, "Healthy");
    if (appserver.spec.active && in_rotation(appserver) && others)
        return "it was put in rotation and failed there, so the others go on alone: " + healthy->message;
    const auto since = parse_rfc3339(healthy->last_transition_time);
    if (appserver.spec.active || !since || now < *since + wanted.patience) return "";
    return "it runs, but the load balancer got no proper answer from it: " + healthy->message;
}

}  // namespace

const api::Condition* condition_of(const AppServer& appserver, std::string_view type) {
    for (const auto& item : appserver.status.conditions)
        if (item.type == type) return &item;
    return nullptr;
}

std::optional<WallTime> time_of(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    const auto time = parse_rfc3339(*text);
    return time ? std::optional(*time) : std::nullopt;
}

std::int32_t number_of(const AppServer& appserver) {
    const auto& name = appserver.metadata.name;
    std::int32_t out = 0;
    for (auto letter : name.substr(name.rfind('-') + 1)) {
        if (letter < '0' || letter > '9' || out > 100'000'000) return 0;
        out = out * 10 + (letter - '0');
    }
    return out;
}

WallTime failed_at(const AppServer& appserver, WallTime otherwise) {
    const auto* stalled = condition_of(appserver, "Stalled");
    if (!stalled || stalled->status != "True") return otherwise;
    return time_of(stalled->last_transition_time).value_or(otherwise);
}

bool is_rejected(const Attempts& attempts, const AppServer& appserver) {
    return contains(attempts.rejected, appserver.metadata.name);
}

Attempts counted(const crd::Instance& instance, const std::vector<AppServer>& mine, const Wanted& wanted,
                 WallTime now) {
    auto out = instance.status.rollout.value_or(Attempts{});
    if (out.configuration_hash != wanted.hash) {
        out = {};
        out.configuration_hash = wanted.hash;
    }
    const bool others = others_serve(mine, wanted.hash);
    for (auto it = mine.rbegin(); it != mine.rend(); ++it) {
        const auto& name = it->metadata.name;
        if (*it->spec.configuration_hash != wanted.hash || contains(out.rejected, name)) continue;
        if (progress(*it) == Progress::failed) {
            if (out.last_failed == name || contains(out.counted, name)) continue;
            const auto* configured = condition_of(*it, "Configured");
            const bool unreached =
                configured && (configured->reason == fetch_failed || configured->reason == download_failed);
            const auto* ready = condition_of(*it, "Ready");
            remember(out.counted, name);
            note(out, *it, failed_at(*it, now), ready && !ready->message.empty() ? ready->message : "failed");
            count(out, !unreached);
        } else if (can_serve(*it)) {
            auto why = rejection(*it, others, wanted, now);
            if (why.empty()) continue;
            remember(out.rejected, name);
            note(out, *it, now, std::move(why));
            // the further try that a person asked for is a new one
            if (!contains(out.counted, name)) count(out, true);
        }
    }
    // a person asks for another try
    const auto asked = instance.metadata.annotations.find(reconcile_at);
    const auto failed = time_of(out.failed_at);
    if (asked != instance.metadata.annotations.end() && failed)
        if (const auto when = parse_rfc3339(asked->second); when && *when > *failed) {
            out.failures = out.attempts = 0;
            for (const auto& name : std::exchange(out.rejected, {})) remember(out.counted, name);
        }
    return out;
}

std::optional<WallTime> next_attempt(const Attempts& attempts) {
    const auto failures = attempts.failures.value_or(0);
    const auto since = time_of(attempts.failed_at);
    if (failures == 0 || !since) return std::nullopt;
    return *since + std::min(retry_min * (std::int64_t{1} << std::min(failures - 1, 10)), retry_max);
}

}  // namespace ocim::openedx
