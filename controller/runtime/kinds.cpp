#include "runtime/kinds.hpp"

#include "runtime/base64.hpp"
#include "runtime/content.hpp"

namespace ocim::runtime {

namespace {

/// "ocim.opencraft.com" of "ocim.opencraft.com/v1alpha1", "" of "v1".
std::string_view group_of(std::string_view api_version) {
    const auto slash = api_version.find('/');
    return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

void add_texts(const Json& value, std::string_view field, std::set<std::string>& out) {
    if (value.is_array()) {
        for (const auto& item : value.get_array()) add_texts(item, field, out);
        return;
    }
    if (field.empty()) {
        if (value.is_string()) out.emplace(value.get_string());
        return;
    }
    const auto dot = field.find('.');
    if (const auto* next = api::find(value, {field.substr(0, dot)}))
        add_texts(*next, dot == std::string_view::npos ? "" : field.substr(dot + 1), out);
}

bool is_of(const Json& object, const api::Kind& kind) {
    return api::find_text(object, {"kind"}) == kind.name &&
           group_of(api::find_text(object, {"apiVersion"})) == kind.group;
}

}  // namespace

std::set<std::string> texts_at(const Json& object, std::string_view field) {
    std::set<std::string> out;
    add_texts(object, field, out);
    return out;
}

void Inputs::add(Json object) { add(std::make_shared<const Json>(std::move(object))); }

void Inputs::add(ObjectPtr object) { items_.push_back(std::move(object)); }

std::size_t Inputs::fingerprint() const {
    std::size_t out = 0;
    for (const auto& item : items_) out = out * 31 + content_hash(*item);
    return out;
}

const Json* Inputs::find(const api::Kind& kind, const std::string& namespace_, const std::string& name) const {
    for (const auto& item : items_) {
        if (api::find_text(*item, {"metadata", "name"}) != name) continue;
        if (api::find_text(*item, {"metadata", "namespace"}) != namespace_) continue;
        if (is_of(*item, kind)) return item.get();
    }
    return nullptr;
}

std::vector<const Json*> Inputs::all(const api::Kind& kind) const {
    std::vector<const Json*> out;
    for (const auto& item : items_)
        if (is_of(*item, kind)) out.push_back(item.get());
    return out;
}

std::optional<Secret> Inputs::secret(const std::string& namespace_, const std::string& name,
                                     const std::string& key) const {
    const auto* found = find(api::secret_kind, namespace_, name);
    if (!found) return std::nullopt;
    const auto* data = api::find(*found, {"data", key});
    if (!data || !data->is_string()) return std::nullopt;
    auto text = from_base64(std::string_view(data->get_string()));
    if (!text) return std::nullopt;
    return Secret(*std::move(text));
}

const Json* Children::find(const api::Kind& kind, const std::string& name) const {
    for (const auto& item : items_)
        if (is_of(item, kind) && api::find_text(item, {"metadata", "name"}) == name) return &item;
    return nullptr;
}

}  // namespace ocim::runtime
