#include "api/typed_value.hpp"

#include <set>

namespace ocim::api {

namespace {

using Shape = TypeNode::Shape;

/// An object or list whose parts are owned one by one.
bool is_fields(const Json& value, const TypeNode& type) { return value.is_object() && type.shape() == Shape::map; }
bool is_items(const Json& value, const TypeNode& type) {
    return value.is_array() && (type.shape() == Shape::set || type.shape() == Shape::keyed);
}

bool is_hollow(const Json& value) {
    if (value.is_array()) return value.get_array().empty();
    return value.is_null() || (value.is_object() && value.get_object().empty());
}

/// A field that the type of today does not know any more is read without one.
const TypeNode& field_type(const TypeNode& type, std::string_view name) {
    const auto* found = type.field(name);
    return found ? *found : deduced_type();
}
const TypeNode& item_type(const TypeNode& type) {
    const auto* found = type.item();
    return found ? *found : deduced_type();
}

/// The step to a list item, or the name of the key that it leaves out.
struct Identity {
    Element step;
    std::string missing_key;
};
Identity identify(const Json& item, const TypeNode& list) {
    if (list.shape() == Shape::set) return {value_element(item), ""};
    std::map<std::string, Json> keys;
    for (const auto& key : list.keys()) {
        const auto* value = find(item, {key});
        if (!value || value->is_null()) value = list.key_default(key);
        if (!value) return {"", key};
        keys[key] = *value;
    }
    return {key_element(std::move(keys)), ""};
}

/// Items by their step, in order. An item without its key goes by its index; of two with one step both are kept.
struct Items {
    std::vector<Element> order;
    std::map<Element, std::vector<const Json*>, ElementOrder> by_step;

