#include "openedx/redeployment_choice.hpp"

#include "api/patch.hpp"
#include "api/selector.hpp"
#include "crd/schemas.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace ocim::openedx {
namespace {

using api::Json;
using Selector = std::decay_t<decltype(crd::Redeployment::Spec{}.selector)>;
using Field = std::decay_t<decltype(Selector{}.match_fields[0])>;
constexpr std::size_t words_max = 500;

const Json* at_path(const Json& object, std::string_view path) {
    const auto* here = &object;
    while (here && !path.empty()) {
        const auto dot = path.find('.');
        here = api::find(*here, {path.substr(0, dot)});
        path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
    }
    return here;
}

std::string as_text(const Json& value) {
    return value.is_string() ? std::string(value.get_string()) : api::to_text(value);
}

bool holds(const Field& field, const Json& instance) {
    using Operator = Field::Operator;
    const auto* found = at_path(instance, field.key);
    const bool listed = found && std::ranges::find(field.values, as_text(*found)) != field.values.end();
    switch (field.operator_) {
        case Operator::in: return listed;
        case Operator::not_in: return !listed;
        case Operator::exists: return found != nullptr;
        case Operator::does_not_exist: return found == nullptr;
    }
    return false;
}

std::optional<Json> schema_of_spec() {
    for (const auto text : crd::schemas()) {
        auto parsed = api::parse_json(text);
        if (!parsed || api::find_text(parsed->value, {"spec", "names", "kind"}) != crd::Instance::kind.name) continue;
        const auto* versions = api::find(parsed->value, {"spec", "versions"});
        if (!versions || !versions->is_array() || versions->get_array().empty()) continue;
        if (const auto* spec =
                api::find(versions->get_array().front(), {"schema", "openAPIV3Schema", "properties", "spec"}))
            return *spec;
    }
    return std::nullopt;
}

/// Fields of the patch that an Instance does not have.
void find_unknown(const Json& patch, const Json& schema, const std::string& path, std::vector<api::Cause>& out) {
    const auto* fields = api::find(schema, {"properties"});
    if (!patch.is_object() || !fields) return;
    for (const auto& [name, value] : patch.get_object()) {
        const auto here = path + "." + std::string(name);
        const auto* known = api::find(*fields, {name});
        if (!known)
            out.push_back({"FieldValueInvalid", "the spec of an Instance has no such field", here});
        else
            find_unknown(value, *known, here, out);
    }
}

void without_nulls(Json& value) {
    if (!value.is_object()) return;
    auto& fields = value.get_object();
    for (auto it = fields.begin(); it != fields.end();) {
        if (it->value().is_null()) {
            it = fields.erase(it);
        } else {
            without_nulls(it->value());
            ++it;
        }
    }
}

}  // namespace

Result<bool> chooses(const crd::Redeployment& object, const Json& instance) {
    const auto& selector = object.spec.selector;
    auto labels = api::encode(selector);
    if (labels.is_object()) labels.get_object().erase("matchFields");
    const auto by_label = api::LabelSelector::from_json(labels);
    if (!by_label) return by_label.error();
    const std::string name(api::find_text(instance, {"metadata", "name"}));
    if (std::ranges::find(object.spec.exclude, name) != object.spec.exclude.end()) return false;
    const auto* archived = api::find(instance, {"spec", "archived"});
    if (archived && archived->is_bool() && archived->get_bool()) return false;
    if (api::find(instance, {"metadata", "deletionTimestamp"})) return false;
    return by_label->matches(instance) &&
           std::ranges::all_of(selector.match_fields, [&](const auto& field) { return holds(field, instance); });
}

std::vector<api::Cause> patch_problems(const crd::Redeployment& object) {
    const auto& patch = object.spec.patch;
    std::vector<api::Cause> out;
    if (patch.is_null()) return out;
    if (!patch.is_object()) return {{"FieldValueInvalid", "must be a mapping", "spec.patch"}};
    static const auto schema = schema_of_spec();
    if (schema) find_unknown(patch, *schema, "spec.patch", out);
    const struct {
        std::initializer_list<std::string_view> path;
        const char* field;
        const char* why;
    } refused[] = {
        {{"subdomain"}, "subdomain", "names and databases are made from it"},
        {{"archived"}, "archived", "what is archived is not deployed"},
        {{"rollout", "request"}, "rollout.request", "the Redeployment sets it itself"},
        {{"rollout", "activation"}, "rollout.activation", "spec.activate says so"},
        {{"rollout", "strategy"}, "rollout.strategy", "change it by itself, before"},
    };
    for (const auto& row : refused)
        if (api::find(patch, row.path))
            out.push_back({"FieldValueForbidden", std::string("cannot be changed here: ") + row.why,
                           std::string("spec.patch.") + row.field});
    if (!out.empty()) return out;
    auto spec = patch;
    without_nulls(spec);
    for (const auto* needed : {"className", "subdomain"})
        if (!spec.get_object().contains(needed)) spec.get_object()[needed] = "x";
    api::json::object whole{{"apiVersion", crd::Instance::kind.api_version()},
                            {"kind", crd::Instance::kind.name},
                            {"metadata", api::json::object{{"name", "x"}, {"namespace", "x"}}},
                            {"spec", std::move(spec)}};
    const auto decoded = api::decode_object<crd::Instance>(Json(std::move(whole)));
    if (!decoded) out.push_back({"FieldValueInvalid", decoded.error().message, "spec.patch"});
    return out;
}

Json reverse_patch(const Json& before, const Json& patch) {
    api::json::object out;
    if (!patch.is_object()) return out;
    for (const auto& [name, value] : patch.get_object()) {
        const auto* old = api::find(before, {name});
        if (!old) {
            out[name] = nullptr;
        } else if (value.is_object() && old->is_object()) {
            out[name] = reverse_patch(*old, value);
        } else {
            out[name] = *old;
        }
    }
    return out;
}

std::string changes_in_words(const Json& spec, const Json& patch) {
    auto after = spec;
    if (patch.is_object()) api::merge_patch(after, patch);
    std::string out;
    if (patch.is_object())
        for (const auto& [name, value] : patch.get_object()) {
            const auto* before = api::find(spec, {name});
            const auto* now = api::find(after, {name});
            const auto old = before ? as_text(*before) : "none", wanted = now ? as_text(*now) : "none";
            if (old != wanted) out += (out.empty() ? "" : "; ") + std::string(name) + ": " + old + " -> " + wanted;
        }
    if (out.size() > words_max) out = out.substr(0, words_max) + "…";
    return out.empty() ? "the same configuration" : out;
}

}  // namespace ocim::openedx
