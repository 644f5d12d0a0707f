#include "registry/definition.hpp"

#include "registry/definition_version.hpp"
#include "registry/metadata.hpp"
#include "registry/scale.hpp"
#include "registry/special.hpp"

#include <algorithm>
#include <set>

namespace ocim::registry {

using api::Cause;
using api::Json;
namespace json = boost::json;

namespace {

std::string quoted(std::string_view text) { return api::to_text(Json(text)); }

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

std::string text(const Json& value, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(value, path));
}

bool flag(const Json& value, std::string_view name) {
    const auto* found = api::find(value, {name});
    return found && found->is_bool() && found->get_bool();
}

const json::array& list(const Json& value, std::initializer_list<std::string_view> path) {
    static const json::array none;
    const auto* found = api::find(value, path);
    return found && found->is_array() ? found->get_array() : none;
}

std::vector<std::string> texts(const Json& value, std::initializer_list<std::string_view> path) {
    std::vector<std::string> out;
    for (const auto& item : list(value, path))
        if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

void invalid(std::vector<Cause>& out, const std::string& field, std::string_view value, const std::string& why) {
    out.push_back({"FieldValueInvalid", "Invalid value: " + quoted(value) + ": " + why, field});
}
void required(std::vector<Cause>& out, const std::string& field, const std::string& why = "") {
    out.push_back({"FieldValueRequired", "Required value" + (why.empty() ? "" : ": " + why), field});
}

void check_names(const Json& definition, std::vector<Cause>& out) {
    const auto* names = api::find(definition, {"spec", "names"});
    if (!names) return required(out, "spec.names");
    const auto check = [&](const char* field, bool as_kind) {
        const auto value = text(*names, {field});
        const auto at = std::string("spec.names.") + field;
        if (value.empty()) return required(out, at);
        for (const auto& why : wrong_with_1035_label(as_kind ? lower(value) : value))
            invalid(out, at, value, as_kind ? "may have mixed case, but should otherwise match: " + why : why);
    };
    check("plural", false);
    check("singular", false);
    check("kind", true);
    check("listKind", true);
    if (!text(*names, {"kind"}).empty() && text(*names, {"kind"}) == text(*names, {"listKind"}))
        invalid(out, "spec.names.listKind", text(*names, {"listKind"}), "kind and listKind may not be the same");
    for (const char* field : {"shortNames", "categories"})
        for (std::size_t i = 0; i < list(*names, {field}).size(); ++i) {
            const auto value = texts(*names, {field})[i];
            for (const auto& why : wrong_with_1035_label(value))
                invalid(out, std::string("spec.names.") + field + "[" + std::to_string(i) + "]", value, why);
        }
}

void check_group(const Json& definition, std::vector<Cause>& out) {
    const auto group = text(definition, {"spec", "group"});
    if (group.empty()) return required(out, "spec.group");
    for (const auto& why : wrong_with_subdomain(group)) invalid(out, "spec.group", group, why);
    if (group.find('.') == std::string::npos)
        invalid(out, "spec.group", group, "should be a domain with at least one dot");
    const bool guarded = group.ends_with(".k8s.io") || group.ends_with(".kubernetes.io");
    if (guarded && text(definition, {"metadata", "annotations", "api-approved.kubernetes.io"}).empty())
        required(out, "metadata.annotations[api-approved.kubernetes.io]",
                 "protected groups must have approval annotation \"api-approved.kubernetes.io\", see "
                 "https://github.com/kubernetes/enhancements/pull/1111");
}

void check_versions(const Json& definition, std::vector<Cause>& out) {
    const auto& versions = list(definition, {"spec", "versions"});
    if (versions.empty())
        return required(out, "spec.versions", "must have exactly one version marked as storage version");
    std::size_t stored = 0;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < versions.size(); ++i) {
        const auto at = "spec.versions[" + std::to_string(i) + "]";
        const auto name = text(versions[i], {"name"});
        if (!seen.insert(name).second) invalid(out, at + ".name", name, "must be unique");
        stored += flag(versions[i], "storage") ? 1U : 0U;
        check_version(versions[i], at, out);
    }
    if (stored != 1)
        out.push_back({"FieldValueInvalid",
                       "Invalid value: " + api::to_text(Json(json::array(seen.begin(), seen.end()))) +
                           ": must have exactly one version marked as storage version",
                       "spec.versions"});
    const auto kept = texts(definition, {"status", "storedVersions"});
    for (std::size_t i = 0; i < kept.size(); ++i)
        if (!seen.contains(kept[i]))
            invalid(out, "status.storedVersions[" + std::to_string(i) + "]", kept[i],
                    "missing from spec.versions; " + kept[i] +
                        " was previously a storage version, and must remain in spec.versions until a storage "
                        "migration ensures no data remains persisted in " +
                        kept[i] + " and removes " + kept[i] + " from status.storedVersions");
}

void check_immutable(const Json& definition, const Json& old, std::vector<Cause>& out) {
    const auto fixed = [&](std::initializer_list<std::string_view> path, const char* field) {
        if (text(definition, path) != text(old, path))
            invalid(out, field, text(definition, path), "field is immutable");
    };
    fixed({"spec", "group"}, "spec.group");
    if (!is_established(old)) return;
    fixed({"spec", "scope"}, "spec.scope");
    fixed({"spec", "names", "kind"}, "spec.names.kind");
    fixed({"spec", "names", "plural"}, "spec.names.plural");
}

/// The names that other definitions of the group hold.
struct Taken {
    std::set<std::string> words, kinds;