    Items(const Json* list, const TypeNode& type) {
        if (!list) return;
        std::size_t index = 0;
        for (const auto& item : list->get_array()) {
            auto identity = identify(item, type);
            auto step = identity.missing_key.empty() ? std::move(identity.step) : index_element(index);
            ++index;
            auto& found = by_step[step];
            if (found.empty()) order.push_back(std::move(step));
            found.push_back(&item);
        }
    }
    const std::vector<const Json*>* find(const Element& step) const {
        const auto found = by_step.find(step);
        return found == by_step.end() ? nullptr : &found->second;
    }
};

// --- misfits

void add_misfits(const Json& value, const TypeNode& type, const std::string& path, std::vector<std::string>& out);

void add_item_misfits(const Json& list, const TypeNode& type, const std::string& path, std::vector<std::string>& out) {
    std::set<Element> seen;
    std::size_t index = 0;
    for (const auto& item : list.get_array()) {
        const auto identity = identify(item, type);
        const auto here = path + ": element " + std::to_string(index++) + ": ";
        if (type.shape() == Shape::keyed && !item.is_object()) {
            out.push_back(here + "associative list with keys may not have non-map elements");
        } else if (type.shape() == Shape::set && (item.is_object() || item.is_array())) {
            out.push_back(here + "associative list without keys has an element that's a map or list type");
        } else if (!identity.missing_key.empty()) {
            out.push_back(here + "associative list with keys has an element that omits key field \"" +
                          identity.missing_key + "\" (and doesn't have default value)");
        } else if (!seen.insert(identity.step).second) {
            out.push_back(path + ": duplicate entries for key " + text_of(identity.step));
        } else {
            add_misfits(item, item_type(type), path + text_of(identity.step), out);
        }
    }
}

void add_misfits(const Json& value, const TypeNode& type, const std::string& path, std::vector<std::string>& out) {
    if (is_items(value, type)) return add_item_misfits(value, type, path, out);
    if (!value.is_object() || (type.shape() != Shape::map && type.shape() != Shape::atomic_map)) return;
    for (const auto& [key, item] : value.get_object()) {
        const std::string_view name(key);
        const auto* field = type.field(name);
        const auto here = path + "." + std::string(name);
        if (field)
            add_misfits(item, *field, here, out);
        else if (type.shape() == Shape::map)
            out.push_back(here + ": field not declared in schema");
    }
}

// --- places

void add_places(const Json& value, const TypeNode& type, FieldSet& out) {
    if (is_fields(value, type)) {
        for (const auto& [key, item] : value.get_object()) {
            auto& child = out.children[field_element(key)];
            add_places(item, field_type(type, key), child);
            // nothing below says that it is there, so it says so itself
            if (is_hollow(item) || !type.declares(key)) child.member = true;
        }
    } else if (is_items(value, type)) {
        const Items items(&value, type);
        for (const auto& step : items.order) {
            auto& child = out.children[step];
            for (const auto* item : *items.find(step)) add_places(*item, item_type(type), child);
            child.member = true;
        }
    } else {
        out.member = true;
    }
}

// --- compare

/// The branches of a comparison that lead to one place.
struct Marks {
    FieldSet &added, &removed, &modified;
    Marks below(const Element& step) const {
        return {added.children[step], removed.children[step], modified.children[step]};
    }
};

void compare(const Json* before, const Json* after, const TypeNode& type, const Marks& marks);

/// What compare() says of something new.
void add(const Json& after, const TypeNode& type, FieldSet& added) {
    added.member = true;
    if (is_fields(after, type)) {
        for (const auto& [key, value] : after.get_object())
            add(value, field_type(type, key), added.children[field_element(key)]);
    } else if (is_items(after, type)) {
        const Items items(&after, type);
        for (const auto& step : items.order)
            for (const auto* item : *items.find(step)) add(*item, item_type(type), added.children[step]);
    }
}

void compare_fields(const Json* before, const Json* after, const TypeNode& type, const Marks& marks) {
    if (before)
        for (const auto& [key, value] : before->get_object()) {
            const auto* other = after ? after->get_object().if_contains(key) : nullptr;
            if (other && value == *other) continue;
            compare(&value, other, field_type(type, key), marks.below(field_element(key)));
        }
    if (!after) return;
    for (const auto& [key, value] : after->get_object())
        if (!before || !before->get_object().contains(key))
            add(value, field_type(type, key), marks.added.children[field_element(key)]);
}

void compare_items(const Json* before, const Json* after, const TypeNode& type, const Marks& marks) {
    const Items old(before, type), now(after, type);
    for (const auto& step : old.order) {
        const auto& mine = *old.find(step);
        const auto* other = now.find(step);
        if (mine.size() == 1 && other && other->size() == 1 && *mine[0] == *(*other)[0]) continue;
        const auto here = marks.below(step);
        if (mine.size() == 1 && (!other || other->size() == 1)) {
            compare(mine[0], other ? (*other)[0] : nullptr, item_type(type), here);
            continue;
        }
        const auto same = [](const Json* a, const Json* b) { return *a == *b; };
        if (!other)
            here.removed.member = true;
        else if (!std::equal(mine.begin(), mine.end(), other->begin(), other->end(), same))
            here.modified.member = true;
    }
    for (const auto& step : now.order)
        if (!old.find(step))
            for (const auto* item : *now.find(step)) add(*item, item_type(type), marks.added.children[step]);
}

/// At least one of the two is there.
void compare(const Json* before, const Json* after, const TypeNode& type, const Marks& marks) {
    const auto fields = [&](const Json* value) { return value && is_fields(*value, type) ? value : nullptr; };
    const auto items = [&](const Json* value) { return value && is_items(*value, type) ? value : nullptr; };
    if (fields(before) || fields(after)) compare_fields(fields(before), fields(after), type, marks);
    if (items(before) || items(after)) compare_items(items(before), items(after), type, marks);
    if (!before) {
        marks.added.member = true;
    } else if (!after) {
        marks.removed.member = true;
    } else {
        const bool by_parts = (fields(before) && fields(after)) || (items(before) && items(after));
        if (!by_parts && *before != *after) marks.modified.member = true;
    }
}

// --- merge

Json merge_items(const Json& base, const Json& over, const TypeNode& type) {
    const Items old(&base, type), now(&over, type);
    json::array out;
    auto next = now.order.begin();
    const auto take = [&] {
        const auto* mine = old.find(*next);
        const auto& wanted = *now.find(*next)->front();
        out.push_back(mine ? merge(*mine->front(), wanted, item_type(type)) : wanted);
        return mine != nullptr;
    };
    for (const auto& step : old.order) {
        if (!now.find(step)) {
            for (const auto* item : *old.find(step)) out.push_back(*item);
            continue;
        }
        // where the base has an item of both, the next one of both comes, in the order of `over`
        bool shared = false;
        for (; next != now.order.end() && !shared; ++next) shared = take();
    }
    for (; next != now.order.end(); ++next) take();
    return out;
}

Json merge_fields(const Json& base, const Json& over, const TypeNode& type) {
    Json out = base;
    auto& fields = out.get_object();
    for (const auto& [key, value] : over.get_object()) {
        auto* mine = fields.if_contains(key);
        if (mine)
            *mine = merge(*mine, value, field_type(type, key));
        else
            fields[key] = value;
    }
    return out;
}

// --- without

Json without_items(const Json& value, const FieldSet& set, const TypeNode& type) {
    const Items items(&value, type);
    json::array out;
    for (const auto& step : items.order) {
        const auto* below = set.below(step);
        if (below && below->member) continue;
        for (const auto* item : *items.find(step))
            out.push_back(below ? without(*item, *below, item_type(type)) : *item);
    }
    return out;
}

}  // namespace

std::vector<std::string> misfits(const Json& value, const TypeNode& type) {
    std::vector<std::string> out;
    add_misfits(value, type, "", out);
    return out;
}

FieldSet places(const Json& value, const TypeNode& type) {
    FieldSet out;
    add_places(value, type, out);
    out.tidy();
    out.member = false;  // the object itself is nobody's
    return out;
}

Comparison compare(const Json& before, const Json& after, const TypeNode& type) {
    Comparison out;
    compare(&before, &after, type, Marks{out.added, out.removed, out.modified});
    out.added.tidy();
    out.removed.tidy();
    out.modified.tidy();
    return out;
}

Json merge(const Json& base, const Json& over, const TypeNode& type) {
    if (is_fields(base, type) && is_fields(over, type)) return merge_fields(base, over, type);
    if (is_items(base, type) && is_items(over, type)) return merge_items(base, over, type);
    return over;
}

Json without(const Json& value, const FieldSet& set, const TypeNode& type) {
    if (is_items(value, type)) return without_items(value, set, type);
    if (!is_fields(value, type)) return value;
    json::object out;
    for (const auto& [key, item] : value.get_object()) {
        const auto* below = set.below(field_element(key));
        if (below && below->member) continue;
        out[key] = below ? without(item, *below, field_type(type, key)) : item;
    }
    return out;
}

FieldSet with_declared(const FieldSet& set, const TypeNode& type) {
    FieldSet out;
    out.member = set.member;
    for (const auto& [step, child] : set.children) {
        const bool field = step[0] == 'f';
        const auto name = std::string_view(step).substr(2);
        auto below = with_declared(child, field ? field_type(type, name) : item_type(type));
        if (field && type.shape() == Shape::map && type.declares(name)) below.member = true;
        out.children.emplace(step, std::move(below));
    }
    return out;
}

FieldSet reconciled(const FieldSet& set, const TypeNode& type) {
    FieldSet out;
    out.member = set.member;
    const bool fields = type.shape() == Shape::map;
    const bool items = type.shape() == Shape::set || type.shape() == Shape::keyed;
    for (const auto& [step, child] : set.children) {
        const bool field = step[0] == 'f';
        if (field ? !fields : !items) {
            out.member = true;  // its parts are not owned one by one any more
            continue;
        }
        const auto name = std::string_view(step).substr(2);
        out.children.emplace(step, reconciled(child, field ? field_type(type, name) : item_type(type)));
    }
    return out;
}

}  // namespace ocim::api
