#pragma once

#include "api/status.hpp"
#include "crd/objectstores.hpp"
#include "crd/storagecontainers.hpp"
#include "storage/store.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::storage {

/// The kind StorageContainer, decided: a container of Swift or a bucket of S3.
struct Container {
    using Object = crd::StorageContainer;
    using Backend = crd::ObjectStore;
    using Key = storage::Key;
    using Thing = storage::Thing;
    using Action = storage::Action;
    static constexpr std::string_view name = "storagecontainer";

    static std::string backend_name(const Object& object) { return object.spec.store_ref.name; }
    static std::vector<runtime::Reference> needs(const Object&) { return {}; }
    static std::vector<runtime::Claim> claims(const Object& object);
    static std::vector<api::Cause> admit(const Object& object, const Object* old, const runtime::Inputs& inputs);

    static std::vector<Action> diff(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<Action> remove(const Object& object, const std::string& installation, const Snapshot& seen);
    static runtime::Report<Object> report(const Object& object, const runtime::Inputs& inputs, const Snapshot& seen);
    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen);
    /// Data-bearing: nothing is ever swept.
    static std::vector<Action> sweep(const Key&, const Snapshot&) { return {}; }

    static Key key(const Action& action) { return action.key; }
    static std::string describe(const Action& action);
    static std::string_view verb(const Action& action);

    // store_object.cpp
    static runtime::BackendSettings settings(const Backend& backend);
    static std::vector<runtime::Reference> backend_needs(const Backend& backend);
    static Result<std::unique_ptr<Store>> open(const Backend& backend, const runtime::Inputs& inputs,
                                               const runtime::Services& services);
};

}  // namespace ocim::storage
