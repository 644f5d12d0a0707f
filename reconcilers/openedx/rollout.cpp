#include "openedx/rollout.hpp"

#include "openedx/rollout_attempts.hpp"
#include "runtime/backend_spec.hpp"

#include <algorithm>
#include <utility>

namespace ocim::openedx {
namespace {

using crd::AppServer;
using Phase = AppServer::Status::Phase;
using Rollout = crd::Instance::Spec::Rollout;

/// Those that a rollout made, newest first.
std::vector<AppServer> automatic(const std::vector<AppServer>& all) {
    std::vector<AppServer> out;
    for (const auto& appserver : all)
        if (appserver.spec.configuration_hash && !appserver.metadata.deleting()) out.push_back(appserver);
    std::ranges::sort(out, [](const auto& a, const auto& b) { return number_of(a) > number_of(b); });
    return out;
}

std::optional<WallTime> after(std::optional<WallTime> since, const std::string& duration) {
    const auto length = runtime::parse_duration(duration);
    if (!since || !length) return std::nullopt;
    return *since + *length;
}

bool has_served(const AppServer& appserver) { return appserver.status.activated_at || appserver.status.deactivated_at; }

std::string joined(const std::vector<const AppServer*>& appservers) {
    std::string out;
    for (const auto* item : appservers) out += (out.empty() ? "" : ", ") + item->metadata.name;
    return out;
}

std::string words_of(const AppServer& appserver) {
    const auto* healthy = condition_of(appserver, "Healthy");
    return appserver.metadata.name + ": " + (healthy && !healthy->message.empty() ? healthy->message : "not yet");
}

/// Sorts AppServers into those that stay and those that go, and says which of them serve.
class Planner {
public:
    Planner(const crd::Instance& instance, const std::vector<AppServer>& all, const std::vector<AppServer>& mine,
            const Wanted& wanted, WallTime now)
        : instance_(instance), rollout_(instance.spec.rollout), all_(all), mine_(mine), wanted_(wanted), now_(now) {
        plan_.made = instance.status.app_servers_made.value_or(0);
        for (const auto& appserver : all) plan_.made = std::max(plan_.made, number_of(appserver));
        plan_.attempts = counted(instance, mine, wanted, now);
    }

    Plan make() {
        choose_crew();
        judge();
        for (const auto& appserver : mine_) sort(appserver);
        drain();
        if (switched_) plan_.attempts.failures = plan_.attempts.attempts = 0;
        make_more();
        tell();
        return std::move(plan_);
    }

private:
    bool is_wanted(const AppServer& appserver) const { return *appserver.spec.configuration_hash == wanted_.hash; }
    bool rejected(const AppServer& appserver) const { return is_rejected(plan_.attempts, appserver); }
    bool in_crew(const AppServer& appserver) const { return std::ranges::find(crew_, &appserver) != crew_.end(); }
    static bool serves(const AppServer& item) { return item.spec.active && in_rotation(item) && can_serve(item); }

    /// Those that are to serve: of the wanted configuration first those that do already, then the newest.
    void choose_crew() {
        for (const bool active : {true, false})
            for (const auto& appserver : mine_)
                if (appserver.spec.active == active && is_wanted(appserver) && can_serve(appserver) &&
                    !rejected(appserver))
                    crew_.push_back(&appserver);
        const auto replicas = static_cast<std::size_t>(rollout_.replicas);
        if (crew_.size() > replicas) crew_.resize(replicas);
        complete_ = crew_.size() == replicas;
    }

    void judge() {
        const bool held = rollout_.activation == Rollout::Activation::manual;
        served_ = std::ranges::any_of(all_, [](const auto& item) { return serves(item); });
        others_ = std::ranges::any_of(mine_, [this](const auto& item) { return serves(item) && !in_crew(item); });
        const auto passes = [](const AppServer* item) { return checked(*item) == Checked::passed; };
        const auto ready = [&](const AppServer* item) { return item->spec.active || passes(item); };
        const bool together = complete_ && std::ranges::all_of(crew_, ready);
        for (const auto* item : crew_) {
            bool active = item->spec.active;
            if (!held) active = others_ ? together : active || !served_ || passes(item);
            if (active)
                active_.push_back(item);
            else
                plan_.candidates.push_back(item->metadata.name);
        }
        switched_ = complete_ && std::ranges::all_of(crew_, [&](const AppServer* item) {
                        return serves(*item) && passes(item) && item->spec.active;
                    });
        if (!switched_ || !others_) return;
        for (const auto* item : crew_)
            if (const auto end = after(time_of(item->status.activated_at), rollout_.verify_for))
                switched_ = lies_behind(*end) && switched_;
    }

    void sort(const AppServer& appserver) {
        const bool crew = in_crew(appserver);
        const bool wanted_active = std::ranges::find(active_, &appserver) != active_.end();
        const bool outgoing = !crew && appserver.spec.active && !rejected(appserver);
        PlannedAppServer planned{appserver.metadata.name, *appserver.spec.configuration_hash,
                                 wanted_active || (outgoing && !switched_)};
        if (planned.active || crew || stays(appserver)) plan_.appservers.push_back(std::move(planned));
    }

