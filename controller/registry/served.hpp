#pragma once

#include "registry/names.hpp"
#include "registry/registry.hpp"
#include "store/store.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ocim::registry {

/// The kinds that have rules of their own beyond a schema.
enum class Special { none, namespace_, secret, config_map, event_core, event_v1, definition, role, binding, quota };

/// A served version with what the verbs need to know of it. Immutable once it is served.
struct Served {
    Resource resource;
    Special special = Special::none;
    NameRule names = NameRule::subdomain;
    std::string prefix;          ///< of its keys in the store: "widgets.example.com/" style, with a slash at the end
    std::string stored_version;  ///< apiVersion of what is stored; another one is converted
    bool generation = false;     ///< counts metadata.generation
    bool unconditional = false;  ///< an update may leave out metadata.resourceVersion
    bool terminating = false;    ///< its CRD is being deleted: nothing new
    /// Objects last written before this revision may lack defaults of today's schema.
    Revision schema_since = 0;
    /// No longer served: watches of it end. Shared by all that were served under this name one after another.
    std::shared_ptr<bool> retired = std::make_shared<bool>(false);

    /// What of an older object's text differs under today's schema, by key; filled as they are read.
    struct Refreshed {
        Revision revision = 0;
        store::Bytes bytes;
    };
    mutable std::map<std::string, Refreshed> refreshed;

    std::string key(const std::string& namespace_, const std::string& name) const {
        return prefix + (resource.namespaced ? namespace_ + "/" : std::string()) + name;
    }
    bool converts() const { return special == Special::event_v1 || stored_version != resource.api_version(); }

    /// Between the shape that is stored and the one that this version shows. resourceVersion is kept.
    void to_stored(api::Json& object) const;
    void from_stored(api::Json& object) const;

    /// An item as it is, under the names in its key.
    StoredObject named(const std::string& key, const store::Item& item) const;
    /// A stored item in this version's shape, with today's defaults.
    StoredObject show(const std::string& key, const store::Item& item) const;
    api::Json show_json(const std::string& key, const store::Item& item, boost::json::storage_ptr space = {}) const;
};

using ServedPtr = std::shared_ptr<const Served>;  // shared with requests that began before it changed

/// "core/namespaces/": the prefix of a kind's keys.
std::string key_prefix(std::string_view group, std::string_view plural);

}  // namespace ocim::registry
