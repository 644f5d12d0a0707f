#include "dns/ownership.hpp"

#include <algorithm>
#include <vector>

namespace ocim::dns {

namespace {

constexpr std::size_t name_bytes_max = 253;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

bool begins_with(std::string_view name, std::string_view label) {
    return name.starts_with(label) && (name.size() == label.size() || name[label.size()] == '.');
}

std::optional<std::string> mark_name(const Key& key) {
    std::string type = key.type;
    std::ranges::transform(type, type.begin(), lower);
    auto name = key.name.starts_with('*') ? std::string(wildcard_label) + key.name.substr(1) : key.name;
    auto out = std::string(mark_label) + "." + type + "." + name;
    if (out.size() > name_bytes_max) return std::nullopt;
    return out;
}

std::optional<Key> marked_key(std::string_view name) {
    if (!name.starts_with(mark_label)) return std::nullopt;
    name.remove_prefix(mark_label.size());
    if (!name.starts_with('.')) return std::nullopt;
    name.remove_prefix(1);
    const auto dot = name.find('.');
    if (dot == std::string_view::npos || dot == 0) return std::nullopt;
    Key key;
    key.type = name.substr(0, dot);
    std::ranges::transform(key.type, key.type.begin(), upper);
    key.name = name.substr(dot + 1);
    if (key.name.empty()) return std::nullopt;
    if (begins_with(key.name, wildcard_label)) key.name = "*" + key.name.substr(wildcard_label.size());
    return key;
}

bool fold_marks(Snapshot& snapshot) {
    std::vector<std::pair<Key, Mark>> found;
    std::erase_if(snapshot, [&found](const auto& item) {
        const auto& [key, set] = item;
        if (key.type != "TXT" || set.values.size() != 1) return false;
        auto marked = marked_key(key.name);
        auto mark = Mark::parse(set.values.front());
        if (!marked || !mark) return false;
        found.emplace_back(*std::move(marked), *std::move(mark));
        return true;
    });
    for (auto& [key, mark] : found)
        if (auto& set = snapshot[key]; !set.mark) set.mark = std::move(mark);
    return !found.empty();
}

}  // namespace ocim::dns