    bool stays(const AppServer& appserver) {
        if (appserver.spec.active && can_serve(appserver)) return true;  // it leaves visitors first
        const auto end = drains_until(appserver, drain_time(instance_), now_);
        const bool drains = end && !lies_behind(*end);
        if (rejected(appserver) || progress(appserver) == Progress::failed)
            return stays_to_be_looked_at(appserver) || drains;
        if (progress(appserver) == Progress::working) return is_wanted(appserver);
        return stays_as_fallback(appserver) || drains;
    }
    bool stays_to_be_looked_at(const AppServer& appserver) {
        if (std::exchange(failed_seen_, true)) return false;
        const bool last = plan_.attempts.last_failed == appserver.metadata.name;
        const auto when = last ? time_of(plan_.attempts.failed_at) : std::nullopt;
        const auto end = after(failed_at(appserver, when.value_or(now_)), rollout_.retain_failed_for);
        return end && !lies_behind(*end);
    }
    /// Those that served last, until they have been replaced for long enough by what answers.
    bool stays_as_fallback(const AppServer& appserver) {
        if (!can_be_fallback(appserver)) return crew_.empty() && is_newest_idle(appserver);
        if (*appserver.spec.configuration_hash != configuration_before()) return false;
        const auto* latest = latest_active();
        const auto since = latest ? time_of(latest->status.activated_at) : std::nullopt;
        const auto end = after(since, rollout_.keep_fallback_for);
        const auto fails = [](const AppServer* item) { return checked(*item) == Checked::failed; };
        if (end && lies_behind(*end) && std::ranges::none_of(active_, fails)) return false;
        plan_.fallbacks.push_back(appserver.metadata.name);
        return true;
    }
    /// It has served, or it ran before what serves now did.
    bool can_be_fallback(const AppServer& appserver) const {
        if (!can_serve(appserver) || appserver.spec.active || is_wanted(appserver) || rejected(appserver)) return false;
        const auto* latest = latest_active();
        return has_served(appserver) || (latest && number_of(appserver) < number_of(*latest));
    }
    /// Of those that were never shown to anybody.
    bool is_newest_idle(const AppServer& appserver) const {
        return std::ranges::none_of(mine_, [&](const AppServer& item) {
            return can_serve(item) && !item.spec.active && !has_served(item) && number_of(item) > number_of(appserver);
        });
    }
    /// Of those that left last.
    std::string configuration_before() const {
        const auto left = [](const AppServer& item) {
            const std::string now = "9";  // later than any time
            return std::pair(item.status.activated_at ? now : item.status.deactivated_at.value_or(""), number_of(item));
        };
        const AppServer* out = nullptr;
        for (const auto& item : mine_)
            if (can_be_fallback(item) && (!out || left(item) > left(*out))) out = &item;
        return out ? *out->spec.configuration_hash : "";
    }
    const AppServer* latest_active() const {
        const AppServer* out = nullptr;
        for (const auto& item : all_)
            if (serves(item) && (!out || item.status.activated_at > out->status.activated_at)) out = &item;
        return out;
    }

    /// Whoever made them: those that leave, and, where others serve, those that are checked before they do.
    void drain() {
        for (const auto& appserver : all_) {
            if (!can_serve(appserver) || appserver.spec.active) continue;
            if (const auto end = drains_until(appserver, drain_time(instance_), now_); end && !lies_behind(*end))
                plan_.standby.push_back(appserver.metadata.name);
        }
        for (const auto* item : crew_)
            if (const auto* healthy = condition_of(*item, "Healthy"); healthy && checked(*item) == Checked::failed)
                if (const auto since = parse_rfc3339(healthy->last_transition_time))
                    (void)lies_behind(*since + wanted_.patience);
        for (const auto& name : plan_.candidates)
            if (std::ranges::find(plan_.standby, name) == plan_.standby.end()) plan_.standby.push_back(name);
    }

    void make_more() {
        std::size_t working = 0;
        for (const auto& item : mine_) working += is_wanted(item) && progress(item) == Progress::working;
        const auto replicas = static_cast<std::size_t>(rollout_.replicas);
        if (crew_.size() + working >= replicas || (crew_.empty() && working > 0)) return;
        if (plan_.attempts.attempts.value_or(0) >= rollout_.attempts) {
            plan_.given_up = true;
            return;
        }
        if (!wanted_.data_ready) return;
        if (const auto due = next_attempt(plan_.attempts); due && !lies_behind(*due)) {
            plan_.next_attempt_at = due;
            return;
        }
        // a configuration that is broken costs one machine, not as many as there are to be
        const auto count = crew_.empty() ? 1 : replicas - crew_.size() - working;
        for (std::size_t index = 0; index < count; ++index) {
            plan_.fresh.push_back(instance_.metadata.name + "-" + std::to_string(++plan_.made));
            plan_.appservers.push_back({plan_.fresh.back(), wanted_.hash, false});
        }
    }

