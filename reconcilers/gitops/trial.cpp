#include "gitops/trial.hpp"

#include "gitops/limits.hpp"
#include "gitops/source.hpp"

#include <functional>

namespace ocim::gitops {

namespace {

/// Another program that keeps the object as a repository says; two would undo each other's work for ever.
std::string other_keeper(const Json& object) {
    if (!api::find_text(object, {"metadata", "labels", "kustomize.toolkit.fluxcd.io/name"}).empty()) return "Flux";
    if (!api::find_text(object, {"metadata", "labels", "argocd.argoproj.io/instance"}).empty() ||
        !annotation(object, "argocd.argoproj.io/tracking-id").empty())
        return "Argo CD";
    return "";
}

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

bool is_unknown_field(const Error& error) { return error.message.starts_with("failed to create typed patch object"); }

Fault fault_of(const Manifest& manifest, const Error& error) {
    Fault out{manifest.file, manifest.document, manifest.id.text(), "", error.message};
    // what is said of a Secret may repeat what is in it
    if (manifest.id.kind == "Secret" && error.error_class != ErrorClass::auth)
        out.message =
            "the API refuses it; ask it why: kubectl apply --server-side --dry-run=server -f " + manifest.file;
    if (error.error_class == ErrorClass::auth)
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
    out.message = "is kept by " + other + "; take it out of one of the two";
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
