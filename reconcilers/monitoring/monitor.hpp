#pragma once

#include "api/status.hpp"
#include "crd/monitoringservices.hpp"
#include "crd/monitors.hpp"
#include "monitoring/watch.hpp"
#include "runtime/kinds.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::monitoring {

/// The kind Monitor, decided: one thing that is watched.
struct Monitor {
    using Object = crd::Monitor;
    using Backend = crd::MonitoringService;
    using Key = monitoring::Key;
    using Thing = monitoring::Thing;
    using Action = monitoring::Action;
    static constexpr std::string_view name = "monitor";

    static std::string backend_name(const Object& object) { return object.spec.service_ref.name; }
    static std::vector<runtime::Reference> needs(const Object& object);
    /// Two Monitors may watch one URL.
    static std::vector<runtime::Claim> claims(const Object&) { return {}; }
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static bool settled(const Object& object, const std::string& installation, const Snapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    static std::optional<std::string> concerns(const Key& key, const Snapshot& seen);
    static std::vector<Action> sweep(const Key& key, const Snapshot& seen);

    static Key key(const Action& action) { return action.key; }
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // service_object.cpp
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<Watch>> open(const Backend& backend, const runtime::Inputs& inputs,
                                               const runtime::Services& services);
};

}  // namespace ocim::monitoring
