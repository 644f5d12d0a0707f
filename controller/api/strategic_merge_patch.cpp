#include "api/patch.hpp"

#include <algorithm>
#include <map>

namespace ocim::api {

namespace {

using Done = Result<void, Status>;

constexpr std::string_view patch_directive = "$patch";
constexpr std::string_view retain_directive = "$retainKeys";
constexpr std::string_view delete_prefix = "$deleteFromPrimitiveList/";
constexpr std::string_view order_prefix = "$setElementOrder/";

/// How a list of the built-in kinds merges: by a key of its items, or ("") as a set of plain values.
struct MergedList {
    std::string_view path, key;
};
constexpr MergedList merged_lists[] = {
    {"metadata.finalizers", ""},
    {"metadata.ownerReferences", "uid"},
    {"status.conditions", "type"},

    {"secrets", "name"},  // of a ServiceAccount
};

const MergedList* merged_list(std::string_view path) {
    const auto* found = std::ranges::find(merged_lists, path, &MergedList::path);
    return found == std::end(merged_lists) ? nullptr : found;
}

std::string joined(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
}

Done merge_map(Json& target, const json::object& patch, const std::string& path);

/// The place of an item in a merged list: by its key, or the plain value itself. Null: it has none.
const Json* identity(const Json& item, const MergedList& list) {
    return list.key.empty() ? &item : find(item, {list.key});
}

json::array::iterator find_item(json::array& items, const Json& wanted, const MergedList& list) {
    return std::find_if(items.begin(), items.end(), [&](const Json& item) {
        const auto* own = identity(item, list);
        return own && *own == wanted;
    });
}

Status malformed(const std::string& path, std::string_view why) {
    return bad_request("unable to apply the strategic merge patch: " + path + ": " + std::string(why));
}

Done merge_item(json::array& items, const Json& item, const MergedList& list) {
    const std::string path(list.path);
    const auto* own = identity(item, list);
    if (!own || (list.key.empty() && (item.is_object() || item.is_array())))
        return malformed(path, list.key.empty() ? "an item is not a plain value"
                                                : "an item has no merge key " + std::string(list.key));
    const auto found = find_item(items, *own, list);
    if (find_text(item, {patch_directive}) == "delete") {
        if (found != items.end()) items.erase(found);
        return {};
    }
    if (found == items.end()) {
        items.push_back(list.key.empty() ? item : Json(json::object()));
        return list.key.empty() ? Done() : merge_map(items.back(), item.get_object(), path + "[]");
    }
    return list.key.empty() ? Done() : merge_map(*found, item.get_object(), path + "[]");
}

Done merge_list(Json& target, const json::array& patch, const MergedList& list) {
    if (!target.is_array()) target.emplace_array();
    auto& items = target.get_array();
    // one item that says so makes the rest of the patch the whole list
    const auto replaces = [](const Json& item) { return find_text(item, {patch_directive}) == "replace"; };
    if (std::ranges::any_of(patch, replaces)) items.clear();
    for (const auto& item : patch) {
        if (replaces(item)) continue;
        if (auto merged = merge_item(items, item, list); !merged) return merged;
    }
    return {};
}

/// Puts the items that `order` names into that order. Items that only the server knows keep their place among those
/// that were before and after them.
void reorder(json::array& items, const json::array& order, const MergedList& list) {
    const auto rank = [&](const Json& item) {
        const auto* own = identity(item, list);
        for (std::size_t i = 0; own && i < order.size(); ++i) {
            const auto* named = identity(order[i], list);
            if (named && *named == *own) return i;
        }
        return order.size();
    };
    std::multimap<std::size_t, Json> named;
    for (const auto& item : items)
        if (const auto at = rank(item); at < order.size()) named.emplace(at, item);
    auto next = named.begin();
    for (auto& item : items)
        if (rank(item) < order.size()) item = std::move((next++)->second);
}

Done delete_from_primitive_list(json::object& target, std::string_view field, const Json& values) {
    if (!values.is_array()) return malformed(std::string(field), "what to delete is not an array");
    auto* items = target.if_contains(field);
    if (!items || !items->is_array()) return {};
    for (const auto& value : values.get_array()) {
        auto& list = items->get_array();
        list.erase(std::remove(list.begin(), list.end(), value), list.end());
    }
    return {};
}

Done set_element_order(json::object& target, std::string_view field, const Json& order, const std::string& path) {
    if (!order.is_array()) return malformed(joined(path, field), "the order is not an array");
    auto* items = target.if_contains(field);
    const auto* list = merged_list(joined(path, field));
    if (items && items->is_array() && list) reorder(items->get_array(), order.get_array(), *list);
    return {};
}

Done retain_keys(json::object& target, const Json& keys, const std::string& path) {
    if (!keys.is_array()) return malformed(path, "$retainKeys is not an array");
    std::vector<std::string> gone;
    for (const auto& [key, value] : target)
        if (std::ranges::find(keys.get_array(), Json(key)) == keys.get_array().end()) gone.emplace_back(key);
    for (const auto& key : gone) target.stable_erase(key);
    return {};
}

/// The directives of a map that come before its fields and those that come after.
Done obey_before(json::object& target, const json::object& patch, const std::string& path) {
    for (const auto& [key, value] : patch) {
        const std::string_view name(key);
        if (name == retain_directive) {
            if (auto done = retain_keys(target, value, path); !done) return done;
        } else if (name.starts_with(delete_prefix)) {
            auto done = delete_from_primitive_list(target, name.substr(delete_prefix.size()), value);
            if (!done) return done;
        }
    }
    return {};
}
Done obey_after(json::object& target, const json::object& patch, const std::string& path) {
    for (const auto& [key, value] : patch) {
        const std::string_view name(key);
        if (!name.starts_with(order_prefix)) continue;
        auto done = set_element_order(target, name.substr(order_prefix.size()), value, path);
        if (!done) return done;
    }
    return {};
}

bool is_directive(std::string_view key) {
    return key == patch_directive || key == retain_directive || key.starts_with(delete_prefix) ||
           key.starts_with(order_prefix);
}

Done merge_field(json::object& target, std::string_view key, const Json& value, const std::string& path) {
    const auto here = joined(path, key);
    if (value.is_null() || (value.is_object() && find_text(value, {patch_directive}) == "delete")) {
        target.stable_erase(key);
        return {};
    }
    if (const auto* fields = value.if_object()) return merge_map(target[key], *fields, here);
    const auto* items = value.if_array();
    const auto* list = merged_list(here);
    if (items && list) return merge_list(target[key], *items, *list);
    target[key] = value;
    return {};
}

Done merge_map(Json& target, const json::object& patch, const std::string& path) {
    if (!target.is_object()) target.emplace_object();
    if (const auto* directive = patch.if_contains(patch_directive)) {
        const auto word = directive->is_string() ? std::string_view(directive->get_string()) : std::string_view();
        if (word != "replace" && word != "merge" && word != "delete")
            return malformed(path.empty() ? "$patch" : path, "$patch must be replace, merge or delete");
        if (word != "merge") target.emplace_object();
        if (word == "delete") return {};
    }
    auto& fields = target.get_object();
    if (auto done = obey_before(fields, patch, path); !done) return done;
    for (const auto& [key, value] : patch) {
        if (is_directive(key)) continue;
        if (auto done = merge_field(fields, key, value, path); !done) return done;
    }
    return obey_after(fields, patch, path);
}

}  // namespace

Result<void, Status> strategic_merge_patch(Json& target, const Json& patch) {
    if (!patch.is_object()) return malformed("", "a strategic merge patch is an object");
    Json merged = target;
    if (auto done = merge_map(merged, patch.get_object(), ""); !done) return done;
    target = std::move(merged);
    return {};
}

}  // namespace ocim::api
