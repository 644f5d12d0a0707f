#include "cli/standing.hpp"

#include "schema/column.hpp"

#include <algorithm>
#include <array>

namespace ocim::cli {

namespace {

using api::Json;

constexpr std::array<std::string_view, 5> calls{"Created", "Updated", "Deleted", "Acted", "ActionFailed"};
constexpr std::int64_t retry_seconds_max = 300;  // runtime::Manager::Settings::retry_max
constexpr std::chrono::minutes patience{10};

const Json* condition(const Json& object, std::string_view type) {
    const auto* all = api::find(object, {"status", "conditions"});
    if (!all || !all->is_array()) return nullptr;
    for (const auto& one : all->get_array())
        if (api::find_text(one, {"type"}) == type) return &one;
    return nullptr;
}

bool holds(const Json& object, std::string_view type) {
    const auto* found = condition(object, type);
    return found && api::find_text(*found, {"status"}) == "True";
}

std::optional<WallTime> time_at(const Json& object, std::initializer_list<std::string_view> path) {
    const auto read = parse_rfc3339(api::find_text(object, path));
    return read ? std::optional(*read) : std::nullopt;
}

struct Advice {
    std::string_view reason, advice;
};
/// Of what is stalled, or is tried again and again without anything to come of it.
constexpr Advice advices[] = {
    {"NotOwned",
     "whoever owns what is there already: free the name, or let it be taken over (spec.adoptionPolicy: Adopt)"},
    {"Claimed", "whoever declared this: another object had the name first; choose another, or delete that one"},
    {"InvalidObject", "whoever declared this: correct its spec"},
    {"Refused", "whoever declared this: the backend refuses it as it is; correct its spec"},
    {"ChildRefused", "whoever declared this: correct what the server refuses"},
    {"NamespaceNotAllowed", "whoever runs the backend: spec.allowedNamespaces leaves this namespace out"},
    {"Drifted", "a person: decide which is right; spec.driftPolicy of the backend says that drift is only reported"},
    {"AuthenticationFailed", "whoever declared this: the repository refuses us; correct the Secret of credentialsRef"},
    {"NotFound",
     "whoever declared this: correct what the repository does not have (repository, branch, tag, commit, path)"},
    {"InvalidRepository", "whoever runs the repository, or whoever declared this: correct what it says above"},
    {"SecretNotFound", "whoever declared this: make the Secret that it names, or name another"},
    {"Differs", "nobody, as it is only observed (spec.managementPolicy: Observe)"},
};

}  // namespace

Standing standing_of(const Json& object) {
    Standing out;
    const auto* ready = condition(object, "Ready");
    out.paused = holds(object, "Paused");
    out.stalled = holds(object, "Stalled");
    if (!ready) {
        // what was never looked at has no conditions, and neither have kinds that are none of ours
        out.ready = !api::find_text(object, {"apiVersion"}).starts_with("ocim.opencraft.com/");
        if (!out.ready) out.reason = "NotLookedAtYet";
        if (!out.ready) out.message = "No controller has said anything of it yet.";
        out.since = time_at(object, {"metadata", "creationTimestamp"});
        return out;
    }
    out.ready = api::find_text(*ready, {"status"}) == "True" && !out.stalled;
    out.reason = api::find_text(*ready, {"reason"});
    out.message = api::find_text(*ready, {"message"});
    out.since = time_at(*ready, {"lastTransitionTime"});
    return out;
}

bool is_overdue(const Standing& standing, WallTime now) {
    return !standing.ready && !standing.paused && standing.since && now - *standing.since > patience;
}

std::optional<LastCall> last_call(const Json& events, std::string_view uid) {
    std::optional<LastCall> out;
    const auto* items = api::find(events, {"items"});
    if (!items || !items->is_array()) return out;
    for (const auto& event : items->get_array()) {
        const auto reason = api::find_text(event, {"reason"});
        if (api::find_text(event, {"involvedObject", "uid"}) != uid || std::ranges::find(calls, reason) == calls.end())
            continue;
        auto at = time_at(event, {"series", "lastObservedTime"});
        if (!at) at = time_at(event, {"eventTime"});
        if (!at) at = time_at(event, {"lastTimestamp"});
        if (!at || (out && out->at >= *at)) continue;
        const auto* count = api::find(event, {"series", "count"});
        out = LastCall{*at, reason == "ActionFailed", std::string(api::find_text(event, {"message"})),
                       count && count->is_int64() ? count->get_int64() : 1};
    }
    return out;
}

std::string next_try(const Standing& standing, const std::optional<LastCall>& last, bool waits, WallTime now) {
    if (standing.paused) return "none while it is paused";
    if (standing.stalled) return "none until its spec, what it refers to, or what is there changes";
    if (standing.reason.starts_with("Backend")) return "as soon as the backend answers: it is asked every few seconds";
    if (standing.reason == "NotLookedAtYet") return "when a controller runs";
    if (last && last->failed && (standing.reason == "ProgressingWithRetry" || standing.reason == "RateLimited")) {
        // 1 s, 2 s, 4 s, …: what is told is the latest that it can be
        const auto doublings = std::min<std::int64_t>(last->times, 9);
        const auto pause = std::min(retry_seconds_max, std::int64_t{1} << doublings);
        const auto at = last->at + std::chrono::seconds(pause);
        return at <= now ? "at any moment" : "within " + schema::age(now, at) + ", by itself";
    }
    if (waits) return "as soon as what it waits on changes";
    return "by itself, as it goes on";
}

std::string who_must_act(const Standing& standing, bool waits, const std::string& backend, const std::string& name,
                         WallTime now) {
    if (standing.paused) return "whoever paused it: ocim resume " + name;
    for (const auto& [reason, advice] : advices)
        if (standing.reason == reason) return std::string(advice);
    if (standing.stalled) return waits ? "see what it waits on" : "a person: what it says above names the next step";
    if (standing.reason.starts_with("Backend"))
        return "whoever runs " + (backend.empty() ? std::string("it") : backend);
    if (standing.reason == "NotLookedAtYet") return "whoever runs ocim: \"ocim doctor\" says whether controllers run";
    if (waits) return "nobody here: see what it waits on";
    if (is_overdue(standing, now)) return "a person, as it takes too long: see what it says above, and its last call";
    return "nobody: it goes on by itself";
}

}  // namespace ocim::cli
