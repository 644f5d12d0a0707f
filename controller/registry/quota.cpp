#include "registry/quota.hpp"

#include "registry/names.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace ocim::registry {

using api::Cause;
using api::Json;

namespace {

constexpr std::string_view counting = "count/";
/// Kinds of the core group that a quota may name without count/. Those of them that are not served here count none.
constexpr std::array core_kinds{
    "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"};
/// Names that Kubernetes knows and that measure what does not exist here: always 0.
constexpr std::array other_names{"cpu",
                                 "memory",
                                 "ephemeral-storage",
                                 "requests.cpu",
                                 "requests.memory",
                                 "requests.storage",
                                 "requests.ephemeral-storage",
                                 "limits.cpu",
                                 "limits.memory",
                                 "limits.ephemeral-storage",
                                 "services.nodeports",
                                 "services.loadbalancers"};

bool known(const std::string& name) {
    return std::ranges::find(core_kinds, name) != core_kinds.end() ||
           std::ranges::find(other_names, name) != other_names.end() || name.find('/') != std::string::npos;
}

bool looks_like_a_quantity(std::string_view text) {
    if (text.empty() || text.size() > 32) return false;
    return text.find_first_not_of("0123456789.+-eEinumkKMGTP") == std::string_view::npos &&
           text.find_first_of("0123456789") != std::string_view::npos;
}

}  // namespace

std::vector<std::string> quota_names(const std::string& group, const std::string& plural) {
    std::vector<std::string> out{std::string(counting) + plural + (group.empty() ? "" : "." + group)};
    if (group.empty() && std::ranges::find(core_kinds, plural) != core_kinds.end()) out.push_back(plural);
    return out;
}

std::optional<std::pair<std::string, std::string>> counted_by(const std::string& name) {
    if (std::ranges::find(core_kinds, name) != core_kinds.end()) return std::pair(std::string(), name);
    if (!name.starts_with(counting)) return std::nullopt;
    const auto rest = name.substr(counting.size());
    const auto dot = rest.find('.');
    if (dot == std::string::npos) return std::pair(std::string(), rest);
    return std::pair(rest.substr(dot + 1), rest.substr(0, dot));
}

std::optional<std::int64_t> whole_quantity(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
    if (error != std::errc()) return std::nullopt;
    const std::string_view suffix(end, text.end());
    static constexpr std::pair<std::string_view, std::int64_t> scales[] = {
        {"", 1},         {"k", 1'000},    {"M", 1'000'000}, {"G", 1'000'000'000},
        {"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}};
    for (const auto& [name, scale] : scales) {
        std::int64_t product = 0;
        if (name == suffix)
            return __builtin_mul_overflow(number, scale, &product) ? std::nullopt : std::optional(product);
    }
    return std::nullopt;
}

std::map<std::string, std::int64_t> hard_of(const Json& quota) {
    std::map<std::string, std::int64_t> out;
    const auto* hard = api::find(quota, {"spec", "hard"});
    if (!hard || !hard->is_object()) return out;
    for (const auto& [name, value] : hard->get_object()) {
        const auto text = value.is_string() ? std::string(value.get_string()) : api::to_text(value);
        if (const auto limit = whole_quantity(text)) out.emplace(name, *limit);
    }
    return out;
}

std::vector<Cause> validate_quota(const Json& quota) {
    std::vector<Cause> out;
    const auto* hard = api::find(quota, {"spec", "hard"});
    if (!hard || !hard->is_object()) return out;
    for (const auto& [key, value] : hard->get_object()) {
        const std::string name(key);
        const auto at = "spec.hard[" + name + "]";
        const auto shown = api::to_text(Json(name));
        for (const auto& why : wrong_with_qualified_name(name))
            out.push_back({"FieldValueInvalid", "Invalid value: " + shown + ": " + why, at});
        if (!known(name))
            out.push_back({"FieldValueInvalid",
                           "Invalid value: " + shown + ": must be a standard resource type or fully qualified", at});
        const auto text = value.is_string() ? std::string(value.get_string()) : api::to_text(value);
        if (text.starts_with('-'))
            out.push_back(
                {"FieldValueInvalid", "Invalid value: \"" + text + "\": must be greater than or equal to 0", at});
        else if (!looks_like_a_quantity(text))
            out.push_back({"FieldValueInvalid",
                           "Invalid value: " + api::to_text(Json(text)) +
                               ": quantities must match the regular expression "
                               "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                           at});
        else if (counted_by(name) && !whole_quantity(text))
            out.push_back({"FieldValueInvalid", "Invalid value: \"" + text + "\": must be an integer", at});
    }
    return out;
}

}  // namespace ocim::registry
