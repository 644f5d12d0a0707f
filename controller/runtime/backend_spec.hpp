#pragma once

#include "base/result.hpp"
#include "runtime/kinds.hpp"

#include <string_view>

/// The fields that every backend's spec has in the same words.
namespace ocim::runtime {

/// "1h30m", "90s", "250ms": whole numbers with a unit (ms, s, m, h), in any order, at most ten years in all.
/// Error: invalid, saying what was expected.
Result<Duration> parse_duration(std::string_view text);

/// What a backend's generated spec says about how it wants to be treated. A duration that cannot be read (only
/// possible where no schema was enforced) leaves the default.
template <class Spec>
BackendSettings settings_of(const Spec& spec) {
    BackendSettings settings;
    if (const auto interval = parse_duration(spec.drift_interval); interval && interval->count() > 0)
        settings.drift_interval = *interval;
    settings.repair = spec.drift_policy == Spec::DriftPolicy::repair;
    settings.requests_per_second = spec.limits.requests_per_second;
    settings.in_flight = static_cast<std::size_t>(spec.limits.in_flight > 0 ? spec.limits.in_flight : 1);
    settings.delete_orphans = spec.orphan_policy.action == Spec::OrphanPolicy::Action::delete_;
    if (const auto age = parse_duration(spec.orphan_policy.min_age)) settings.orphan_min_age = *age;
    settings.allowed_namespaces = spec.allowed_namespaces;
    return settings;
}

}  // namespace ocim::runtime
