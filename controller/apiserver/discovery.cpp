#include "apiserver/discovery.hpp"

#include "apiserver/digest.hpp"
#include "apiserver/parts.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using api::Json;

/// (rank of the stage, major, minor): greater is preferred.
std::tuple<int, unsigned, unsigned> version_rank(std::string_view version) {
    const std::tuple<int, unsigned, unsigned> none{-1, 0, 0};
    if (!version.starts_with('v')) return none;
    const auto* at = version.data() + 1;
    const auto* end = version.data() + version.size();
    unsigned major = 0, minor = 0;
    const auto read = std::from_chars(at, end, major);
    if (read.ec != std::errc()) return none;
    const std::string_view rest(read.ptr, end);
    if (rest.empty()) return {2, major, 0};
    const int stage = rest.starts_with("beta") ? 1 : rest.starts_with("alpha") ? 0 : -1;
    if (stage < 0) return none;
    const auto digits = rest.substr(stage == 1 ? 4 : 5);
    const auto last = std::from_chars(digits.begin(), digits.end(), minor);
    if (last.ec != std::errc() || last.ptr != digits.end()) return none;
    return {stage, major, minor};
}

json::array texts(const std::vector<std::string>& items) {
    json::array out;
    for (const auto& item : items) out.emplace_back(item);
    return out;
}

json::object response_kind(std::string_view group, std::string_view version, std::string_view kind) {
    json::object out;
    out["group"] = group;
    out["version"] = version;
    out["kind"] = kind;
    return out;
}

// --- aggregated: everything in one document

/// The sub-resources of one resource, those that somebody beside the store answers too.
std::vector<Part> parts_of(const registry::Resource& r, const Subresources& others) {
    auto out = apiserver::parts_of(r);
    if (r.group.empty() && r.plural == "serviceaccounts")
        out.push_back({"token", {"create"}, "authentication.k8s.io", "v1", "TokenRequest"});
    for (const auto& other : others)
        if (other.group == r.group && other.version == r.version && other.plural == r.plural)
            out.push_back({other.name, {"get"}, r.group, r.version, r.kind});
    return out;
}
std::vector<Part> parts_of(const VirtualResource&, const Subresources&) { return {}; }

json::object aggregated_resource(const registry::Resource& r, const Subresources& others) {
    json::object out;
    out["resource"] = r.plural;
    out["responseKind"] = response_kind(r.group, r.version, r.kind);
    out["scope"] = r.namespaced ? "Namespaced" : "Cluster";
    out["singularResource"] = r.singular;
    out["verbs"] = texts(r.verbs);
    if (!r.short_names.empty()) out["shortNames"] = texts(r.short_names);
    if (!r.categories.empty()) out["categories"] = texts(r.categories);
    json::array parts;
    for (const auto& one : parts_of(r, others)) {
        json::object part;
        part["subresource"] = one.name;
        part["responseKind"] = response_kind(one.group, one.version, one.kind);
        part["verbs"] = texts(one.verbs);
        parts.push_back(std::move(part));
    }
    if (!parts.empty()) out["subresources"] = std::move(parts);
    return out;
}

json::object aggregated_resource(const VirtualResource& r, const Subresources&) {
    json::object out;
    out["resource"] = r.plural;
    out["responseKind"] = response_kind(r.group, r.version, r.kind);
    out["scope"] = r.namespaced ? "Namespaced" : "Cluster";
    out["singularResource"] = r.singular;
    out["verbs"] = json::array{"create"};
    return out;
}

/// Calls `take` with each resource of one group and version, in the order of their names.
template <class Take>
void each_resource(const registry::Registry& registry, const std::string& group, const std::string& version,
                   Take take) {
    auto stored = registry.resources();
    std::ranges::sort(stored, {}, &registry::Resource::plural);
    for (const auto* r : stored)
        if (r->group == group && r->version == version) take(*r);
    for (const auto& r : virtual_resources())
        if (r.group == group && r.version == version) take(r);
}

