#include "openedx/readiness.hpp"

namespace ocim::openedx {

Readiness readiness(const api::Json& object) {
    Readiness out;
    const auto generation = api::find(object, {"metadata", "generation"});
    const auto observed = api::find(object, {"status", "observedGeneration"});
    out.current = generation && observed && *generation == *observed;
    const auto* conditions = api::find(object, {"status", "conditions"});
    if (!conditions || !conditions->is_array()) return out;
    for (const auto& item : conditions->get_array()) {
        const auto type = api::find_text(item, {"type"});
        const bool on = api::find_text(item, {"status"}) == "True";
        if (type == "Stalled" && on) out.stalled = true;
        if (type != "Ready") continue;
        out.ready = on && out.current;
        out.reason = api::find_text(item, {"reason"});
        out.message = api::find_text(item, {"message"});
    }
    return out;
}

}  // namespace ocim::openedx
