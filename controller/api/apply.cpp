#include "api/apply.hpp"

#include "api/last_applied.hpp"
#include "api/managed_fields.hpp"
#include "api/typed_value.hpp"

#include <algorithm>
#include <map>

namespace ocim::api {

namespace {

/// Who owned an object that was made before anybody kept track.
constexpr std::string_view before_first_apply = "before-first-apply";

const FieldSet& never_owned() {
    static const FieldSet set = [] {
        FieldSet out;
        out.insert({field_element("apiVersion")});
        out.insert({field_element("kind")});
        for (const auto* name : {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
                                 "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields"})
            out.insert({field_element("metadata"), field_element(name)});
        return out;
    }();
    return set;
}

/// Of what was changed by `manager`'s way in, the part that can be owned.
FieldSet ownable(FieldSet set, const Manager& manager) {
    set = subtract_whole(std::move(set), never_owned());
    const auto metadata = field_element("metadata"), status = field_element("status");
    if (const auto found = set.children.find(metadata); found != set.children.end()) {
        found->second.member = false;  // every object has one
        if (found->second.empty()) set.children.erase(found);
    }
    if (manager.subresource == "status")
        std::erase_if(set.children, [&](const auto& child) { return child.first != status; });
    else if (manager.has_status_subresource)
        set.children.erase(status);
    return set;
}

const Json* managed_fields_of(const Json& object) { return find(object, {"metadata", "managedFields"}); }

void set_managed_fields(Json& object, Json managed_fields) {
    auto& metadata = make_object(object, {"metadata"});
    if (managed_fields.is_null())
        metadata.stable_erase("managedFields");
    else
        metadata["managedFields"] = std::move(managed_fields);
}

Json without_managed_fields(const Json& object) {
    Json out = object;
    if (auto* metadata = out.is_object() ? out.get_object().if_contains("metadata") : nullptr)
        if (auto* fields = metadata->if_object()) fields->stable_erase("managedFields");
    return out;
}

/// `[]` or `[{}]`: the client wants to start anew.
bool is_reset(const Json* managed_fields) {
    const auto* items = managed_fields ? managed_fields->if_array() : nullptr;
    if (!items) return false;
    return items->empty() || (items->size() == 1 && items->front().is_object() && items->front().get_object().empty());
}

ManagedEntry& entry_for(ManagedEntries& entries, const Manager& manager) {
    auto wanted = entry_of(manager);
    const auto found =
        std::ranges::find_if(entries, [&](const ManagedEntry& entry) { return entry.same_manager(wanted); });
    if (found != entries.end()) return *found;
    entries.push_back(std::move(wanted));
    return entries.back();
}

ManagedEntries reconciled_entries(const Json* managed_fields, const TypeNode& type) {
    auto entries = read_entries(managed_fields);
    // a client may have written anything there
    for (auto& entry : entries) entry.fields = subtract_whole(reconciled(entry.fields, type), never_owned());
    return entries;
}

}  // namespace

void track_update(const Json& current, Json& updated, const TypeNode& type, const Manager& manager) {
    const auto* sent = managed_fields_of(updated);
    const bool reset = is_reset(sent);
    const Json nothing = json::object();
    auto change = compare(current.is_object() ? current : nothing, updated, type);
    const auto taken = ownable(unite(std::move(change.added), change.modified), manager);
    const auto gone = ownable(std::move(change.removed), manager);
    // what the client sends back, which it may have edited, goes before what is stored
    auto entries = reset ? ManagedEntries() : reconciled_entries(sent, type);
    const bool from_client = !entries.empty();
    if (!reset && !from_client) entries = reconciled_entries(managed_fields_of(current), type);
    if (taken.empty() && gone.empty() && !reset) {
        if (from_client) return;  // they are there
        const auto* kept = managed_fields_of(current);
        set_managed_fields(updated, kept ? *kept : Json());
        return;
    }
    for (auto& entry : entries) entry.fields = subtract(subtract(std::move(entry.fields), taken), gone);
    if (!taken.empty()) {
        auto& mine = entry_for(entries, manager);
        mine.fields = unite(std::move(mine.fields), taken);
        mine.time = manager.time;
    }
    cap_updates(entries);
    set_managed_fields(updated, write_entries(entries));
}

// --- apply

namespace {

Status misfit(const Json& applied, const std::vector<std::string>& misfits) {
    std::string text = misfits.size() > 1 ? "errors:" : misfits[0];
    if (misfits.size() > 1)
        for (const auto& one : misfits) text += "\n  " + one;
    Status out;
    out.code = 500;
    out.message = "failed to create typed patch object (" + std::string(find_text(applied, {"metadata", "namespace"})) +
                  "/" + std::string(find_text(applied, {"metadata", "name"})) + "; " +
                  std::string(find_text(applied, {"apiVersion"})) +
                  ", Kind=" + std::string(find_text(applied, {"kind"})) + "): " + text;
    return out;
}

std::string print(const ManagedEntry& entry) {
    auto out = to_text(Json(entry.manager));
    if (!entry.subresource.empty()) out += " with subresource " + to_text(Json(entry.subresource));
    if (!entry.apply) out += " using " + entry.api_version;
    return out;
}

/// What would be taken from whom.
using Conflicts = std::vector<std::pair<std::string, FieldSet>>;

Status conflict_of(const Conflicts& conflicts) {
    std::map<std::string, std::vector<std::string>> by_manager;
    for (const auto& [manager, lost] : conflicts)
        lost.each([&](const std::string& path) { by_manager[manager].push_back(path); });
    Status out;
    out.code = 409;
    out.reason = "Conflict";
    for (const auto& [manager, paths] : by_manager)
        for (const auto& path : paths) out.causes.push_back({"FieldManagerConflict", "conflict with " + manager, path});
    if (out.causes.size() == 1) {
        out.message = "Apply failed with 1 conflict: " + out.causes[0].message + ": " + out.causes[0].field;
        return out;
    }
    out.message = "Apply failed with " + std::to_string(out.causes.size()) + " conflicts: ";
    bool first = true;
    for (const auto& [manager, paths] : by_manager) {
        out.message += std::string(std::exchange(first, false) ? "" : "\n") + "conflicts with " + manager + ":";
        for (const auto& path : paths) out.message += "\n- " + path;
    }
    return out;
}

/// Without the places that are in `allowed`.
Conflicts beyond(Conflicts conflicts, const FieldSet& allowed) {
    for (auto& [manager, lost] : conflicts) lost = subtract(std::move(lost), allowed);
    std::erase_if(conflicts, [](const auto& conflict) { return conflict.second.empty(); });
    return conflicts;
}

/// What a client may not set by applying, and what does not belong to the resource it applies to.
Json applicable(const Json& applied, const Manager& manager) {
    Json out = applied;
    auto& metadata = make_object(out, {"metadata"});
    for (const auto* name : {"resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
                             "deletionGracePeriodSeconds", "selfLink"})
        metadata.stable_erase(name);
    auto& fields = out.get_object();
    if (manager.subresource != "status") {
        if (manager.has_status_subresource) fields.stable_erase("status");
        return out;
    }
    json::object only;
    for (const auto* name : {"apiVersion", "kind", "status"})
        if (const auto* value = fields.if_contains(name)) only[name] = *value;
    return only;
}

/// Takes away what this manager applied before and leaves out now, where nobody else owns it.
Json prune(const Json& merged, const ManagedEntries& entries, const FieldSet& last, const TypeNode& type) {
    if (last.empty()) return merged;
    FieldSet owned;
    owned.insert({field_element("metadata")});  // every object keeps one, whatever in it goes
    for (const auto& entry : entries) owned = unite(std::move(owned), entry.fields);
    const auto last_declared = with_declared(last, type);
    const auto all = with_declared(places(merged, type), type);
    const auto pruned = without(merged, last_declared, type);
    // a place goes only if it went with what was owned, and neither it nor anything below it is owned now
    auto kept = unite(with_declared(places(pruned, type), type), with_declared(owned, type));
    const auto smaller = without(merged, subtract(all, kept), type);
    kept = with_declared(places(smaller, type), type);
    return without(merged, intersect(subtract(all, kept), last_declared), type);
}

struct Applied {
    Json object;
    ManagedEntries entries;
};

Result<Applied, Status> merge_and_own(const Json& current, const Json& config, const TypeNode& type,
                                      const Manager& manager, bool force, ManagedEntries entries) {
    auto& mine = entry_for(entries, manager);
    const auto last = mine.fields;
    mine.fields = ownable(places(config, type), manager);
    mine.api_version = manager.api_version;
    const auto wanted = mine;

    const auto merged = prune(merge(current, config, type), entries, last, type);
    const auto change = compare(current, merged, type);
    const auto taken = unite(change.added, change.modified);
    Conflicts conflicts;
    for (auto& entry : entries) {
        if (entry.same_manager(wanted)) continue;
        const auto lost = intersect(entry.fields, taken);
        if (!lost.empty()) conflicts.emplace_back(print(entry), lost);
        entry.fields = subtract(subtract(std::move(entry.fields), lost), change.removed);
    }
    if (!force && !conflicts.empty() && keeps_last_applied(manager.name))
        conflicts = beyond(std::move(conflicts), set_by_last_applied(current, type, manager.api_version));
    if (!force && !conflicts.empty()) return conflict_of(conflicts);
    return Applied{merged, std::move(entries)};
}

bool same_owners(const ManagedEntries& before, const ManagedEntries& after) {
    const auto has = [](const ManagedEntries& entries, const ManagedEntry& wanted) {
        return std::ranges::any_of(entries, [&](const ManagedEntry& entry) {
            return entry.same_manager(wanted) && entry.api_version == wanted.api_version &&
                   entry.fields == wanted.fields;
        });
    };
    const auto all_in = [&](const ManagedEntries& some, const ManagedEntries& others) {
        return std::ranges::all_of(some, [&](const ManagedEntry& e) { return e.fields.empty() || has(others, e); });
    };
    return all_in(before, after) && all_in(after, before);
}

}  // namespace

Result<Json, Status> apply(const Json& current, const Json& applied, const TypeNode& type, const Manager& manager,
                           bool force) {
    if (!applied.is_object()) return bad_request("an applied object is a JSON object");
    if (const auto* sent = managed_fields_of(applied); sent && !sent->is_null())
        return bad_request("metadata.managedFields must be nil");
    if (const auto found = misfits(applied, type); !found.empty()) return misfit(applied, found);

    const bool exists = current.is_object();
    const auto before = exists ? reconciled_entries(managed_fields_of(current), type) : ManagedEntries();
    auto entries = before;
    const auto live = exists ? without_managed_fields(current) : Json(json::object());
    if (exists && entries.empty()) {
        Manager everybody{std::string(before_first_apply), false, manager.api_version, "", manager.time};
        everybody.has_status_subresource = manager.has_status_subresource;
        auto all = ownable(compare(json::object(), live, type).added, everybody);
        if (!all.empty()) entry_for(entries, everybody).fields = std::move(all);
    }
    auto done = merge_and_own(live, applicable(applied, manager), type, manager, force, std::move(entries));
    if (!done) return std::move(done).error();
    if (keeps_last_applied(manager.name)) update_last_applied(done->object, applied);
    if (exists && done->object == live && same_owners(before, done->entries)) return current;
    for (auto& entry : done->entries)
        if (entry.same_manager(entry_of(manager))) entry.time = manager.time;
    set_managed_fields(done->object, write_entries(done->entries));
    return std::move(done->object);
}

}  // namespace ocim::api
