#include "cli/taken_along.hpp"

#include "crd/gitsources.hpp"
#include "gitops/source.hpp"
#include "runtime/conditions.hpp"
#include "runtime/engine.hpp"

#include <algorithm>

namespace ocim::cli {

namespace {

using api::Json;
using Found = std::vector<std::pair<Spot, Json>>;

std::string annotation(const Json& object, std::string_view name) {
    return std::string(api::find_text(object, {"metadata", "annotations", name}));
}

bool is_true(const Json& object, std::string_view field, bool otherwise) {
    const auto* value = api::find(object, {"spec", field});
    return value && value->is_bool() ? value->get_bool() : otherwise;
}

/// Its deletion takes what it applied with it.
bool prunes(const Json& source) {
    return is_true(source, "prune", true) && !is_true(source, "suspend", false) &&
           annotation(source, runtime::abandon_annotation) != "true";
}

bool is_git_source(const Spot& spot) { return spot.kind == runtime::kind_id(crd::GitSource::kind); }

/// The rehearsal has all that there is of that kind there.
bool is_read(const Spot& spot) {
    if (spot.kind == runtime::kind_id(api::config_map_kind)) return spot.key.namespace_ == "ocim-system";
    return std::ranges::any_of(Rehearsal::kinds(),
                               [&](const auto& kind) { return runtime::kind_id(kind) == spot.kind; });
}

Json named(const Json& entry) {
    return api::json::object{
        {"apiVersion", api::find_text(entry, {"apiVersion"})},
        {"kind", api::find_text(entry, {"kind"})},
        {"metadata", api::json::object{{"namespace", api::find_text(entry, {"namespace"})},
                                       {"name", api::find_text(entry, {"name"})}}},
    };
}

Found in_namespace(const std::string& name, const std::map<Spot, Json>& known) {
    Found out;
    for (const auto& one : known)
        if (one.first.key.namespace_ == name) out.emplace_back(one);
    return out;
}

Found pruned_with(const Spot& source, const Json& object, const std::map<Spot, Json>& known) {
    Found out;
    const auto* inventory = api::find(object, {"status", "inventory"});
    if (!inventory || !inventory->is_array() || !prunes(object)) return out;
    const auto mark = source.key.namespace_ + "/" + source.key.name;
    for (const auto& entry : inventory->get_array()) {
        auto one = named(entry);
        const auto spot = spot_of(one);
        const auto found = known.find(spot);
        if (found == known.end()) {
            if (!is_read(spot)) out.emplace_back(spot, std::move(one));
        } else if (annotation(found->second, gitops::mark_annotation) == mark &&
                   annotation(found->second, gitops::prune_annotation) != "disabled") {
            out.emplace_back(*found);
        }
    }
    return out;
}

}  // namespace

Found taken_along(const Spot& spot, const Json& object, const std::map<Spot, Json>& known) {
    if (spot.kind == runtime::kind_id(api::namespace_kind)) return in_namespace(spot.key.name, known);
    return is_git_source(spot) ? pruned_with(spot, object, known) : Found();
}

std::optional<Rehearsed::Untold> untold_of_git_source(const Spot& spot, const Json& object) {
    if (!is_git_source(spot)) return std::nullopt;
    if (!runtime::is_deleting(object)) {
        if (is_true(object, "suspend", false)) return std::nullopt;
        return Rehearsed::Untold{
            spot, "what its repository has is applied by the server, and what it has no more is pruned", true};
    }
    const auto* inventory = api::find(object, {"status", "inventory"});
    const bool any = inventory && inventory->is_array() && !inventory->get_array().empty();
    if (!any || !prunes(object)) return std::nullopt;
    return Rehearsed::Untold{spot, "the server removes what it applied, as far as it still has its mark", false};
}

}  // namespace ocim::cli
