#include "registry/selection.hpp"

#include "registry/event_shape.hpp"
#include "registry/text.hpp"

#include <algorithm>

namespace ocim::registry {

namespace {

std::vector<std::string_view> steps_of(std::string_view path) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto dot = path.find('.');
        out.push_back(path.substr(0, dot));
        if (dot == std::string_view::npos) return out;
        path.remove_prefix(dot + 1);
    }
}

}  // namespace

Outcome<Selection> Selection::make(const Served& served, const api::LabelSelector& labels,
                                   const api::FieldSelector& fields) {
    Selection out;
    const auto& resource = served.resource;
    out.prefix_ = served.prefix;
    out.namespaced_ = resource.namespaced;
    out.events_ = served.special == Special::event_core || served.special == Special::event_v1;
    out.labels_ = labels;
    for (const auto& one : fields.requirements()) {
        const bool known = one.path == "metadata.name" || (one.path == "metadata.namespace" && resource.namespaced) ||
                           std::ranges::find(resource.selectable_fields, one.path) != resource.selectable_fields.end();
        if (!known) return api::bad_request("field label not supported: " + one.path);
        auto path = out.events_ ? event_path_in_core(one.path) : one.path;
        if (out.events_ && path == "source") path = "source.component";
        out.fields_.push_back({std::move(path), one.equal, one.value});
        if (one.path == "metadata.name" && one.equal) out.only_name_ = one.value;
    }
    return out;
}

std::optional<std::string> Selection::only_key(const Served& served, const std::string& namespace_) const {
    if (only_name_.empty() || (namespaced_ && namespace_.empty())) return std::nullopt;
    return served.key(namespace_, only_name_);
}

bool Selection::matches(const std::string& key, const std::string& text) const {
    const auto rest = std::string_view(key).substr(prefix_.size());
    const auto slash = namespaced_ ? rest.find('/') : std::string_view::npos;
    for (const auto& field : fields_) {
        bool equal = false;
        if (field.path == "metadata.name")
            equal = (slash == std::string_view::npos ? rest : rest.substr(slash + 1)) == field.value;
        else if (field.path == "metadata.namespace")
            equal = rest.substr(0, slash) == field.value;
        else
            equal = text_at(text, steps_of(field.path)) == field.value;
        if (equal != field.equal) return false;
    }
    return labels_.empty() || labels_.matches(labels_of(text));
}

}  // namespace ocim::registry
