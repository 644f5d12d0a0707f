#include "openedx/rollout.hpp"

#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <utility>

namespace ocim::openedx {
namespace {

using namespace std::chrono_literals;
using crd::AppServer;
using Phase = AppServer::Status::Phase;

constexpr Duration retry_min = 30s, retry_max = 30min;  // between attempts: a machine each, so not in a hurry
constexpr auto reconcile_at = "ocim.opencraft.com/reconcile-at";

const api::Condition* condition(const AppServer& appserver, std::string_view type) {
    for (const auto& item : appserver.status.conditions)
        if (item.type == type) return &item;
    return nullptr;
}

/// The number at the end of "<instance>-<number>"; 0 for a name of another form.
std::int32_t number_in(const std::string& name) {
    std::int32_t out = 0;
    for (auto letter : name.substr(name.rfind('-') + 1)) {
        if (letter < '0' || letter > '9' || out > 100'000'000) return 0;
        out = out * 10 + (letter - '0');
    }
    return out;
}
std::int32_t number_of(const AppServer& appserver) { return number_in(appserver.metadata.name); }

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
    plan.attempts = instance.status.rollout.value_or(Attempts{});
    for (const auto& appserver : mine)
        plan.appservers.push_back({appserver.metadata.name, *appserver.spec.configuration_hash, appserver.spec.active});
    return plan;
}

std::optional<WallTime> time_of(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    const auto time = parse_rfc3339(*text);
    return time ? std::optional(*time) : std::nullopt;
}

WallTime failed_at(const AppServer& appserver, WallTime otherwise) {
    const auto* stalled = condition(appserver, "Stalled");
    return time_of(stalled ? stalled->last_transition_time : "").value_or(otherwise);
}

std::optional<WallTime> until(std::optional<WallTime> since, const std::string& duration) {
    const auto length = runtime::parse_duration(duration);
    if (!since || !length) return std::nullopt;
    return *since + *length;
}

/// What was remembered, and what failed since.
Attempts counted(const crd::Instance& instance, const std::vector<AppServer>& mine, const std::string& hash,
                 WallTime now) {
    auto out = instance.status.rollout.value_or(Attempts{});
    if (out.configuration_hash != hash) {
        out = {};
        out.configuration_hash = hash;
    }
    for (auto it = mine.rbegin(); it != mine.rend(); ++it) {
        if (*it->spec.configuration_hash != hash || progress(*it) != Progress::failed) continue;
        if (number_of(*it) <= number_in(out.last_failed.value_or(""))) continue;
        const auto* configured = condition(*it, "Configured");
        out.failures = out.failures.value_or(0) + 1;
        const bool unreached =
            configured && (configured->reason == fetch_failed || configured->reason == download_failed);
        if (!unreached) out.attempts = out.attempts.value_or(0) + 1;
        out.last_failed = it->metadata.name;
        out.failed_at = rfc3339(failed_at(*it, now));
        const auto* ready = condition(*it, "Ready");
        out.message = ready && !ready->message.empty() ? ready->message : "failed";
    }
    // a person asks for another try
    const auto asked = instance.metadata.annotations.find(reconcile_at);
    const auto failed = time_of(out.failed_at);
    if (asked != instance.metadata.annotations.end() && failed)
        if (const auto when = parse_rfc3339(asked->second); when && *when > *failed) out.failures = out.attempts = 0;
    return out;
}

/// When the next attempt is due: later and later.
std::optional<WallTime> next_attempt(const Attempts& attempts) {
    const auto failures = attempts.failures.value_or(0);
    const auto since = time_of(attempts.failed_at);
    if (failures == 0 || !since) return std::nullopt;
    return *since + std::min(retry_min * (std::int64_t{1} << std::min(failures - 1, 10)), retry_max);
}

/// Sorts AppServers into those that stay and those that go.
class Planner {
public:
    Planner(const crd::Instance& instance, const std::vector<AppServer>& mine, const std::string& hash, WallTime now)
        : rollout_(instance.spec.rollout), mine_(mine), hash_(hash), now_(now) {
        // The newest that runs with the wanted configuration serves; until it is in rotation, so do those that served.
        const bool held = rollout_.activation == crd::Instance::Spec::Rollout::Activation::manual;
        for (const auto& appserver : mine) {
            if (current_ || !wanted(appserver) || !can_serve(appserver)) continue;
            if (held && !appserver.spec.active)
                candidate_ = true;  // waits for a person
            else
                current_ = &appserver;
        }
        switched_ = current_ && in_rotation(*current_);
        if (switched_) fallback_until_ = until(time_of(current_->status.activated_at), rollout_.keep_fallback_for);
    }

    void fill(Plan& plan) {
        for (const auto& appserver : mine_) {
            PlannedAppServer planned{appserver.metadata.name, *appserver.spec.configuration_hash, false};
            planned.active = &appserver == current_ || (!switched_ && appserver.spec.active);
            if (planned.active || stays(appserver)) plan.appservers.push_back(std::move(planned));
        }
        plan.look_again_at = look_again_at_;
    }
    bool switched() const { return switched_; }
    bool waits() const {
        return current_ || candidate_ || std::ranges::any_of(mine_, [&](const auto& appserver) {
                   return wanted(appserver) && progress(appserver) == Progress::working;
               });
    }

private:
    bool wanted(const AppServer& appserver) const { return *appserver.spec.configuration_hash == hash_; }
    bool stays(const AppServer& appserver) {
        switch (progress(appserver)) {
            case Progress::working: return wanted(appserver);
            case Progress::failed: {
                const bool newest = !std::exchange(failed_seen_, true);
                return newest && lasts(until(failed_at(appserver, now_), rollout_.retain_failed_for));
            }
            case Progress::running:
                if (!switched_) return true;
                return !std::exchange(fallback_seen_, true) && lasts(fallback_until_);
        }
        return true;
    }
    bool lasts(std::optional<WallTime> end) {
        if (!end || now_ >= *end) return false;
        look_again_at_ = look_again_at_ ? std::min(*look_again_at_, *end) : *end;
        return true;
    }

    const crd::Instance::Spec::Rollout& rollout_;
    const std::vector<AppServer>& mine_;
    const std::string& hash_;
    WallTime now_;
    const AppServer* current_ = nullptr;
    bool switched_ = false, candidate_ = false, fallback_seen_ = false, failed_seen_ = false;
    std::optional<WallTime> fallback_until_, look_again_at_;
};

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
    plan.attempts = counted(instance, mine, hash, now);
    Planner planner(instance, mine, hash, now);
    planner.fill(plan);
    if (planner.switched()) plan.attempts.failures = plan.attempts.attempts = 0;
    if (planner.waits()) return plan;
    if (plan.attempts.attempts.value_or(0) >= instance.spec.rollout.attempts) {
        plan.given_up = true;
        return plan;
    }
    if (!data_ready) return plan;
    if (const auto due = next_attempt(plan.attempts); due && now < *due) {
        plan.next_attempt_at = due;
        plan.look_again_at = plan.look_again_at ? std::min(*plan.look_again_at, *due) : *due;
        return plan;
    }
    ++plan.made;
    plan.appservers.push_back({instance.metadata.name + "-" + std::to_string(plan.made), hash, false});
    return plan;
}

}  // namespace ocim::openedx
