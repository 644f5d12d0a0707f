#include "gitops/trial.hpp"

#include "gitops/limits.hpp"
#include "gitops/source.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace ocim::gitops {

namespace {

/// What another program that keeps objects as a repository says leaves on them. Argo CD's usual label,
/// app.kubernetes.io/instance, is none: plain charts write it too.
struct Trace {
    std::string_view field, name, keeper;
};
constexpr std::array<Trace, 5> traces{{
    {"labels", "kustomize.toolkit.fluxcd.io/name", "Flux"},
    {"labels", "helm.toolkit.fluxcd.io/name", "Flux"},
    {"labels", "argocd.argoproj.io/instance", "Argo CD"},
    {"annotations", "argocd.argoproj.io/tracking-id", "Argo CD"},
    {"annotations", "argocd.argoproj.io/installation-id", "Argo CD"},
}};

/// Whether it says how the object should be: not only how it stands, and who holds it up.
bool declares(const Json& entry) {
    if (!api::find_text(entry, {"subresource"}).empty()) return false;
    const auto* fields = api::find(entry, {"fieldsV1"});
    if (!fields || !fields->is_object()) return false;
    return std::ranges::any_of(fields->get_object(), [](const auto& field) {
        return field.key() != "f:status" && field.key() != "f:metadata";
    });
}

/// A program that applies objects of its own accord, by the name under which it does.
std::string_view keeper_called(std::string_view manager) {
    if (manager == "argocd-controller") return "Argo CD";
    if (manager == "kustomize-controller" || manager == "helm-controller") return "Flux";
    return "";
}

/// Another program that keeps the object as a repository says, and how one knows; two would undo each other's work for
/// ever.
std::string other_keeper(const Json& object) {
    for (const auto& trace : traces)
        if (!api::find_text(object, {"metadata", trace.field, trace.name}).empty())
            return std::string(trace.keeper) + " (it has " + std::string(trace.name) + " in metadata." +
                   std::string(trace.field) + ")";
    const auto* entries = api::find(object, {"metadata", "managedFields"});
    if (!entries || !entries->is_array()) return "";
    for (const auto& entry : entries->get_array()) {
        const auto manager = api::find_text(entry, {"manager"});
        const auto keeper = keeper_called(manager);
        if (!keeper.empty() && declares(entry))
            return std::string(keeper) + " (" + std::string(manager) + " is among its field managers)";
    }
    return "";
}

constexpr std::string_view impersonation = "cannot impersonate resource \"serviceaccounts\"";

std::size_t hash_of(const Json& object) { return std::hash<Json>()(object); }

}  // namespace

Json declared(Json object) {
    if (auto* fields = object.if_object()) fields->erase("status");
    auto& metadata = api::make_object(object, {"metadata"});
    for (const char* field : {"managedFields", "resourceVersion", "generation"}) metadata.erase(field);
    return object;
}

std::string_view annotation(const Json& object, std::string_view name) {
    return api::find_text(object, {"metadata", "annotations", name});
}

bool is_trouble(const Error& error) {
    switch (error.error_class) {
        case ErrorClass::transient:
        case ErrorClass::rate_limited:
        case ErrorClass::unreachable: return true;
        case ErrorClass::conflict:
        case ErrorClass::not_found:
        case ErrorClass::auth:
        case ErrorClass::invalid: return false;
    }
    return true;
}

bool may_not_act(const Error& error) {
    return error.error_class == ErrorClass::auth && error.message.find(impersonation) != std::string::npos;
}

Error not_granted(Error error) {
    error.message =
        "ocim may not act as the ServiceAccount, which whoever installed ocim has to allow: "
        "gitops.enabled=true of its chart, or manifests/install/gitops.yaml (the API says: " +
        error.message + ")";
    return error;
}

bool is_unknown_field(const Error& error) { return error.message.starts_with("failed to create typed patch object"); }

Fault fault_of(const Manifest& manifest, const Error& error) {
    Fault out{manifest.file, manifest.document, manifest.id.text(), "", error.message};
    // what is said of a Secret may repeat what is in it
    if (manifest.id.kind == "Secret" && error.error_class != ErrorClass::auth)
        out.message =
            "the API refuses it; ask it why: kubectl apply --server-side --dry-run=server -f " + manifest.file;
    if (may_not_act(error))
        out.message = not_granted(error).message;
    else if (error.error_class == ErrorClass::auth)
        out.message += "; give the ServiceAccount that right, or name another in spec.serviceAccountName";
    return out;
}

std::optional<Fault> taken_by(const Manifest& manifest, const Json& live, std::string_view mark) {
    Fault out{manifest.file, manifest.document, manifest.id.text(), "", ""};
    const std::string holder(annotation(live, mark_annotation));
    if (!holder.empty() && holder != mark) {
        out.message = "is kept by the GitSource " + holder + "; take it out of one of the two";
        return out;
    }
    const auto other = other_keeper(live);
    if (other.empty()) return std::nullopt;
    out.message = "is kept by " + other + "; take it out of one of the two, and then that off the object";
    return out;
}

bool Trials::hold(const ObjectId& id, const Json& wanted, const Json& live, Instant now) const {
    const auto found = done_.find(id);
    return found != done_.end() && now < found->second.until && found->second.wanted == hash_of(wanted) &&
           found->second.live == hash_of(declared(live));
}

void Trials::note(const ObjectId& id, const Json& wanted, const Json& live, Instant now) {
    done_[id] = {hash_of(wanted), hash_of(declared(live)), now + limits::trial_holds};
}

}  // namespace ocim::gitops
