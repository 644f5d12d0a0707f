#pragma once

#include "storage/container.hpp"

namespace ocim::storage::test {

inline crd::StorageContainer container(int n = 1) {
    crd::StorageContainer out;
    out.metadata.name = "site" + std::to_string(n);
    out.metadata.namespace_ = "campus";
    out.metadata.uid = "uid-" + std::to_string(n);
    out.spec.store_ref.name = "store";
    out.spec.container = "campus-site" + std::to_string(n);
    out.spec.deletion_policy = crd::StorageContainer::Spec::DeletionPolicy::delete_;
    return out;
}

inline Mark mark(int n = 1) { return {"lab", "campus/site" + std::to_string(n), "uid-" + std::to_string(n), false}; }

}  // namespace ocim::storage::test
