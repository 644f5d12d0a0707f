#include "cli/served_kinds.hpp"

#include "net/http_client.hpp"

#include <algorithm>
#include <cctype>

namespace ocim::cli {

namespace {

using api::Json;

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::vector<std::string> texts(const Json& object, std::string_view field) {
    std::vector<std::string> out;
    if (const auto* found = api::find(object, {field}); found && found->is_array())
        for (const auto& item : found->get_array())
            if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

bool is_called(const ServedKind& kind, std::string_view name) {
    return kind.plural == name || kind.singular == name || lower(kind.kind) == name ||
           std::ranges::find(kind.short_names, name) != kind.short_names.end();
}

/// "dns", "dns.ocim.opencraft.com", "dns.v1alpha1.ocim.opencraft.com".
bool matches(const ServedKind& kind, std::string_view name) {
    if (is_called(kind, name)) return true;
    const auto dot = name.find('.');
    if (dot == name.npos || !is_called(kind, name.substr(0, dot))) return false;
    const auto rest = name.substr(dot + 1);
    return rest == kind.group || rest == kind.version + "." + kind.group;
}

ServedKind read_kind(const Json& resource, const std::string& group, const std::string& version) {
    ServedKind out;
    out.group = group;
    out.version = version;
    out.kind = api::find_text(resource, {"kind"});
    out.plural = api::find_text(resource, {"name"});
    out.singular = api::find_text(resource, {"singularName"});
    if (out.singular.empty()) out.singular = lower(out.kind);
    out.short_names = texts(resource, "shortNames");
    out.categories = texts(resource, "categories");
    out.verbs = texts(resource, "verbs");
    const auto* namespaced = api::find(resource, {"namespaced"});
    out.namespaced = namespaced && namespaced->is_bool() && namespaced->get_bool();
    return out;
}

}  // namespace

std::string ServedKind::named(const std::string& name) const {
    return singular + (group.empty() ? "" : "." + group) + "/" + name;
}

std::string ServedKind::target(const std::string& namespace_, const std::string& name) const {
    auto out = (group.empty() ? "/api/" : "/apis/") + api_version();
    if (namespaced && !namespace_.empty()) out += "/namespaces/" + net::percent_encode(namespace_);
    out += "/" + plural;
    return name.empty() ? out : out + "/" + net::percent_encode(name);
}

Answer<> ServedKinds::load_groups() {
    if (groups_known_) return {};
    const auto said = server_.get("/apis");
    if (!said) return said.error();
    groups_ = {{"", "v1"}};
    if (const auto* list = api::find(*said, {"groups"}); list && list->is_array())
        for (const auto& item : list->get_array())
            groups_.push_back({std::string(api::find_text(item, {"name"})),
                               std::string(api::find_text(item, {"preferredVersion", "version"}))});
    // ours first after the core: most questions are about them
    const auto ours = std::ranges::find(groups_, "ocim.opencraft.com", &Group::name);
    if (ours != groups_.end()) std::rotate(groups_.begin() + 1, ours, ours + 1);
    groups_known_ = true;
    return {};
}

Answer<> ServedKinds::load(Group& group) {
    if (group.known) return {};
    const auto said =
        server_.get(group.name.empty() ? "/api/" + group.version : "/apis/" + group.name + "/" + group.version);
    if (!said) return said.error();
    if (const auto* list = api::find(*said, {"resources"}); list && list->is_array())
        for (const auto& item : list->get_array())
            if (api::find_text(item, {"name"}).find('/') == std::string_view::npos)
                kinds_.push_back(read_kind(item, group.name, group.version));
    group.known = true;
    return {};
}

Answer<std::vector<const ServedKind*>> ServedKinds::find(std::string_view asked) {
    if (auto loaded = load_groups(); !loaded) return loaded.error();
    const auto name = lower(asked);
    std::size_t looked = 0;
    for (auto& group : groups_) {
        if (auto loaded = load(group); !loaded) return loaded.error();
        for (; looked < kinds_.size(); ++looked)
            if (matches(kinds_[looked], name)) return std::vector<const ServedKind*>{&kinds_[looked]};
    }
    // those of several: a name goes before a category, as in kubectl
    std::vector<const ServedKind*> out;
    for (const auto& kind : kinds_)
        if (std::ranges::find(kind.categories, name) != kind.categories.end()) out.push_back(&kind);
    if (!out.empty()) return out;
    return refusal("the server doesn't have a resource type \"" + std::string(asked) + "\"");
}

Answer<const ServedKind*> ServedKinds::of(const Json& object) {
    const std::string version(api::find_text(object, {"apiVersion"})), kind(api::find_text(object, {"kind"}));
    if (version.empty() || kind.empty()) return refusal("a manifest lacks its apiVersion or its kind");
    const auto slash = version.find('/');
    Group wanted{slash == version.npos ? "" : version.substr(0, slash),
                 slash == version.npos ? version : version.substr(slash + 1)};
    const auto look = [&]() -> const ServedKind* {
        for (const auto& one : kinds_)
            if (one.kind == kind && one.group == wanted.name && one.version == wanted.version) return &one;
        return nullptr;
    };
    if (const auto* known = look()) return known;
    auto loaded = load(wanted);
    if (!loaded && loaded.error().code != 404) return loaded.error();
    if (const auto* known = look()) return known;
    return refusal("no matches for kind \"" + kind + "\" in version \"" + version +
                   "\": install its CustomResourceDefinition first");
}

Answer<std::vector<const ServedKind*>> ServedKinds::of_group(std::string_view name) {
    if (auto loaded = load_groups(); !loaded) return loaded.error();
    const auto group = std::ranges::find(groups_, name, &Group::name);
    if (group == groups_.end()) return refusal("the server does not serve the group " + std::string(name));
    if (auto loaded = load(*group); !loaded) return loaded.error();
    std::vector<const ServedKind*> out;
    for (const auto& kind : kinds_)
        if (kind.group == name) out.push_back(&kind);
    return out;
}

}  // namespace ocim::cli
