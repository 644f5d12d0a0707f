#include "registry/definition.hpp"
#include "registry/metadata.hpp"
#include "registry/state.hpp"

#include <algorithm>

/// delete: at once, or by way of finalizers.
namespace ocim::registry {

using api::Json;
using api::Status;

namespace {

std::optional<Status> check_delete_preconditions(const Request& request, const DeleteOptions& options,
                                                 const Json& object) {
    const auto& resource = request.served->resource;
    const auto uid = api::find_text(object, {"metadata", "uid"});
    if (options.uid && *options.uid != uid)
        return api::conflict(resource.plural, resource.group, request.name,
                             "the UID in the precondition (" + *options.uid + ") does not match the UID in record (" +
                                 std::string(uid) + "). The object might have been deleted and then recreated");
    const auto revision = api::find_text(object, {"metadata", "resourceVersion"});
    if (options.resource_version && *options.resource_version != revision)
        return api::conflict(resource.plural, resource.group, request.name,
                             "the ResourceVersion in the precondition (" + *options.resource_version +
                                 ") does not match the ResourceVersion in record (" + std::string(revision) +
                                 "). The object might have been modified");
    return std::nullopt;
}

void set_member(std::vector<std::string>& list, std::string_view name, bool present) {
    std::erase(list, name);
    if (present) list.emplace_back(name);
}

bool protected_namespace(const Request& request) {
    return request.served->special == Special::namespace_ &&
           (request.name == "default" || request.name == "kube-system" || request.name == "ocim-system");
}

}  // namespace

awaitable<Outcome<Written>> Registry::State::remove(Request request, DeleteOptions options) {
    const auto& served = *request.served;
    const auto& resource = served.resource;
    if (protected_namespace(request))
        co_return api::forbidden(resource.plural, resource.group, request.name, "this namespace may not be deleted");
    Decide decide = [&](const Json* current, const boost::json::storage_ptr&) -> Outcome<Plan> {
        if (!current) return api::not_found(resource.plural, resource.group, request.name);
        if (auto refused = check_delete_preconditions(request, options, *current)) return *std::move(refused);
        Plan plan;
        plan.object = *current;
        auto finalizers = finalizers_of(plan.object);
        if (options.propagation) {
            set_member(finalizers, "foregroundDeletion", options.propagation == Propagation::foreground);
            set_member(finalizers, "orphan", options.propagation == Propagation::orphan);
        }
        const auto time = now();
        if (served.special == Special::definition) {
            if (std::ranges::find(finalizers, definition_finalizer) == finalizers.end())
                finalizers.emplace_back(definition_finalizer);
            set_condition(plan.object, "Terminating", true, "InstanceDeletionInProgress",
                          "CustomResource deletion is in progress", time);
        }
        if (served.special == Special::namespace_) api::make_object(plan.object, {"status"})["phase"] = "Terminating";
        set_finalizers(plan.object, finalizers);
        const auto* held =
            served.special == Special::namespace_ ? api::find(plan.object, {"spec", "finalizers"}) : nullptr;
        if (finalizers.empty() && !(held && held->is_array() && !held->get_array().empty())) {
            plan.action = Plan::Action::erase;
            return plan;
        }
        if (!deleting(plan.object)) {
            auto& metadata = api::make_object(plan.object, {"metadata"});
            metadata["deletionTimestamp"] = time;
            metadata["deletionGracePeriodSeconds"] = 0;
            const auto* generation = metadata.if_contains("generation");
            if (served.generation && generation && generation->is_int64())
                metadata["generation"] = generation->get_int64() + 1;
        }
        put_in_order(plan.object);
        if (plan.object != *current) plan.action = Plan::Action::put;
        return plan;
    };
    co_return co_await carry_out(request, request.name, decide);
}

}  // namespace ocim::registry