Json aggregated(const registry::Registry& registry, const Subresources& others, bool core,
                const std::string& as_version) {
    json::array items;
    for (const auto& [group, versions] : served_groups(registry)) {
        if (group.empty() != core) continue;
        json::object item;
        item["metadata"] = json::object{{"name", group}, {"creationTimestamp", nullptr}};
        if (group.empty()) item["metadata"] = json::object{{"creationTimestamp", nullptr}};
        json::array list;
        for (const auto& version : versions) {
            json::array resources;
            each_resource(registry, group, version,
                          [&](const auto& r) { resources.push_back(aggregated_resource(r, others)); });
            json::object one;
            one["version"] = version;
            one["resources"] = std::move(resources);
            one["freshness"] = "Current";
            list.push_back(std::move(one));
        }
        item["versions"] = std::move(list);
        items.push_back(std::move(item));
    }
    json::object out;
    out["kind"] = "APIGroupDiscoveryList";
    out["apiVersion"] = "apidiscovery.k8s.io/" + as_version;
    out["metadata"] = json::object();
    out["items"] = std::move(items);
    return out;
}

// --- the plain documents

json::object plain_resource(const registry::Resource& r) {
    json::object out;
    out["name"] = r.plural;
    out["singularName"] = r.singular;
    out["namespaced"] = r.namespaced;
    out["kind"] = r.kind;
    out["verbs"] = texts(r.verbs);
    if (!r.short_names.empty()) out["shortNames"] = texts(r.short_names);
    if (!r.categories.empty()) out["categories"] = texts(r.categories);
    return out;
}

json::object plain_resource(const VirtualResource& r) {
    json::object out;
    out["name"] = r.plural;
    out["singularName"] = r.singular;
    out["namespaced"] = r.namespaced;
    out["kind"] = r.kind;
    out["verbs"] = json::array{"create"};
    return out;
}

std::string group_version(const std::string& group, const std::string& version) {
    return group.empty() ? version : group + "/" + version;
}

std::optional<Json> resource_list(const registry::Registry& registry, const Subresources& others,
                                  const std::string& group, const std::string& version) {
    json::array resources;
    each_resource(registry, group, version, [&](const auto& r) {
        auto one = plain_resource(r);
        auto part = one;
        resources.push_back(std::move(one));
        part["singularName"] = "";
        part.erase("shortNames");
        part.erase("categories");
        for (const auto& below : parts_of(r, others)) {
            auto copy = part;
            copy["name"] = std::string(r.plural) + "/" + below.name;
            copy["kind"] = below.kind;
            copy["verbs"] = texts(below.verbs);
            // told where it is not the group and version of the document
            if (below.group != group || below.version != version) {
                copy["group"] = below.group;
                copy["version"] = below.version;
            }
            resources.push_back(std::move(copy));
        }
    });
    if (resources.empty()) return std::nullopt;
    json::object out;
    out["kind"] = "APIResourceList";
    out["apiVersion"] = "v1";
    out["groupVersion"] = group_version(group, version);
    out["resources"] = std::move(resources);
    return out;
}

json::object group_document(const std::string& group, const std::vector<std::string>& versions) {
    json::array list;
    for (const auto& version : versions)
        list.push_back(json::object{{"groupVersion", group_version(group, version)}, {"version", version}});
    json::object out;
    out["name"] = group;
    out["preferredVersion"] = list.front();
    out["versions"] = std::move(list);
    return out;
}

std::optional<Json> plain(const registry::Registry& registry, const Subresources& others,
                          const std::vector<std::string>& path) {
    const bool core = path[0] == "api";
    if (core && path.size() == 1) {
        json::object out;
        out["kind"] = "APIVersions";
        out["versions"] = json::array{"v1"};
        out["serverAddressByClientCIDRs"] = json::array();
        return out;
    }
    if (core) return resource_list(registry, others, "", path[1]);
    if (path.size() == 3) return resource_list(registry, others, path[1], path[2]);
    json::array groups;
    for (const auto& [group, versions] : served_groups(registry)) {
        if (group.empty()) continue;
        auto one = group_document(group, versions);
        if (path.size() == 2 && group == path[1]) {
            one["kind"] = "APIGroup";
            one["apiVersion"] = "v1";
            return one;
        }
        groups.push_back(std::move(one));
    }
    if (path.size() == 2) return std::nullopt;
    json::object out;
    out["kind"] = "APIGroupList";
    out["apiVersion"] = "v1";
    out["groups"] = std::move(groups);
    return out;
}

}  // namespace

