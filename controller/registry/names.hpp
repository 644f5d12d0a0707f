#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What Kubernetes accepts as names, in its own words. Each function returns what is wrong, nothing if it is right.
namespace ocim::registry {

enum class NameRule {
    subdomain,     ///< RFC 1123 subdomain: most kinds
    label,         ///< RFC 1123 label: namespaces
    path_segment,  ///< anything that can stand in a URL: roles and bindings
};

std::vector<std::string> wrong_with_name(NameRule rule, std::string_view name);
std::vector<std::string> wrong_with_subdomain(std::string_view name);
/// A name as generateName makes it: the prefix may end in a dash.
std::vector<std::string> wrong_with_prefix(NameRule rule, std::string_view prefix);
/// `prefix/name`: label and annotation keys, finalizers.
std::vector<std::string> wrong_with_qualified_name(std::string_view name);
std::vector<std::string> wrong_with_label_value(std::string_view value);
/// Keys of ConfigMaps and Secrets.
std::vector<std::string> wrong_with_config_key(std::string_view key);
/// RFC 1035 label: plurals and short names of CRDs.
std::vector<std::string> wrong_with_1035_label(std::string_view name);

/// The longest prefix that leaves room for the five characters behind it.
inline constexpr std::size_t generated_prefix_max = 58;
inline constexpr std::string_view generated_characters = "bcdfghjklmnpqrstvwxz2456789";

}  // namespace ocim::registry