    Taken(const Json& definition, const std::vector<Json>& others) {
        const auto group = text(definition, {"spec", "group"});
        for (const auto& other : others) {
            if (text(other, {"spec", "group"}) != group ||
                text(other, {"metadata", "name"}) == text(definition, {"metadata", "name"}))
                continue;
            words.insert(text(other, {"status", "acceptedNames", "plural"}));
            words.insert(text(other, {"status", "acceptedNames", "singular"}));
            for (const auto& name : texts(other, {"status", "acceptedNames", "shortNames"})) words.insert(name);
            kinds.insert(text(other, {"status", "acceptedNames", "kind"}));
            kinds.insert(text(other, {"status", "acceptedNames", "listKind"}));
        }
        words.erase("");  // nothing was accepted there
        kinds.erase("");
    }
};

/// Gives a definition those of its names that are free; what it was given before it keeps. The reason and the message
/// of the last conflict, as Kubernetes, if there is any.
std::optional<std::pair<std::string, std::string>> accept_names(Json& definition, const Taken& taken) {
    const auto wanted = *api::find(definition, {"spec", "names"});
    std::optional<std::pair<std::string, std::string>> conflict;
    auto& accepted = api::make_object(definition, {"status", "acceptedNames"});
    const auto had = Json(accepted);
    const auto clash = [&](const char* reason, const std::string& name) {
        conflict = std::pair(std::string(reason), quoted(name) + " is already in use");
    };
    const auto accept = [&](const char* field, const char* reason, const std::set<std::string>& others) {
        const auto name = text(wanted, {field});
        if (name != text(had, {field}) && others.contains(name)) return clash(reason, name);
        accepted[field] = name;
    };
    const auto copy = [&](const char* field) {
        if (const auto* value = api::find(wanted, {field}))
            accepted[field] = *value;
        else
            accepted.erase(field);
    };
    accept("plural", "PluralConflict", taken.words);
    accept("singular", "SingularConflict", taken.words);
    const auto mine = texts(had, {"shortNames"});
    const auto wanted_short = texts(wanted, {"shortNames"});
    const auto other = std::ranges::find_if(wanted_short, [&](const std::string& name) {
        return taken.words.contains(name) && std::ranges::find(mine, name) == mine.end();
    });
    if (other == wanted_short.end())
        copy("shortNames");
    else
        clash("ShortNamesConflict", *other);
    accept("kind", "KindConflict", taken.kinds);
    accept("listKind", "ListKindConflict", taken.kinds);
    copy("categories");
    for (const char* field : {"plural", "kind"})
        if (!accepted.contains(field)) accepted[field] = "";
    return conflict;
}

bool condition_is(const Json& object, std::string_view type, std::string_view status) {
    return std::ranges::any_of(list(object, {"status", "conditions"}), [&](const Json& condition) {
        return api::find_text(condition, {"type"}) == type && api::find_text(condition, {"status"}) == status;
    });
}

Result<std::vector<schema::Column>> columns_of(const Json& version) {
    std::vector<schema::Column> out;
    for (const auto& column : list(version, {"additionalPrinterColumns"})) {
        schema::Column made;
        made.name = text(column, {"name"});
        made.type = text(column, {"type"});
        made.format = text(column, {"format"});
        made.description = text(column, {"description"});
        if (made.description.empty())
            made.description = "Custom resource definition column (in JSONPath format): " + text(column, {"jsonPath"});
        if (const auto* priority = api::find(column, {"priority"}); priority && priority->is_int64())
            made.priority = static_cast<int>(priority->get_int64());
        auto path = schema::JsonPath::parse(text(column, {"jsonPath"}));
        if (!path) return std::move(path).error();
        made.path = *std::move(path);
        out.push_back(std::move(made));
    }
    if (!out.empty()) return out;
    schema::Column age;
    age.name = "Age";
    age.type = "date";
    age.description = "When the object was created.";
    auto path = schema::JsonPath::parse(".metadata.creationTimestamp");
    if (!path) return std::move(path).error();
    age.path = *std::move(path);
    out.push_back(std::move(age));
    return out;
}

Special special_of(std::string_view group, std::string_view plural) {
    if (group == "events.k8s.io" && plural == "events") return Special::event_v1;
    if (group == "apiextensions.k8s.io" && plural == "customresourcedefinitions") return Special::definition;
    if (group == "rbac.authorization.k8s.io")
        return plural == "roles" || plural == "clusterroles" ? Special::role : Special::binding;
    if (!group.empty()) return Special::none;
    if (plural == "resourcequotas") return Special::quota;
    if (plural == "namespaces") return Special::namespace_;
    if (plural == "secrets") return Special::secret;
    if (plural == "configmaps") return Special::config_map;
    if (plural == "events") return Special::event_core;
    return Special::none;
}

Result<std::shared_ptr<Served>> compile_version(const Json& definition, const Json& version, bool built_in) {
    auto out = std::make_shared<Served>();
    auto& resource = out->resource;
    // once it is served, a name that another holds is asked for and not given
    const auto* accepted = built_in ? nullptr : api::find(definition, {"status", "acceptedNames"});
    const auto& names = accepted ? *accepted : *api::find(definition, {"spec", "names"});
    resource.group = text(definition, {"spec", "group"});
    resource.version = text(version, {"name"});
    resource.kind = text(names, {"kind"});
    resource.list_kind = text(names, {"listKind"});
    resource.plural = text(names, {"plural"});
    resource.singular = text(names, {"singular"});
    resource.short_names = texts(names, {"shortNames"});
    resource.categories = texts(names, {"categories"});
    resource.namespaced = text(definition, {"spec", "scope"}) == "Namespaced";
    resource.status_subresource = api::find(version, {"subresources", "status"}) != nullptr;
    if (const auto* scale = api::find(version, {"subresources", "scale"}))
        resource.scale = Resource::Scale{scale_path(text(*scale, {"specReplicasPath"})),
                                         scale_path(text(*scale, {"statusReplicasPath"})),
                                         scale_path(text(*scale, {"labelSelectorPath"}))};
    resource.built_in = built_in;
    resource.verbs = {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"};
    if (flag(version, "deprecated")) {
        resource.deprecation = text(version, {"deprecationWarning"});
        if (resource.deprecation.empty())
            resource.deprecation = resource.api_version() + " " + resource.kind + " is deprecated";
    }
    out->special = built_in ? special_of(resource.group, resource.plural) : Special::none;
    if (out->special == Special::namespace_) std::erase(resource.verbs, "deletecollection");
    resource.selectable_fields =
        built_in ? selectable_fields(resource.group, resource.plural) : std::vector<std::string>();
    for (const auto& field : list(version, {"selectableFields"})) {
        auto path = text(field, {"jsonPath"});
        resource.selectable_fields.push_back(path.starts_with('.') ? path.substr(1) : path);
    }
    auto columns = columns_of(version);
    if (!columns) return std::move(columns).error();
    resource.columns = *std::move(columns);
    auto schema = schema::Schema::compile(*api::find(version, {"schema", "openAPIV3Schema"}),
                                          "spec.versions[" + resource.version + "].schema.openAPIV3Schema");
    if (!schema) return std::move(schema).error();
    resource.schema = *std::move(schema);

    out->prefix = key_prefix(resource.group, resource.plural);
    if (out->special == Special::namespace_) out->names = NameRule::label;
    if (resource.group == "rbac.authorization.k8s.io") out->names = NameRule::path_segment;
    out->generation = !built_in || out->special == Special::definition;
    out->unconditional = built_in && out->special != Special::definition && resource.plural != "leases";
    out->terminating = deleting(definition);
    return out;
}

}  // namespace

void prepare_definition(Json& definition, const Json* old) {
    auto* spec = definition.as_object().if_contains("spec");
    if (!spec || !spec->is_object()) return;
    if (text(*spec, {"conversion", "strategy"}).empty()) api::make_object(*spec, {"conversion"})["strategy"] = "None";
    auto* names = spec->get_object().if_contains("names");
    if (names && names->is_object()) {
        auto& fields = names->get_object();
        const auto kind = text(*names, {"kind"});
        if (text(*names, {"singular"}).empty()) fields["singular"] = lower(kind);
        if (text(*names, {"listKind"}).empty() && !kind.empty()) fields["listKind"] = kind + "List";
    }
    (void)old;
}

std::vector<Cause> validate_definition(const Json& definition, const Json* old) {
    std::vector<Cause> out;
    const auto name = text(definition, {"metadata", "name"});
    const auto wanted = text(definition, {"spec", "names", "plural"}) + "." + text(definition, {"spec", "group"});
    if (name != wanted) invalid(out, "metadata.name", name, "must be spec.names.plural+\".\"+spec.group");
    check_group(definition, out);
    const auto strategy = text(definition, {"spec", "conversion", "strategy"});
    if (strategy != "None")
        out.push_back({"FieldValueNotSupported",
                       "Unsupported value: " + quoted(strategy) + ": supported values: \"None\"",
                       "spec.conversion.strategy"});
    else if (api::find(definition, {"spec", "conversion", "webhook"}))
        out.push_back({"FieldValueForbidden", "Forbidden: should not be set when strategy is not set to Webhook",
                       "spec.conversion.webhook"});
    if (const auto* spec = api::find(definition, {"spec"}); spec && flag(*spec, "preserveUnknownFields"))
        out.push_back({"FieldValueInvalid",
                       "Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                       "spec.versions[*].schema instead",
                       "spec.preserveUnknownFields"});
    check_names(definition, out);
    check_versions(definition, out);
    if (old) check_immutable(definition, *old, out);
    return out;
}

void set_condition(Json& object, std::string_view type, bool status, std::string_view reason, std::string_view message,
                   const std::string& now) {
    auto& fields = api::make_object(object, {"status"});
    auto& conditions = fields["conditions"];
    if (!conditions.is_array()) conditions = json::array();
    auto& items = conditions.get_array();
    auto found = std::ranges::find_if(items, [&](const Json& c) { return api::find_text(c, {"type"}) == type; });
    if (found == items.end()) {
        items.push_back(json::object{{"type", type}});
        found = items.end() - 1;
    }
    auto& condition = found->get_object();
    const std::string_view value = status ? "True" : "False";
    if (api::find_text(*found, {"status"}) != value) condition["lastTransitionTime"] = now;
    condition["status"] = value;
    condition["reason"] = reason;
    condition["message"] = message;
}

void establish(Json& definition, const std::vector<Json>& others, const std::string& now) {
    auto& status = api::make_object(definition, {"status"});
    auto stored = texts(definition, {"status", "storedVersions"});
    for (const auto& version : list(definition, {"spec", "versions"}))
        if (const auto name = text(version, {"name"});
            flag(version, "storage") && std::ranges::find(stored, name) == stored.end())
            stored.push_back(name);
    status["storedVersions"] = json::array(stored.begin(), stored.end());
    const auto conflict = accept_names(definition, Taken(definition, others));
    if (!conflict) {
        set_condition(definition, "NamesAccepted", true, "NoConflicts", "no conflicts found", now);
        if (!is_established(definition))
            set_condition(definition, "Established", true, "InitialNamesAccepted",
                          "the initial names have been accepted", now);
        return;
    }
    set_condition(definition, "NamesAccepted", false, conflict->first, conflict->second, now);
    if (!is_established(definition))
        set_condition(definition, "Established", false, "NotAccepted", "not all names are accepted", now);
}

bool is_established(const Json& definition) { return condition_is(definition, "Established", "True"); }

Result<std::vector<std::shared_ptr<Served>>> compile_definition(const Json& definition, bool built_in) {
    std::vector<std::shared_ptr<Served>> out;
    std::string stored;
    for (const auto& version : list(definition, {"spec", "versions"})) {
        const bool storage = flag(version, "storage");
        if (!flag(version, "served") && !storage) continue;
        auto compiled = compile_version(definition, version, built_in);
        if (!compiled) return std::move(compiled).error();
        if (storage) stored = (*compiled)->resource.api_version();
        if (flag(version, "served")) out.push_back(*std::move(compiled));
    }
    for (const auto& served : out) served->stored_version = served->special == Special::event_v1 ? "v1" : stored;
    return out;
}

}  // namespace ocim::registry
