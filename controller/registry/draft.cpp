#include "registry/definition.hpp"
#include "registry/metadata.hpp"
#include "registry/special.hpp"
#include "registry/state.hpp"
#include "registry/text.hpp"

#include <algorithm>

/// From a client's object to what is stored: what the server decides, defaults, validation, managedFields.
namespace ocim::registry {

using api::Cause;
using api::Json;
using api::Status;
namespace json = boost::json;

namespace {

constexpr std::size_t manager_bytes_max = 128;  // as Kubernetes

void append(std::vector<Cause>& out, std::vector<Cause> more) {
    out.insert(out.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

api::Manager manager_of(const Request& request, const std::string& now) {
    api::Manager out;
    out.name = request.manager();
    out.api_version = request.served->resource.api_version();
    out.subresource = request.options.subresource;
    out.has_status_subresource = request.served->resource.status_subresource;
    out.time = now;
    return out;
}

void drop_empty_managed_fields(Json& object) {
    auto& metadata = api::make_object(object, {"metadata"});
    const auto* managed = metadata.if_contains("managedFields");
    if (managed && managed->is_array() && managed->get_array().empty()) metadata.erase("managedFields");
}

/// From `old`, what no client decides.
void keep_system_fields(Json& object, const Json& old) {
    auto& metadata = api::make_object(object, {"metadata"});
    const auto& before = old.at("metadata").get_object();
    // what a client may name, if it names it right
    for (const char* field : {"uid", "creationTimestamp"})
        if (const auto* value = before.if_contains(field); value && !metadata.contains(field)) metadata[field] = *value;
    for (const char* field :
         {"generation", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generateName"})
        if (const auto* value = before.if_contains(field))
            metadata[field] = *value;
        else if (std::string_view(field) != "deletionTimestamp")
            metadata.erase(field);
}

/// The part of `body` that its sub-resource may change, on top of `old`.
Json only_subresource(const std::string& subresource, Json body, const Json& old) {
    if (subresource == "scale") return body;  // the object already, with another number
    Json out = old;
    auto& fields = out.get_object();
    auto& sent = body.get_object();
    auto* metadata = sent.if_contains("metadata");
    if (auto* managed =
            metadata && metadata->is_object() ? metadata->get_object().if_contains("managedFields") : nullptr)
        fields["metadata"].as_object()["managedFields"] = std::move(*managed);
    if (subresource == "finalize") {
        const auto* finalizers = api::find(body, {"spec", "finalizers"});
        auto& spec = api::make_object(out, {"spec"});
        if (finalizers)
            spec["finalizers"] = *finalizers;
        else
            spec.erase("finalizers");
        return out;
    }
    if (auto* status = sent.if_contains("status"))
        fields["status"] = std::move(*status);
    else
        fields.erase("status");
    return out;
}

/// A field of the root that became required after the object was made is not for who writes its status to add.
bool is_missing_beside_status(const Cause& cause) {
    return cause.reason == "FieldValueRequired" && cause.field != "status" &&
           cause.field.find_first_of(".[") == std::string::npos;
}

bool nothing_holds(const Served& served, const Json& object) {
    if (!finalizers_of(object).empty()) return false;
    if (served.special != Special::namespace_) return true;
    const auto* finalizers = api::find(object, {"spec", "finalizers"});
    return !finalizers || !finalizers->is_array() || finalizers->get_array().empty();
}

std::vector<std::string> odd_finalizers(const Json& object, const Json* old) {
    std::vector<std::string> out;
    const auto before = old ? finalizers_of(*old) : std::vector<std::string>();
    for (const auto& name : finalizers_of(object)) {
        const bool known = name == "orphan" || name == "foregroundDeletion" || name == "kubernetes";
        if (known || name.find('/') != std::string::npos || std::ranges::find(before, name) != before.end()) continue;
        out.push_back("metadata.finalizers: " + api::to_text(Json(name)) +
                      ": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts "
                      "with other finalizer writers");
    }
    return out;
}

/// As kube-apiserver answers what it has no reason for.
Status unreasoned(std::string message) {
    Status status;
    status.code = 500;
    status.message = std::move(message);
    return status;
}

}  // namespace

std::string Request::manager() const {
    if (!options.field_manager.empty()) return options.field_manager;
    const auto& agent = options.caller.user_agent;
    auto name = agent.substr(0, std::min(agent.find('/'), manager_bytes_max));
    return name.empty() ? "unknown" : name;
}

Status Request::invalid(const std::string& name_, std::vector<Cause> causes) const {
    return api::invalid(served->resource.kind, served->resource.group, name_, std::move(causes));
}

std::optional<Status> Registry::State::namespace_refuses(const Request& request, const std::string& name) const {
    const auto& resource = request.served->resource;
    if (!resource.namespaced) return std::nullopt;
    const auto found = store.latest(key_prefix("", "namespaces") + request.namespace_);
    if (!found) return api::not_found("namespaces", "", request.namespace_);
    if (!raw_at(*found->value, {"metadata", "deletionTimestamp"})) return std::nullopt;
    auto status = api::forbidden(
        resource.plural, resource.group, name,
        "unable to create new content in namespace " + request.namespace_ + " because it is being terminated");
    status.causes.push_back(
        {"NamespaceTerminating", "namespace " + request.namespace_ + " is being terminated", "metadata.namespace"});
    return status;
}

Outcome<Plan> Registry::State::draft_create(const Request& request, Json object, std::vector<std::string> warnings,
                                            Creation creation) {
    const auto& served = *request.served;
    const auto& resource = served.resource;
    auto& metadata = api::make_object(object, {"metadata"});
    const std::string name(api::find_text(object, {"metadata", "name"}));
    if (auto refused = namespace_refuses(request, name)) return *std::move(refused);
    if (!api::find_text(object, {"metadata", "resourceVersion"}).empty())
        return unreasoned("resourceVersion should not be set on objects to be created");

    for (const char* field : {"resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"})
        metadata.erase(field);
    const auto time = now();
    metadata["uid"] = random.uuid();
    metadata["creationTimestamp"] = time;
    if (served.generation) metadata["generation"] = 1;
    if (resource.status_subresource) object.as_object().erase("status");
    prepare_create(served, object);
    if (!name.empty()) {
        resource.schema.apply_defaults(object);
        (void)resource.schema.prune(object);
    }

    const Intent intent{resource, request.options.caller,     request.options.subresource, request.namespace_, object,
                        nullptr,  creation != Creation::asked};
    if (auto refused = guard(intent)) return *std::move(refused);
    auto causes = validate_metadata(object, nullptr, served.names, resource.namespaced);
    append(causes, resource.schema.validate(object, nullptr));
    append(causes, validate_special(served, object, nullptr));
    const auto admission = admissions.find(std::pair(resource.group, resource.plural));
    if (causes.empty() && admission != admissions.end()) append(causes, admission->second(object, nullptr));
    if (!causes.empty()) return request.invalid(name, std::move(causes));
    if (auto refused = quota_refuses(request, name)) return *std::move(refused);
    if (served.special == Special::definition) establish(object, definitions(), time);

    if (creation != Creation::applied)
        api::track_update(Json(), object, resource.schema.type(), manager_of(request, time));
    drop_empty_managed_fields(object);
    for (auto& odd : odd_finalizers(object, nullptr)) warnings.push_back(std::move(odd));
    return Plan{Plan::Action::put, std::move(object), std::move(warnings)};
}

Outcome<Plan> Registry::State::draft_update(const Request& request, Json body, const Json& old,
                                            std::vector<std::string> warnings, bool tracked) {
    const auto& served = *request.served;
    const auto& resource = served.resource;
    const auto& subresource = request.options.subresource;
    const bool main = subresource.empty();

    auto object = main ? std::move(body) : only_subresource(subresource, std::move(body), old);
    keep_system_fields(object, old);
    if (main && resource.status_subresource) {
        if (const auto* status = old.get_object().if_contains("status"))
            object.as_object()["status"] = *status;
        else
            object.as_object().erase("status");
    }
    if (main) prepare_update(served, object, old);
    resource.schema.apply_defaults(object);
    (void)resource.schema.prune(object);
    if (served.generation && !same_content(object, old, main && !resource.status_subresource)) {
        const auto* generation = api::find(old, {"metadata", "generation"});
        api::make_object(object, {"metadata"})["generation"] =
            (generation && generation->is_int64() ? generation->get_int64() : 0) + 1;
    }

    const Intent intent{resource, request.options.caller, subresource, request.namespace_, object, &old};
    if (auto refused = guard(intent)) return *std::move(refused);
    auto causes = validate_metadata(object, &old, served.names, resource.namespaced);
    append(causes, resource.schema.validate(object, &old));
    if (subresource == "status") std::erase_if(causes, is_missing_beside_status);
    if (main) append(causes, validate_special(served, object, &old));
    const auto admission = admissions.find(std::pair(resource.group, resource.plural));
    if ((main || subresource == "scale") && causes.empty() && admission != admissions.end())
        append(causes, admission->second(object, &old));
    if (!causes.empty()) return request.invalid(request.name, std::move(causes));
    const auto time = now();
    if (served.special == Special::definition && main) establish(object, definitions(), time);

    if (!tracked) api::track_update(old, object, resource.schema.type(), manager_of(request, time));
    drop_empty_managed_fields(object);
    for (auto& odd : odd_finalizers(object, &old)) warnings.push_back(std::move(odd));
    if (deleting(object) && nothing_holds(served, object))
        return Plan{Plan::Action::erase, std::move(object), std::move(warnings)};
    if (object == old) return Plan{Plan::Action::nothing, std::move(object), std::move(warnings)};
    return Plan{Plan::Action::put, std::move(object), std::move(warnings)};
}

}  // namespace ocim::registry
