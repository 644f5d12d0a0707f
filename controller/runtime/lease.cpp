#include "runtime/lease.hpp"

#include "base/async.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace ocim::runtime {

namespace {

using api::Json;

std::string holder_of(const Json& lease) { return std::string(api::find_text(lease, {"spec", "holderIdentity"})); }

}  // namespace

Instant Lease::deadline() const {
    const auto renewed = renewed_.load();
    return renewed == 0 ? Instant::min() : Instant(Instant::duration(renewed)) + settings_.renew_deadline;
}

bool Lease::may_act() const { return clock_.now() < deadline(); }

/// What a former holder told is not true any more.
void Lease::tell(api::json::object& metadata) const {
    const auto wanted = settings_.tells ? settings_.tells() : std::map<std::string, std::string>();
    auto* had = metadata.if_contains("annotations");
    if (wanted.empty() && !(had && had->is_object())) return;
    auto& annotations = had && had->is_object() ? had->get_object() : metadata["annotations"].emplace_object();
    api::json::object out;
    for (const auto& [key, value] : annotations)
        if (!std::string_view(key).starts_with(told_prefix)) out[key] = value;
    for (const auto& [key, value] : wanted) out[key] = value;
    annotations = std::move(out);
}

Json Lease::record(const Json* found) const {
    const auto now = rfc3339_micro(clock_.wall());
    Json out =
        found ? *found
              : Json(api::json::object{{"apiVersion", api::lease_kind.api_version()}, {"kind", api::lease_kind.name}});
    auto& metadata = api::make_object(out, {"metadata"});
    metadata["namespace"] = settings_.namespace_;
    metadata["name"] = settings_.name;
    tell(metadata);
    auto& spec = api::make_object(out, {"spec"});
    const bool ours = found && holder_of(*found) == settings_.identity;
    const auto* turns = found ? api::find(*found, {"spec", "leaseTransitions"}) : nullptr;
    const std::int64_t before = turns && turns->is_int64() ? turns->get_int64() : 0;
    spec["leaseTransitions"] = found && !ours ? before + 1 : before;
    if (!ours) spec["acquireTime"] = now;
    spec["renewTime"] = now;
    spec["holderIdentity"] = settings_.identity;
    spec["leaseDurationSeconds"] = std::chrono::duration_cast<std::chrono::seconds>(settings_.duration).count();
    return out;
}

/// Nobody holds it, or who does has not renewed it for as long as it lasts, by our own clock.
bool Lease::free_to_take(const Json& found) {
    const auto version = api::find_text(found, {"metadata", "resourceVersion"});
    if (version != seen_version_) {
        seen_version_ = version;
        seen_since_ = clock_.now();
    }
    const auto holder = holder_of(found);
    return holder.empty() || holder == settings_.identity || clock_.now() >= seen_since_ + settings_.duration;
}

awaitable<Result<bool>> Lease::try_once() {
    const auto begun = clock_.now();
    auto found = co_await client_.get(api::lease_kind, settings_.namespace_, settings_.name);
    if (!found && found.error().error_class != ErrorClass::not_found) co_return std::move(found).error();
    if (found && !free_to_take(*found)) {
        holder_ = holder_of(*found);
        co_return false;
    }
    auto wanted = record(found ? &*found : nullptr);
    auto writing =
        found ? client_.update(api::lease_kind, std::move(wanted)) : client_.create(api::lease_kind, std::move(wanted));
    const auto written = co_await std::move(writing);
    if (!written && !found && written.error().error_class == ErrorClass::not_found) co_return co_await make_home();
    if (!written) co_return written.error();
    holder_ = settings_.identity;
    renewed_ = begun.time_since_epoch().count();
    if (settings_.held) settings_.held(deadline());
    co_return true;
}

/// The namespace that the lease is in. False: it can be tried again.
awaitable<Result<bool>> Lease::make_home() {
    Json home = api::json::object{{"apiVersion", "v1"}, {"kind", api::namespace_kind.name}};
    api::make_object(home, {"metadata"})["name"] = settings_.namespace_;
    const auto made = co_await client_.create(api::namespace_kind, std::move(home));
    if (!made && made.error().error_class != ErrorClass::conflict) co_return made.error();
    co_return false;
}

awaitable<void> Lease::acquire(std::function<void(const std::string& holder)> told) {
    std::string last;
    for (;;) {
        auto trying = try_once();
        const auto held = co_await with_deadline(clock_, settings_.renew_deadline, "the lease", std::move(trying));
        if (!held && held.error().error_class != ErrorClass::conflict)
            log::warning("the lease cannot be had", {{"reason", held.error().message}});
        if (held && !holder_.empty() && holder_ != std::exchange(last, holder_)) told(holder_);
        if (held && *held) co_return;
        co_await clock_.sleep(settings_.retry);
    }
}

awaitable<std::string> Lease::keep() {
    for (;;) {
        co_await clock_.sleep(settings_.retry);
        // an attempt that hangs leaves time for another, and none outlives our right to act
        const auto left = std::chrono::duration_cast<Duration>(deadline() - clock_.now());
        auto trying = try_once();
        const auto limit = std::clamp<Duration>(left, Duration(0), settings_.retry * 2);
        const auto held = co_await with_deadline(clock_, limit, "the lease", std::move(trying));
        if (held && !*held) {
            renewed_ = 0;
            co_return "it was taken by " + holder_;
        }
        if (!may_act()) {
            renewed_ = 0;
            co_return held ? std::string("this process stood still for too long") : held.error().message;
        }
        if (!held) log::warning("the lease was not renewed", {{"reason", held.error().message}});
    }
}

awaitable<void> Lease::release() {
    if (renewed_.exchange(0) == 0) co_return;
    if (settings_.held) settings_.held(Instant::max());
    auto found = co_await client_.get(api::lease_kind, settings_.namespace_, settings_.name);
    if (!found || holder_of(*found) != settings_.identity) co_return;
    auto& spec = api::make_object(*found, {"spec"});
    spec["holderIdentity"] = "";
    spec["leaseDurationSeconds"] = 1;  // as client-go: an empty one must still be valid
    spec["renewTime"] = rfc3339_micro(clock_.wall());
    const auto written = co_await client_.update(api::lease_kind, *std::move(found));
    if (!written) log::warning("the lease was not given up", {{"reason", written.error().message}});
}

}  // namespace ocim::runtime
