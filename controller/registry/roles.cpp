#include "registry/roles.hpp"

namespace ocim::registry {

using api::Cause;
using api::Json;
namespace json = boost::json;

namespace {

constexpr std::string_view group = "rbac.authorization.k8s.io";

std::string quoted(std::string_view text) { return api::to_text(Json(text)); }

const json::array& list(const Json& value, std::string_view field) {
    static const json::array none;
    const auto* found = api::find(value, {field});
    return found && found->is_array() ? found->get_array() : none;
}

void required(std::vector<Cause>& out, std::string field, std::string_view why = "") {
    out.push_back(
        {"FieldValueRequired", "Required value" + (why.empty() ? "" : ": " + std::string(why)), std::move(field)});
}
void invalid(std::vector<Cause>& out, std::string field, const std::string& value, std::string_view why) {
    out.push_back({"FieldValueInvalid", "Invalid value: " + value + ": " + std::string(why), std::move(field)});
}
void unsupported(std::vector<Cause>& out, std::string field, std::string_view value, std::string_view supported) {
    out.push_back({"FieldValueNotSupported",
                   "Unsupported value: " + quoted(value) + ": supported values: " + std::string(supported),
                   std::move(field)});
}

void check_rule(const Json& rule, const std::string& at, bool namespaced, std::vector<Cause>& out) {
    if (list(rule, "verbs").empty()) required(out, at + ".verbs", "verbs must contain at least one value");
    const auto& paths = list(rule, "nonResourceURLs");
    const bool resources =
        !list(rule, "apiGroups").empty() || !list(rule, "resources").empty() || !list(rule, "resourceNames").empty();
    if (!paths.empty()) {
        const auto value = api::to_text(Json(paths));
        if (namespaced)
            invalid(out, at + ".nonResourceURLs", value, "namespaced rules cannot apply to non-resource URLs");
        if (resources)
            invalid(out, at + ".nonResourceURLs", value,
                    "rules cannot apply to both regular resources and non-resource URLs");
        return;
    }
    if (list(rule, "apiGroups").empty())
        required(out, at + ".apiGroups", "resource rules must supply at least one api group");
    if (list(rule, "resources").empty())
        required(out, at + ".resources", "resource rules must supply at least one resource");
}

void check_subject(const Json& subject, const std::string& at, bool namespaced, std::vector<Cause>& out) {
    const auto kind = api::find_text(subject, {"kind"});
    const auto api_group = api::find_text(subject, {"apiGroup"});
    if (api::find_text(subject, {"name"}).empty()) required(out, at + ".name");
    if (kind == "ServiceAccount") {
        if (!api_group.empty()) unsupported(out, at + ".apiGroup", api_group, "\"\"");
        if (!namespaced && api::find_text(subject, {"namespace"}).empty()) required(out, at + ".namespace");
    } else if (kind == "User" || kind == "Group") {
        if (api_group != group) unsupported(out, at + ".apiGroup", api_group, quoted(group));
    } else {
        unsupported(out, at + ".kind", kind, R"("Group", "ServiceAccount", "User")");
    }
}

}  // namespace

std::vector<Cause> validate_role(const Json& role, bool namespaced) {
    std::vector<Cause> out;
    const auto& rules = list(role, "rules");
    for (std::size_t i = 0; i < rules.size(); ++i)
        check_rule(rules[i], "rules[" + std::to_string(i) + "]", namespaced, out);
    if (const auto* aggregation = api::find(role, {"aggregationRule"}); aggregation && !aggregation->is_null())
        if (list(*aggregation, "clusterRoleSelectors").empty())
            required(out, "aggregationRule.clusterRoleSelectors",
                     "at least one clusterRoleSelector required if aggregationRule is non-nil");
    return out;
}

void prepare_binding(Json& binding) {
    if (const auto* role = api::find(binding, {"roleRef"}); role && role->is_object())
        if (api::find_text(*role, {"apiGroup"}).empty()) api::make_object(binding, {"roleRef"})["apiGroup"] = group;
    auto* subjects = binding.as_object().if_contains("subjects");
    if (!subjects || !subjects->is_array()) return;
    for (auto& subject : subjects->get_array()) {
        const auto kind = api::find_text(subject, {"kind"});
        if ((kind == "User" || kind == "Group") && api::find_text(subject, {"apiGroup"}).empty())
            subject.as_object()["apiGroup"] = group;
    }
}

std::vector<Cause> validate_binding(const Json& binding, const Json* old, bool namespaced) {
    std::vector<Cause> out;
    const auto* role = api::find(binding, {"roleRef"});
    if (role && role->is_object()) {
        if (const auto of = api::find_text(*role, {"apiGroup"}); of != group)
            unsupported(out, "roleRef.apiGroup", of, quoted(group));
        const auto kind = api::find_text(*role, {"kind"});
        if (kind != "ClusterRole" && !(namespaced && kind == "Role"))
            unsupported(out, "roleRef.kind", kind, namespaced ? R"("ClusterRole", "Role")" : R"("ClusterRole")");
        if (api::find_text(*role, {"name"}).empty()) required(out, "roleRef.name");
        if (old && api::find(*old, {"roleRef"}) && *api::find(*old, {"roleRef"}) != *role)
            invalid(out, "roleRef", api::to_text(*role), "cannot change roleRef");
    }
    const auto& subjects = list(binding, "subjects");
    for (std::size_t i = 0; i < subjects.size(); ++i)
        check_subject(subjects[i], "subjects[" + std::to_string(i) + "]", namespaced, out);
    return out;
}

}  // namespace ocim::registry
