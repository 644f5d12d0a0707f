#include "api/managed_fields.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <tuple>

namespace ocim::api {

namespace {

constexpr std::size_t updates_max = 10;  // as kube-apiserver
constexpr std::string_view ancient = "ancient-changes";

std::optional<ManagedEntry> read_entry(const Json& json) {
    ManagedEntry out;
    out.manager = find_text(json, {"manager"});
    out.api_version = find_text(json, {"apiVersion"});
    out.time = find_text(json, {"time"});
    out.subresource = find_text(json, {"subresource"});
    const auto operation = find_text(json, {"operation"});
    out.apply = operation == "Apply";
    const auto* fields = find(json, {"fieldsV1"});
    auto set = fields ? FieldSet::from_json(*fields) : std::nullopt;
    if (!set || (!out.apply && operation != "Update") || find_text(json, {"fieldsType"}) != "FieldsV1") return {};
    out.fields = *std::move(set);
    return out;
}

Json write_entry(const ManagedEntry& entry) {
    json::object out;
    out["manager"] = entry.manager;
    out["operation"] = entry.apply ? "Apply" : "Update";
    out["apiVersion"] = entry.api_version;
    if (!entry.time.empty()) out["time"] = entry.time;
    out["fieldsType"] = "FieldsV1";
    out["fieldsV1"] = entry.fields.to_json();
    if (!entry.subresource.empty()) out["subresource"] = entry.subresource;
    return out;
}

/// Comparable whatever the form the time is written in.
WallTime time_of(const ManagedEntry& entry) {
    const auto time = parse_rfc3339(entry.time);
    return time ? *time : WallTime::min();
}

}  // namespace

bool ManagedEntry::same_manager(const ManagedEntry& other) const {
    return manager == other.manager && apply == other.apply && subresource == other.subresource &&
           (apply || api_version == other.api_version);
}

ManagedEntry entry_of(const Manager& manager) {
    return {manager.name, manager.apply, manager.api_version, manager.time, manager.subresource, {}};
}

ManagedEntries read_entries(const Json* managed_fields) {
    ManagedEntries out;
    if (!managed_fields || !managed_fields->is_array()) return out;
    for (const auto& json : managed_fields->get_array())
        if (auto entry = read_entry(json)) out.push_back(*std::move(entry));
    return out;
}

Json write_entries(const ManagedEntries& entries) {
    std::vector<const ManagedEntry*> ordered;
    for (const auto& entry : entries)
        if (!entry.fields.empty()) ordered.push_back(&entry);
    if (ordered.empty()) return nullptr;
    std::ranges::sort(ordered, {}, [](const ManagedEntry* e) {
        // a client may have written two of one manager: they stay in order
        return std::tuple(!e->apply, time_of(*e), std::string_view(e->manager), std::string_view(e->api_version),
                          std::string_view(e->subresource), e);
    });
    json::array out;
    for (const auto* entry : ordered) out.push_back(write_entry(*entry));
    return out;
}

void cap_updates(ManagedEntries& entries) {
    const auto is_update = [](const ManagedEntry& entry) { return !entry.apply && !entry.fields.empty(); };
    for (;;) {
        std::vector<ManagedEntries::iterator> updates;
        for (auto at = entries.begin(); at != entries.end(); ++at)
            if (is_update(*at)) updates.push_back(at);
        if (updates.size() <= updates_max) return;
        std::ranges::sort(updates, {}, [](const auto& at) { return std::pair(time_of(*at), at->manager); });
        auto& oldest = *updates[0];
        auto& next = *updates[1];
        next.fields = unite(std::move(next.fields), oldest.fields);
        next.manager = ancient;
        next.subresource.clear();
        entries.erase(updates[0]);
    }
}

}  // namespace ocim::api