const std::vector<VirtualResource>& virtual_resources() {
    static const std::vector<VirtualResource> all{
        {"authentication.k8s.io", "v1", "selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview"},
        {"authentication.k8s.io", "v1", "tokenreviews", "tokenreview", "TokenReview"},
        {"authorization.k8s.io", "v1", "localsubjectaccessreviews", "localsubjectaccessreview",
         "LocalSubjectAccessReview", true},
        {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview",
         "SelfSubjectAccessReview"},
        {"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview"},
        {"authorization.k8s.io", "v1", "subjectaccessreviews", "subjectaccessreview", "SubjectAccessReview"},
    };
    return all;
}

bool version_before(std::string_view a, std::string_view b) {
    const auto left = version_rank(a), right = version_rank(b);
    return left != right ? left > right : a < b;
}

std::vector<std::pair<std::string, std::vector<std::string>>> served_groups(const registry::Registry& registry) {
    // (0 core, 1 built in, 2 of a CRD), name
    std::map<std::pair<int, std::string>, std::vector<std::string>> groups;
    for (const auto* r : registry.resources())
        groups[{r->group.empty() ? 0 : r->built_in ? 1 : 2, r->group}].push_back(r->version);
    for (const auto& r : virtual_resources()) groups[{1, std::string(r.group)}].emplace_back(r.version);
    std::vector<std::pair<std::string, std::vector<std::string>>> out;
    for (auto& [key, versions] : groups) {
        std::ranges::sort(versions, version_before);
        const auto twice = std::ranges::unique(versions);
        versions.erase(twice.begin(), twice.end());
        out.emplace_back(key.second, std::move(versions));
    }
    return out;
}

const Discovery::Document* Discovery::document(const Route& route, const std::string& aggregated_version) {
    if (const auto now = registry_.discovery(); now != made_for_) {
        documents_.clear();
        made_for_ = now;
    }
    const auto key = aggregated_version + route.path();
    if (const auto found = documents_.find(key); found != documents_.end())
        return found->second ? &*found->second : nullptr;

    Document out;
    if (!aggregated_version.empty()) {
        out.body =
            api::to_text(aggregated(registry_, subresources_, route.segments[0] == "api", aggregated_version)) + "\n";
        out.content_type =
            "application/json;g=apidiscovery.k8s.io;v=" + aggregated_version + ";as=APIGroupDiscoveryList";
        out.etag = "\"" + sha256_hex(out.body) + "\"";
    } else {
        const auto value = plain(registry_, subresources_, route.segments);
        // not kept: a client may ask for any name
        if (!value) return nullptr;
        out.body = api::to_text(*value) + "\n";
        out.content_type = "application/json";
    }
    return &*(documents_[key] = std::move(out));
}

net::ServerReply Discovery::root() const {
    json::array paths{"/api", "/api/v1", "/apis"};
    for (const auto& [group, versions] : served_groups(registry_)) {
        if (group.empty()) continue;
        paths.emplace_back("/apis/" + group);
        for (const auto& version : versions) paths.emplace_back("/apis/" + group + "/" + version);
    }
    for (const auto* path : {"/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"})
        paths.emplace_back(path);
    json::object out;
    out["paths"] = std::move(paths);
    return json_reply(200, api::to_text(out) + "\n");
}

std::optional<net::ServerReply> Discovery::answer(const Exchange& exchange) {
    const auto& path = exchange.route.segments;
    if (path.empty()) return root();
    if (exchange.route.is_resource() || (path[0] != "api" && path[0] != "apis")) return std::nullopt;
    if (path.size() > (path[0] == "api" ? 2u : 3u)) return std::nullopt;
    const auto version = path.size() == 1 ? negotiate_discovery(exchange.request.header("accept")) : std::string();
    const auto* found = document(exchange.route, version);
    if (!found) return std::nullopt;
    auto reply = json_reply(200, found->body);
    reply.headers.find("Content-Type")->second = found->content_type;
    reply.headers.emplace("Vary", "Accept");
    if (found->etag.empty()) return reply;
    reply.headers.emplace("ETag", found->etag);
    if (exchange.request.header("if-none-match") == found->etag) {
        reply.status = 304;
        reply.body.clear();
    }
    return reply;
}

}  // namespace ocim::apiserver
