#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Looks into the JSON text of stored objects without building it. The text is our own: valid, compact, apiVersion,
/// kind and metadata first, so that what selectors ask for stands near the front.
namespace ocim::registry {

/// The text of the value at a path of field names; nothing when it is absent.
std::optional<std::string_view> raw_at(std::string_view object, std::initializer_list<std::string_view> path);
std::optional<std::string_view> raw_at(std::string_view object, const std::vector<std::string_view>& path);
/// The string, number or boolean there, as text without quotes and escapes; "" when absent.
std::string text_at(std::string_view object, std::initializer_list<std::string_view> path);
std::string text_at(std::string_view object, const std::vector<std::string_view>& path);
std::map<std::string, std::string> labels_of(std::string_view object);
/// The object's text with another resourceVersion.
std::string with_revision(std::string_view object, std::uint64_t revision);

}  // namespace ocim::registry
