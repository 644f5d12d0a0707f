#include "gitops/manifest.hpp"

#include "api/yaml.hpp"
#include "base/utf8.hpp"
#include "gitops/limits.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace ocim::gitops {

namespace {

constexpr std::string_view crd_group = "apiextensions.k8s.io";

bool is_json(std::string_view path) { return path.ends_with(".json"); }

Result<std::vector<api::Parsed>> parse(const File& file) {
    if (!is_json(file.path)) return api::parse_yaml_stream(file.bytes);
    auto one = api::parse_json(file.bytes);
    if (!one) return std::move(one).error();
    std::vector<api::Parsed> out;
    out.push_back(*std::move(one));
    return out;
}

bool is_lower_or_digit(char one) { return (one >= 'a' && one <= 'z') || (one >= '0' && one <= '9'); }
bool is_letter(char one) { return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z'); }

/// "v1", "apps/v1". It becomes part of a request's target, where anything else could be read as something else.
bool is_api_version(std::string_view text) {
    const auto slash = text.find('/');
    const auto first = text.substr(0, slash);
    const bool group_is = !first.empty() && std::ranges::all_of(first, [](char one) {
        return is_lower_or_digit(one) || one == '.' || one == '-';
    });
    if (slash == std::string_view::npos) return group_is;
    const auto version = text.substr(slash + 1);
    return group_is && !version.empty() && std::ranges::all_of(version, is_lower_or_digit);
}

/// "ConfigMap"
bool is_kind(std::string_view text) {
    return !text.empty() && is_letter(text.front()) &&
           std::ranges::all_of(text, [](char one) { return is_letter(one) || (one >= '0' && one <= '9'); });
}

/// As it is shown to people: it may be anything.
std::string quoted(std::string_view value) { return "\"" + one_line(value, limits::value_shown_max) + "\""; }

/// Reads the documents of one file after the other.
class Reader {
public:
    void read(const File& file) {
        file_ = file.path;
        document_ = 0;
        const auto documents = parse(file);
        if (!documents) return refuse("", "", documents.error().message + "; mend the file");
        for (const auto& document : *documents) {
            ++document_;
            for (const auto& key : document.duplicates) refuse("", key, "is there twice; leave one of them");
            read(document.value, 0);
        }
    }
    Manifests take() { return std::move(out_); }

private:
    void refuse(std::string object, std::string field, std::string message) {
        if (out_.faults.size() < limits::faults_max)
            out_.faults.push_back({file_, document_, std::move(object), std::move(field), std::move(message)});
    }

    void read(const Json& document, int depth) {
        const auto* fields = document.if_object();
        if (!fields) return refuse("", "", "is no object; a manifest has apiVersion, kind and metadata");
        const std::string kind(api::find_text(document, {"kind"}));
        const std::string api_version(api::find_text(document, {"apiVersion"}));
        if (const auto* items = api::find(document, {"items"}); items && items->is_array() && kind.ends_with("List")) {
            if (depth > 0) return refuse("", "items", "a List within a List; take the inner one apart");
            for (const auto& item : items->get_array()) read(item, depth + 1);
            return;
        }
        if (fields->contains("sops"))
            return refuse(kind, "sops", "is encrypted with SOPS, which is not supported; keep this Secret elsewhere");
        if (api_version.empty()) return refuse(kind, "apiVersion", "is missing; every manifest names one");
        if (kind.empty()) return refuse("", "kind", "is missing; every manifest names one");
        if (!is_kind(kind))
            return refuse("", "kind", quoted(kind) + " is none; it has letters and digits only, as ConfigMap");
        if (!is_api_version(api_version))
            return refuse(kind, "apiVersion", quoted(api_version) + " is none; write it as v1 or apps/v1");
        if (group_of(api_version) == "kustomize.config.k8s.io")
            return refuse(kind, "kind", "is for Kustomize, which is not run here; commit what it renders");
        take(document, api_version, kind);
    }

    void take(const Json& document, const std::string& api_version, const std::string& kind) {
        const auto* metadata = api::find(document, {"metadata"});
        if (!metadata || !metadata->is_object())
            return refuse(kind, "metadata", "is missing or no object; give it a name");
        const std::string name(api::find_text(document, {"metadata", "name"}));
        if (name.empty()) {
            if (api::find(document, {"metadata", "generateName"}))
                return refuse(kind, "metadata.generateName", "makes another object each time; give it a name");
            return refuse(kind, "metadata.name", "is missing; give it a name");
        }
        const auto* home = api::find(document, {"metadata", "namespace"});
        if (home && !home->is_null() && !home->is_string())
            return refuse(kind + " " + name, "metadata.namespace", "is no text; quote it");
        if (out_.items.size() == limits::manifests_max)
            return refuse(kind + " " + name, "",
                          "is one object too many: " + std::to_string(limits::manifests_max) +
                              " are the most of one GitSource; make several, each with a path of its own");
        Manifest out{api_version,
                     {std::string(group_of(api_version)), kind,
                      std::string(api::find_text(document, {"metadata", "namespace"})), name},
                     document,
                     file_,
                     document_};
        clean(out.object);
        out_.items.push_back(std::move(out));
    }

    /// What a server writes: exports have it, and nobody means it.
    static void clean(Json& object) {
        object.as_object().erase("status");
        auto& metadata = api::make_object(object, {"metadata"});
        for (const char* field :
             {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"})
            metadata.erase(field);
    }

    Manifests out_;
    std::string file_;
    std::size_t document_ = 0;
};

std::string listed(std::size_t count) { return count == 0 ? "" : ", document " + std::to_string(count); }

std::optional<std::string> namespace_of(const Manifest& manifest, const Scope& scope, const std::string& home) {
    if (!scope.namespaced) return manifest.id.namespace_.empty() ? std::optional<std::string>("") : std::nullopt;
    return manifest.id.namespace_.empty() ? home : manifest.id.namespace_;
}

/// Nothing: it may stay, and has its namespace now.
std::optional<Fault> place(Manifest& manifest, const Scope* scope, const std::string& home) {
    Fault fault{manifest.file, manifest.document, manifest.id.text(), "", ""};
    if (!scope) {
        fault.field = "kind";
        fault.message = "the API serves no " + manifest.id.kind + " of " + manifest.api_version +
                        "; mend it, or add the CustomResourceDefinition to the repository";
        return fault;
    }
    auto where = namespace_of(manifest, *scope, home);
    if (!where) {
        fault.field = "metadata.namespace";
        fault.message = manifest.id.kind + " is in no namespace; take the field out";
        return fault;
    }
    manifest.id.namespace_ = *std::move(where);
    if (!manifest.id.namespace_.empty())
        api::make_object(manifest.object, {"metadata"})["namespace"] = manifest.id.namespace_;
    return std::nullopt;
}

}  // namespace

std::string_view group_of(std::string_view api_version) {
    const auto slash = api_version.find('/');
    return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

std::string ObjectId::text() const { return kind + " " + (namespace_.empty() ? "" : namespace_ + "/") + name; }

std::string Fault::text() const {
    auto out = file + listed(document);
    for (const auto* part : {&object, &field})
        if (!part->empty()) out += (out.empty() ? "" : ", ") + *part;
    return one_line(out.empty() ? message : out + ": " + message, limits::fault_bytes_max);
}

Manifests read_manifests(const std::vector<File>& files) {
    Reader reader;
    for (const auto& file : files) reader.read(file);
    return reader.take();
}

std::map<KindName, Scope> kinds_defined(const std::vector<Manifest>& manifests) {
    std::map<KindName, Scope> out;
    for (const auto& manifest : manifests) {
        if (manifest.id.group != crd_group || manifest.id.kind != "CustomResourceDefinition") continue;
        const std::string group(api::find_text(manifest.object, {"spec", "group"}));
        const std::string kind(api::find_text(manifest.object, {"spec", "names", "kind"}));
        const bool namespaced = api::find_text(manifest.object, {"spec", "scope"}) == "Namespaced";
        const auto* versions = api::find(manifest.object, {"spec", "versions"});
        if (!versions || !versions->is_array()) continue;
        for (const auto& version : versions->get_array())
            out[{group + "/" + std::string(api::find_text(version, {"name"})), kind}] = {namespaced};
    }
    return out;
}

Manifests placed(Manifests manifests, const std::map<KindName, Scope>& served, const std::string& home) {
    const auto defined = kinds_defined(manifests.items);
    Manifests out;
    out.faults = std::move(manifests.faults);
    std::map<ObjectId, const Manifest*> first;
    out.items.reserve(manifests.items.size());  // `first` points into it
    for (auto& manifest : manifests.items) {
        const KindName name{manifest.api_version, manifest.id.kind};
        const Scope* scope = nullptr;
        if (const auto known = served.find(name); known != served.end())
            scope = &known->second;
        else if (const auto new_one = defined.find(name); new_one != defined.end())
            scope = &new_one->second;
        if (auto fault = place(manifest, scope, home)) {
            out.faults.push_back(*std::move(fault));
            continue;
        }
        const auto [before, fresh] = first.try_emplace(manifest.id);
        if (!fresh) {
            out.faults.push_back({manifest.file, manifest.document, manifest.id.text(), "",
                                  "is described in " + before->second->file + listed(before->second->document) +
                                      " too; leave one of them"});
            continue;
        }
        out.items.push_back(std::move(manifest));
        before->second = &out.items.back();
    }
    std::ranges::sort(out.items, {}, [](const Manifest& one) { return place_of(one.id); });
    return out;
}

std::pair<int, ObjectId> place_of(const ObjectId& id) { return {rank(id.group, id.kind), id}; }

int rank(std::string_view group, std::string_view kind) {
    constexpr std::string_view ours = "ocim.opencraft.com";
    constexpr std::array first{"Namespace",
                               "CustomResourceDefinition",
                               "ResourceQuota",
                               "LimitRange",
                               "StorageClass",
                               "PriorityClass",
                               "ServiceAccount",
                               "Role",
                               "ClusterRole",
                               "RoleBinding",
                               "ClusterRoleBinding",
                               "ConfigMap",
                               "Secret",
                               "PersistentVolume",
                               "PersistentVolumeClaim",
                               "Service"};
    constexpr std::array backends{"Cloud",          "DNSZone",        "LoadBalancer",
                                  "DatabaseServer", "RabbitMQServer", "MonitoringService",
                                  "ObjectStore",    "MailRelay",      "GitHubOrganization"};
    constexpr int backend = 100, class_ = 101, other = 102, made_of_others = 103, hook = 104;
    if (group == ours) {
        if (std::ranges::find(backends, kind) != backends.end()) return backend;
        if (kind == "InstanceClass") return class_;
        if (kind == "Instance") return made_of_others;
        return kind == "AppServer" || kind == "Redeployment" ? hook : other;
    }
    // what refuses others must not do so before it can answer
    if (group == "admissionregistration.k8s.io") return hook;
    const auto found = std::ranges::find(first, kind);
    return found != first.end() ? static_cast<int>(found - first.begin()) : other;
}

}  // namespace ocim::gitops
