#include "gitops/health.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace ocim::gitops {

namespace {

using api::Json;
using State = Health::State;

std::optional<std::int64_t> number(const Json& object, std::initializer_list<std::string_view> path) {
    const auto* found = api::find(object, path);
    if (!found || !found->is_number()) return std::nullopt;
    boost::system::error_code failed;
    const auto value = found->to_number<std::int64_t>(failed);
    return failed ? std::nullopt : std::optional(value);
}

const Json* condition(const Json& object, std::string_view type) {
    const auto* items = api::find(object, {"status", "conditions"});
    if (!items || !items->is_array()) return nullptr;
    for (const auto& item : items->get_array())
        if (api::find_text(item, {"type"}) == type) return &item;
    return nullptr;
}

bool is_true(const Json* of) { return of && api::find_text(*of, {"status"}) == "True"; }

std::string words(const Json& of) {
    const std::string reason(api::find_text(of, {"reason"})), message(api::find_text(of, {"message"}));
    if (reason.empty() || message.empty()) return reason + message;
    return reason + ": " + message;
}

/// Deployments and the like: how many there are to be, and how many are.
std::optional<Health> of_replicas(const Json& object, std::string_view kind) {
    if (kind != "Deployment" && kind != "StatefulSet" && kind != "ReplicaSet") return std::nullopt;
    const auto wanted = number(object, {"spec", "replicas"}).value_or(1);
    const auto ready = number(object, {"status", "readyReplicas"}).value_or(0);
    const auto updated = kind == "ReplicaSet" ? wanted : number(object, {"status", "updatedReplicas"}).value_or(0);
    if (ready >= wanted && updated >= wanted) return Health{};
    if (const auto* progressing = condition(object, "Progressing");
        progressing && api::find_text(*progressing, {"reason"}) == "ProgressDeadlineExceeded")
        return Health{State::failed, words(*progressing)};
    return Health{State::in_progress, std::to_string(ready) + " of " + std::to_string(wanted) + " replicas are ready"};
}

std::optional<Health> of_kind(const Json& object) {
    const auto kind = api::find_text(object, {"kind"});
    if (auto replicas = of_replicas(object, kind)) return replicas;
    if (kind == "CustomResourceDefinition" && !is_true(condition(object, "Established")))
        return Health{State::in_progress, "it is not established yet"};
    if (kind == "Job") {
        if (const auto* failed = condition(object, "Failed"); is_true(failed))
            return Health{State::failed, words(*failed)};
        if (!is_true(condition(object, "Complete"))) return Health{State::in_progress, "it has not ended yet"};
        return Health{};
    }
    if (kind == "PersistentVolumeClaim" && api::find_text(object, {"status", "phase"}) != "Bound")
        return Health{State::in_progress, "it is not bound yet"};
    return std::nullopt;
}

}  // namespace

Health health_of(const Json& object) {
    if (!api::find_text(object, {"metadata", "deletionTimestamp"}).empty())
        return {State::terminating, "it is being deleted"};
    const auto generation = number(object, {"metadata", "generation"});
    const auto observed = number(object, {"status", "observedGeneration"});
    if (generation && observed && *observed < *generation)
        return {State::in_progress, "its controller has not seen the newest version yet"};
    if (const auto* stalled = condition(object, "Stalled"); is_true(stalled)) return {State::failed, words(*stalled)};
    if (const auto* reconciling = condition(object, "Reconciling"); is_true(reconciling))
        return {State::in_progress, words(*reconciling)};
    if (auto known = of_kind(object)) return *std::move(known);
    if (const auto* ready = condition(object, "Ready"))
        return is_true(ready) ? Health{} : Health{State::in_progress, words(*ready)};
    if (api::find_text(object, {"apiVersion"}).starts_with("ocim.opencraft.com/"))
        return {State::in_progress, "its controller has not seen it yet"};
    return {};
}

}  // namespace ocim::gitops
