#include "apiserver/rbac.hpp"

#include "apiserver/access_limits.hpp"

#include <algorithm>

namespace ocim::apiserver {

namespace {

namespace json = api::json;
using Words = std::vector<std::string>;

bool has(const Words& words, std::string_view word) { return std::ranges::find(words, word) != words.end(); }

bool all_in(const Words& words, const Words& wanted) {
    return std::ranges::all_of(wanted, [&](const std::string& word) { return has(words, word); });
}

bool all_or_every(const Words& words, const Words& wanted) { return has(words, "*") || all_in(words, wanted); }

bool path_matches(std::string_view pattern, std::string_view path) {
    if (pattern == path) return true;
    return pattern.ends_with('*') && path.starts_with(pattern.substr(0, pattern.size() - 1));
}

/// "*", "instances", "instances/status" or "*/status" against "instances/status" in two parts.
bool resource_matches(std::string_view pattern, std::string_view plural, std::string_view subresource) {
    if (pattern == "*") return true;
    if (subresource.empty()) return pattern == plural;
    const auto slash = pattern.find('/');
    if (slash == std::string_view::npos || pattern.substr(slash + 1) != subresource) return false;
    const auto before = pattern.substr(0, slash);
    return before == "*" || before == plural;
}

bool resources_cover(const Words& held, const std::string& wanted) {
    if (has(held, "*") || has(held, wanted)) return true;
    const auto slash = wanted.find('/');
    return slash != std::string::npos && has(held, "*" + wanted.substr(slash));
}

bool covers(const PolicyRule& held, const PolicyRule& wanted) {
    if (!all_or_every(held.verbs, wanted.verbs)) return false;
    const auto covered = [&](const std::string& path) {
        return std::ranges::any_of(held.paths, [&](const std::string& one) { return path_matches(one, path); });
    };
    if (!wanted.paths.empty()) return std::ranges::all_of(wanted.paths, covered);
    if (!all_or_every(held.groups, wanted.groups)) return false;
    if (!std::ranges::all_of(wanted.resources, [&](const auto& one) { return resources_cover(held.resources, one); }))
        return false;
    return held.names.empty() || (!wanted.names.empty() && all_in(held.names, wanted.names));
}

bool covered_by(const PolicyRules& held, const PolicyRule& wanted) {
    return std::ranges::any_of(held, [&](const PolicyRule& one) { return covers(one, wanted); });
}

/// How many single permissions a rule is made of.
std::size_t parts(const PolicyRule& rule) {
    std::size_t out = 1;
    for (const auto* words : {&rule.verbs, &rule.groups, &rule.resources, &rule.names, &rule.paths})
        out = std::min(out * std::max<std::size_t>(1, words->size()), limits::rbac_parts_max + 1);
    return out;
}

/// What of one rule is not held: one rule for each resource or path, with the verbs that are missing.
void add_missing(const PolicyRules& held, const PolicyRule& wanted, PolicyRules& out) {
    const auto judge = [&](PolicyRule one) {
        Words verbs;
        for (const auto& verb : wanted.verbs) {
            one.verbs = {verb};
            if (!covered_by(held, one)) verbs.push_back(verb);
        }
        one.verbs = std::move(verbs);
        if (!one.verbs.empty()) out.push_back(std::move(one));
    };
    for (const auto& path : wanted.paths) judge({{}, {}, {}, {}, {path}});
    for (const auto& group : wanted.groups)
        for (const auto& resource : wanted.resources) {
            if (wanted.names.empty()) judge({{}, {group}, {resource}, {}, {}});
            for (const auto& name : wanted.names) judge({{}, {group}, {resource}, {name}, {}});
        }
}

Words words_of(const api::Json& rule, std::string_view field) {
    Words out;
    const auto* list = api::find(rule, {field});
    if (!list || !list->is_array()) return out;
    for (const auto& item : list->get_array())
        if (item.is_string()) out.emplace_back(item.get_string());
    return out;
}

}  // namespace

json::object PolicyRule::to_json() const {
    json::object out;
    const auto put = [&](const char* name, const Words& words) {
        if (!words.empty()) out[name] = json::array(words.begin(), words.end());
    };
    out["verbs"] = json::array(verbs.begin(), verbs.end());
    put("apiGroups", groups);
    put("resources", resources);
    put("resourceNames", names);
    put("nonResourceURLs", paths);
    return out;
}

std::string PolicyRule::compact() const {
    std::string out;
    const auto put = [&](const char* name, const Words& words) {
        if (words.empty()) return;
        out += (out.empty() ? "" : ", ") + std::string(name) + ":[";
        for (std::size_t i = 0; i < words.size(); ++i) out += (i ? " " : "") + api::to_text(api::Json(words[i]));
        out += "]";
    };
    put("APIGroups", groups);
    put("Resources", resources);
    put("NonResourceURLs", paths);
    put("ResourceNames", names);
    put("Verbs", verbs);
    return "{" + out + "}";
}

PolicyRules rules_of(const api::Json& role) {
    PolicyRules out;
    const auto* rules = api::find(role, {"rules"});
    if (!rules || !rules->is_array()) return out;
    for (const auto& rule : rules->get_array())
        out.push_back({words_of(rule, "verbs"), words_of(rule, "apiGroups"), words_of(rule, "resources"),
                       words_of(rule, "resourceNames"), words_of(rule, "nonResourceURLs")});
    return out;
}

bool allows(const PolicyRule& rule, const Attributes& asked) {
    if (!has(rule.verbs, "*") && !has(rule.verbs, asked.verb)) return false;
    if (asked.plural.empty())
        return std::ranges::any_of(rule.paths, [&](const auto& path) { return path_matches(path, asked.path); });
    if (!has(rule.groups, "*") && !has(rule.groups, asked.group)) return false;
    const auto matches = [&](const auto& one) { return resource_matches(one, asked.plural, asked.subresource); };
    if (!std::ranges::any_of(rule.resources, matches)) return false;
    return rule.names.empty() || (!asked.name.empty() && has(rule.names, asked.name));
}

bool allows(const PolicyRules& rules, const Attributes& asked) {
    return std::ranges::any_of(rules, [&](const PolicyRule& rule) { return allows(rule, asked); });
}

PolicyRules missing(const PolicyRules& held, const PolicyRules& wanted) {
    PolicyRules out;
    std::size_t looked = 0;
    for (const auto& rule : wanted) {
        if (covered_by(held, rule)) continue;
        looked += parts(rule);
        if (looked > limits::rbac_parts_max)
            out.push_back(rule);
        else
            add_missing(held, rule, out);
    }
    return out;
}

}  // namespace ocim::apiserver
