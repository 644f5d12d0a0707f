#pragma once

#include "runtime/cache.hpp"

#include <map>
#include <string>

namespace ocim::runtime {

/// How each object of a kind stands, as gauges: ocim_<kind>_ready{namespace,name}, and ocim_<kind>_phase with the
/// phase as a label where the kind has one. One series an object each; they go with the object.
class StateMetrics {
public:
    StateMetrics(Metrics& metrics, std::string kind) : metrics_(metrics), kind_(std::move(kind)) {}

    void set(const ObjectKey& key, const Json& object);
    void forget(const ObjectKey& key);

private:
    void set_phase(const ObjectKey& key, const std::string& phase);

    Metrics& metrics_;
    const std::string kind_;
    std::map<ObjectKey, std::string> phases_;
};

}  // namespace ocim::runtime
