#pragma once

#include "runtime/cache.hpp"

#include <map>
#include <set>
#include <string>

namespace ocim::runtime {

/// How each object of a kind stands, as gauges: ocim_<kind>_ready{namespace,name}, and ocim_<kind>_phase with the
/// phase as a label where the kind has one. One series an object each; they go with the object. The names are there
/// from the start, so that an alert or a dashboard finds them before there is an object.
class StateMetrics {
public:
    enum class Phase { none, shown };
    StateMetrics(Metrics& metrics, std::string kind, Phase phase);

    void set(const ObjectKey& key, const Json& object);
    void forget(const ObjectKey& key);

private:
    prometheus::Gauge& ready(const Metrics::Labels& labels);
    prometheus::Gauge& phase(const Metrics::Labels& labels);
    void set_phase(const ObjectKey& key, const std::string& phase);

    Metrics& metrics_;
    const std::string ready_name_, phase_name_;
    std::map<ObjectKey, std::string> phases_;
};

/// How many objects of a kind are Stalled, as a gauge: ocim_stalled_objects{kind}.
class StalledMetric {
public:
    StalledMetric(Metrics& metrics, const std::string& kind);

    void set(const ObjectKey& key, const Json& object);
    void forget(const ObjectKey& key);

private:
    prometheus::Gauge& count_;
    std::set<ObjectKey> stalled_;
};

}  // namespace ocim::runtime
