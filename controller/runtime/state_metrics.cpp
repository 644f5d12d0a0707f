#include "runtime/state_metrics.hpp"

#include "runtime/conditions.hpp"

namespace ocim::runtime {

namespace {

Metrics::Labels labels_of(const ObjectKey& key) { return {{"namespace", key.namespace_}, {"name", key.name}}; }

Metrics::Labels labels_of(const ObjectKey& key, const std::string& phase) {
    return {{"namespace", key.namespace_}, {"name", key.name}, {"phase", phase}};
}

}  // namespace

void StateMetrics::set(const ObjectKey& key, const Json& object) {
    metrics_.gauge("ocim_" + kind_ + "_ready", "1 when the object is as declared", labels_of(key))
        .Set(is_ready(object) ? 1 : 0);
    set_phase(key, std::string(api::find_text(object, {"status", "phase"})));
}

void StateMetrics::forget(const ObjectKey& key) {
    metrics_.remove_gauge("ocim_" + kind_ + "_ready", labels_of(key));
    set_phase(key, "");
}

void StateMetrics::set_phase(const ObjectKey& key, const std::string& phase) {
    const auto held = phases_.find(key);
    if (held == phases_.end() ? phase.empty() : held->second == phase) return;
    const auto name = "ocim_" + kind_ + "_phase";
    if (held != phases_.end()) {
        metrics_.remove_gauge(name, labels_of(key, held->second));
        phases_.erase(held);
    }
    if (phase.empty()) return;
    metrics_.gauge(name, "1 for the phase that the object is in", labels_of(key, phase)).Set(1);
    phases_.emplace(key, phase);
}

}  // namespace ocim::runtime
