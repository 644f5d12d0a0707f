#include "runtime/state_metrics.hpp"

#include "runtime/conditions.hpp"

namespace ocim::runtime {

namespace {

Metrics::Labels labels_of(const ObjectKey& key) { return {{"namespace", key.namespace_}, {"name", key.name}}; }

Metrics::Labels labels_of(const ObjectKey& key, const std::string& phase) {
    return {{"namespace", key.namespace_}, {"name", key.name}, {"phase", phase}};
}

}  // namespace

StateMetrics::StateMetrics(Metrics& metrics, std::string kind, Phase phase)
    : metrics_(metrics), ready_name_("ocim_" + kind + "_ready"), phase_name_("ocim_" + kind + "_phase") {
    // a name without a series: made with one that goes at once
    const ObjectKey nobody;
    ready(labels_of(nobody));
    metrics_.remove_gauge(ready_name_, labels_of(nobody));
    if (phase == Phase::none) return;
    this->phase(labels_of(nobody, ""));
    metrics_.remove_gauge(phase_name_, labels_of(nobody, ""));
}

prometheus::Gauge& StateMetrics::ready(const Metrics::Labels& labels) {
    return metrics_.gauge(ready_name_, "1 when the object is as declared", labels);
}

prometheus::Gauge& StateMetrics::phase(const Metrics::Labels& labels) {
    return metrics_.gauge(phase_name_, "1 for the phase that the object is in", labels);
}

void StateMetrics::set(const ObjectKey& key, const Json& object) {
    ready(labels_of(key)).Set(is_ready(object) ? 1 : 0);
    set_phase(key, std::string(api::find_text(object, {"status", "phase"})));
}

void StateMetrics::forget(const ObjectKey& key) {
    metrics_.remove_gauge(ready_name_, labels_of(key));
    set_phase(key, "");
}

void StateMetrics::set_phase(const ObjectKey& key, const std::string& phase) {
    const auto held = phases_.find(key);
    if (held == phases_.end() ? phase.empty() : held->second == phase) return;
    if (held != phases_.end()) {
        metrics_.remove_gauge(phase_name_, labels_of(key, held->second));
        phases_.erase(held);
    }
    if (phase.empty()) return;
    this->phase(labels_of(key, phase)).Set(1);
    phases_.emplace(key, phase);
}

StalledMetric::StalledMetric(Metrics& metrics, const std::string& kind)
    : count_(metrics.gauge("ocim_stalled_objects", "Objects that wait for a person", {{"kind", kind}})) {
    count_.Set(0);
}

void StalledMetric::set(const ObjectKey& key, const Json& object) {
    const auto* stalled = condition(object, "Stalled");
    if (stalled && api::find_text(*stalled, {"status"}) == "True")
        stalled_.insert(key);
    else
        stalled_.erase(key);
    count_.Set(static_cast<double>(stalled_.size()));
}

void StalledMetric::forget(const ObjectKey& key) {
    stalled_.erase(key);
    count_.Set(static_cast<double>(stalled_.size()));
}

}  // namespace ocim::runtime
