#include "dns/ownership.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace ocim::dns {

namespace {

constexpr std::size_t name_bytes_max = 253;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

constexpr std::string_view heritage = "heritage=external-dns", owner_prefix = "ocim-", resource_prefix = "dnsrecord/";
constexpr std::string_view owner_label = "external-dns/owner", resource_label = "external-dns/resource";
constexpr std::string_view uid_label = "ocim/uid", retained_label = "ocim/retained";

/// The labels of a text that external-dns or we wrote; nothing when it is none.
std::optional<std::map<std::string, std::string>> labels_of(std::string_view text) {
    if (text.starts_with('"') && text.ends_with('"') && text.size() > 1) text = text.substr(1, text.size() - 2);
    std::map<std::string, std::string> out;
    bool inherited = false;
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        const auto token = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto equals = token.find('=');
        if (token == heritage)
            inherited = true;
        else if (equals != std::string_view::npos)
            out.emplace(token.substr(0, equals), token.substr(equals + 1));
    }
    if (!inherited) return std::nullopt;
    return out;
}

std::string with_type(std::string text, const std::string& type) {
    constexpr std::string_view word = "%{record_type}";
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word)) text.replace(at, word.size(), type);
    return text;
}

/// Where external-dns keeps what it says of a record set; the second form is that of its older releases.
std::vector<std::string> registry_names(const Key& key, const ExternalDns& external) {
    std::string type = key.type;
    std::ranges::transform(type, type.begin(), lower);
    const auto dot = std::min(key.name.find('.'), key.name.size());
    auto label = key.name.substr(0, dot);
    const auto rest = key.name.substr(dot);
    if (label == "*" && !external.wildcard_replacement.empty()) label = external.wildcard_replacement;
    const bool typed = (external.txt_prefix + external.txt_suffix).find("%{record_type}") != std::string::npos;
    const auto named = [&](const std::string& said, const std::string& first) {
        auto name = with_type(external.txt_prefix, said) + first + with_type(external.txt_suffix, said) + rest;
        std::ranges::transform(name, name.begin(), lower);
        return name;
    };
    return {named(type, typed ? label : type + "-" + label), named("", label)};
}

void note_external(Snapshot& snapshot, const ExternalDns& external) {
    std::map<std::string, std::string> owners;  // by name of the TXT record
    for (const auto& [key, set] : snapshot) {
        if (key.type != "TXT" || set.values.size() != 1) continue;
        const auto labels = labels_of(set.values.front());
        if (!labels) continue;
        const auto owner = labels->find(std::string(owner_label));
        owners.emplace(key.name, owner == labels->end() ? "" : owner->second);
    }
    if (owners.empty()) return;
    for (auto& [key, set] : snapshot) {
        for (const auto& name : registry_names(key, external)) {
            const auto found = owners.find(name);
            if (found == owners.end() || (key.type == "TXT" && key.name == name)) continue;
            if (!set.external) set.external.emplace(Registration{found->second, {}});
            if (std::ranges::find(set.external->names, name) == set.external->names.end())
                set.external->names.push_back(name);
        }
    }
}

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

std::string mark_text(const Mark& mark) {
    auto out = std::string(heritage) + "," + std::string(owner_label) + "=" + std::string(owner_prefix) +
               mark.installation + "," + std::string(resource_label) + "=" + std::string(resource_prefix) +
               mark.namespace_name + "," + std::string(uid_label) + "=" + mark.uid;
    if (mark.retained) out += "," + std::string(retained_label) + "=true";
    return out;
}

std::optional<Mark> parse_mark_text(std::string_view text) {
    if (auto mark = Mark::parse(text)) return mark;  // as it is written in a comment
    const auto labels = labels_of(text);
    if (!labels) return std::nullopt;
    const auto value = [&](std::string_view label, std::string_view prefix) -> std::optional<std::string> {
        const auto found = labels->find(std::string(label));
        if (found == labels->end() || !found->second.starts_with(prefix)) return std::nullopt;
        return found->second.substr(prefix.size());
    };
    const auto installation = value(owner_label, owner_prefix), object = value(resource_label, resource_prefix);
    const auto uid = value(uid_label, "");
    if (!installation || !object || !uid) return std::nullopt;
    // the same rules as for a mark elsewhere
    return Mark::parse(Mark{*installation, *object, *uid, value(retained_label, "") == "true"}.text());
}

bool fold_marks(Snapshot& snapshot, const ExternalDns& external) {
    std::vector<std::pair<Key, Mark>> found;
    std::erase_if(snapshot, [&found](const auto& item) {
        const auto& [key, set] = item;
        if (key.type != "TXT" || set.values.size() != 1) return false;
        auto marked = marked_key(key.name);
        auto mark = parse_mark_text(set.values.front());
        if (!marked || !mark) return false;
        found.emplace_back(*std::move(marked), *std::move(mark));
        return true;
    });
    note_external(snapshot, external);
    for (auto& [key, mark] : found)
        if (auto& set = snapshot[key]; !set.mark) set.mark = std::move(mark);
    return !found.empty();
}

}  // namespace ocim::dns
