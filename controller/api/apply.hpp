#pragma once

#include "api/json.hpp"
#include "api/status.hpp"

#include <memory>
#include <string>
#include <vector>

/// Server-side apply: who owns which field, and merging by it. Pure.
namespace ocim::api {

/// How a place in an object merges. A schema compiles to a tree of these, whose root is the whole object with its
/// metadata; `field` returns null for a field that is not declared.
class TypeNode {
public:
    enum class Shape {
        scalar,
        map,         ///< object: each field is its own
        atomic_map,  ///< x-kubernetes-map-type: atomic
        list,        ///< atomic, the default
        set,
        keyed,  ///< x-kubernetes-list-type: map
    };
    virtual ~TypeNode() = default;
    virtual Shape shape() const = 0;
    /// The node of a field of a map (declared, additional, or free-form when unknown fields are kept).
    virtual const TypeNode* field(std::string_view name) const = 0;
    /// Whether `field` is a declared field of an object, not merely a key of a map or a field that is kept unknown.
    /// Keys are owned themselves, declared fields by what is in them.
    virtual bool declares(std::string_view name) const { return field(name) != nullptr; }
    /// The node of each item of a list.
    virtual const TypeNode* item() const = 0;
    /// x-kubernetes-list-map-keys.
    virtual const std::vector<std::string>& keys() const = 0;
    /// The default of a key field, for items that leave it out; null when it has none.
    virtual const Json* key_default(std::string_view key) const = 0;
};

/// A type without a schema below it: maps merge field by field, lists are atomic.
const TypeNode& deduced_type();

/// What one request is, for metadata.managedFields.
struct Manager {
    std::string name;
    bool apply = false;  ///< operation Apply, else Update
    std::string api_version{};
    std::string subresource{};
    std::string time{};  ///< RFC 3339, now
    /// The kind has one: then writes of the main resource neither set nor own the status.
    bool has_status_subresource = true;
};

/// Records in `updated`.metadata.managedFields what `manager` changed by a plain write (create, update, patch)
/// from `current` (null at creation). Entries that own nothing any more go; a write that changed nothing leaves
/// managedFields as they were. `[]` or `[{}]` sent by the client resets them.
/// Not owned: apiVersion, kind, metadata.{name,namespace,uid,resourceVersion,generation,creationTimestamp,
/// deletionTimestamp,selfLink,managedFields}; with the status sub-resource also `status` on the main resource
/// and all but status on it. `type` is that of the whole object, with metadata.
void track_update(const Json& current, Json& updated, const TypeNode& type, const Manager& manager);

/// Merges `applied` (a partial object) into `current` (null when it does not exist) for `manager`.
/// 409 with one cause a field (reason FieldManagerConflict) unless `force`. Fields that this manager applied
/// before and leaves out now go, unless another owns them. Returns `current` itself, byte for byte, when nothing
/// changes. 500 "field not declared in schema" for an unknown field.
Result<Json, Status> apply(const Json& current, const Json& applied, const TypeNode& type, const Manager& manager,
                           bool force);

}  // namespace ocim::api
