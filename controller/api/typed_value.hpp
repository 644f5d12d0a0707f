#pragma once

#include "api/apply.hpp"
#include "api/field_set.hpp"

#include <string>
#include <vector>

/// Walks over a value along its type: what server-side apply is made of.
namespace ocim::api {

/// What does not fit the type so that it cannot be merged: `.spec.bogus: field not declared in schema`, list items
/// without their key, or twice the same.
std::vector<std::string> misfits(const Json& value, const TypeNode& type);

/// Every place that a manager owns who applies `value`.
FieldSet places(const Json& value, const TypeNode& type);

struct Comparison {
    FieldSet added, removed, modified;
    bool empty() const { return added.empty() && removed.empty() && modified.empty(); }
};
Comparison compare(const Json& before, const Json& after, const TypeNode& type);

/// `base` with all that `over` says.
Json merge(const Json& base, const Json& over, const TypeNode& type);

/// `value` without the places of `set` and what is below them.
Json without(const Json& value, const FieldSet& set, const TypeNode& type);

/// `set` with the declared fields on the way to each of its places: owning spec.a.b counts as owning spec and spec.a,
/// unless those are keys of a map.
FieldSet with_declared(const FieldSet& set, const TypeNode& type);

/// `set` as the type of today has it: what is below a place that is atomic now becomes that place.
FieldSet reconciled(const FieldSet& set, const TypeNode& type);

}  // namespace ocim::api
