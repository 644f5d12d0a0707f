#pragma once

#include "api/json.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::api {

/// A step of a path in its form on the wire: `f:name` (a field), `k:{"name":"p"}` (the list item with that key),
/// `v:"t"` (that value of a set), `i:3` (an index). One text a step: keys are sorted, numbers as to_text prints.
using Element = std::string;

Element field_element(std::string_view name);
Element value_element(const Json& value);
Element key_element(std::map<std::string, Json> keys);
Element index_element(std::size_t index);

/// Fields before keys before values before indexes, each by their text.
struct ElementOrder {
    bool operator()(const Element& left, const Element& right) const;
};

/// A set of places in an object: metadata.managedFields[].fieldsV1. A tree whose node is either in the set itself,
/// or holds something that is, or both.
struct FieldSet {
    bool member = false;  ///< this very place is in the set
    std::map<Element, FieldSet, ElementOrder> children{};

    /// Null when it is no FieldsV1.
    static std::optional<FieldSet> from_json(const Json& fields);
    Json to_json() const;

    bool empty() const { return !member && children.empty(); }
    bool operator==(const FieldSet&) const = default;
    /// The part below a step, or null.
    const FieldSet* below(const Element& step) const;
    /// Puts the place of that path in.
    void insert(const std::vector<Element>& path);
    /// Takes branches away that hold nothing. The functions below leave none behind.
    void tidy();

    /// Calls with every path of the set as people read it: `.spec.ports[name="p"].port`.
    void each(const std::function<void(const std::string& path)>& call, const std::string& prefix = "") const;
};

FieldSet unite(FieldSet left, const FieldSet& right);
FieldSet intersect(const FieldSet& left, const FieldSet& right);
/// Without the places that are in `right`; what is below those stays.
FieldSet subtract(FieldSet left, const FieldSet& right);
/// Without the places that are in `right` and all that is below them.
FieldSet subtract_whole(FieldSet left, const FieldSet& right);

/// `.name`, `[name="p"]`, `[="t"]`, `[3]`.
std::string text_of(const Element& step);

}  // namespace ocim::api