    void tell() {
        const auto failed =
            plan_.attempts.failures.value_or(0) > 0
                ? "AppServer " + plan_.attempts.last_failed.value_or("") + ": " + plan_.attempts.message.value_or("")
                : std::string();
        const std::string meanwhile = served_ ? "; those that served go on" : "";
        const auto say = [&](const char* reason, std::string message) {
            plan_.stage = {false, reason, std::move(message) + meanwhile};
        };
        if (complete_ && !others_ && active_.size() == crew_.size() &&
            std::ranges::all_of(crew_, [&](const auto* item) { return serves(*item); })) {
            plan_.stage = {true, "RolledOut", joined(crew_) + (crew_.size() == 1 ? " serves" : " serve")};
        } else if (plan_.given_up) {
            say("GaveUp", std::to_string(rollout_.attempts) + " attempts failed, the last one: " + failed);
        } else if (plan_.next_attempt_at) {
            say("Retrying", failed + "; the next attempt is made at " + rfc3339(*plan_.next_attempt_at));
        } else if (!plan_.candidates.empty() && rollout_.activation == Rollout::Activation::manual) {
            say("CandidateWaits", plan_.candidates.front() +
                                      " runs as release candidate; it serves once spec.rollout.activation is "
                                      "Automatic, or its own spec.active is true");
        } else if (!complete_) {
            say(wanted_.data_ready ? "Provisioning" : "WaitingForDatabases",
                "of " + std::to_string(rollout_.replicas) + " AppServers " + std::to_string(crew_.size()) + " run" +
                    (failed.empty() ? "" : "; before, " + failed));
        } else if (!plan_.candidates.empty()) {
            say("Verifying", "the load balancer checks what is to serve, without visitors: " + unchecked());
        } else {
            say("Activating", joined(crew_) + " get visitors; when the load balancer's checks go on passing for " +
                                  rollout_.verify_for + ", the others leave");
        }
    }
    std::string unchecked() const {
        for (const auto* item : crew_)
            if (!item->spec.active && checked(*item) != Checked::passed) return words_of(*item);
        return joined(crew_);
    }

    bool lies_behind(WallTime end) {
        if (now_ >= end) return true;
        plan_.look_again_at = plan_.look_again_at ? std::min(*plan_.look_again_at, end) : end;
        return false;
    }

    const crd::Instance& instance_;
    const Rollout& rollout_;
    const std::vector<AppServer>& all_;
    const std::vector<AppServer>& mine_;
    const Wanted& wanted_;
    WallTime now_;
    Plan plan_;
    std::vector<const AppServer*> crew_, active_;
    bool complete_ = false, switched_ = false, served_ = false, others_ = false, failed_seen_ = false;
};

/// A person decides: everything stays as it is.
Plan keep_all(const crd::Instance& instance, const std::vector<AppServer>& all, const std::vector<AppServer>& mine,
              WallTime now) {
    Plan plan;
    plan.made = instance.status.app_servers_made.value_or(0);
    plan.attempts = instance.status.rollout.value_or(Attempts{});
    for (const auto& appserver : mine)
        plan.appservers.push_back({appserver.metadata.name, *appserver.spec.configuration_hash, appserver.spec.active});
    for (const auto& appserver : all) {
        if (!can_serve(appserver) || appserver.spec.active) continue;
        (has_served(appserver) ? plan.fallbacks : plan.candidates).push_back(appserver.metadata.name);
        const auto end = drains_until(appserver, drain_time(instance), now);
        if (!end || now >= *end) continue;
        plan.standby.push_back(appserver.metadata.name);
        plan.look_again_at = plan.look_again_at ? std::min(*plan.look_again_at, *end) : *end;
    }
    plan.stage = {true, "Manual", "people make AppServers and set their spec.active"};
    return plan;
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

bool in_rotation(const AppServer& appserver) {
    const auto* active = condition_of(appserver, "Active");
    return active && active->status == "True";
}

Checked checked(const AppServer& appserver) {
    const auto* healthy = condition_of(appserver, "Healthy");
    if (!healthy || healthy->status == "Unknown") return Checked::unknown;
    return healthy->status == "True" ? Checked::passed : Checked::failed;
}

Duration drain_time(const crd::Instance& instance) {
    const auto read = runtime::parse_duration(instance.spec.rollout.drain_for);
    return read ? *read : Duration{};
}

std::optional<WallTime> drains_until(const AppServer& appserver, Duration drain_for, WallTime now) {
    if (appserver.spec.active && !appserver.metadata.deleting()) return std::nullopt;
    // it has not been written down yet that it left
    if (appserver.status.activated_at) return now + std::max(drain_for, Duration(1000));
    const auto left = time_of(appserver.status.deactivated_at);
    return left ? std::optional(*left + drain_for) : std::nullopt;
}

Plan plan_rollout(const crd::Instance& instance, const std::vector<AppServer>& all, const Wanted& wanted,
                  WallTime now) {
    const auto mine = automatic(all);
    if (instance.spec.rollout.strategy == Rollout::Strategy::manual) return keep_all(instance, all, mine, now);
    return Planner(instance, all, mine, wanted, now).make();
}

}  // namespace ocim::openedx
