#pragma once

#include "database/tenant.hpp"

#include <optional>

/// What diff() and report() of a tenant both ask of a snapshot.
namespace ocim::database {

runtime::Mark mark_of(const crd::DatabaseTenant& object, const std::string& installation);
Key schema_key(const std::string& name);
Key user_key(const crd::DatabaseTenant::Spec::User& user);

/// What we may do with a thing of a wanted name.
enum class Standing {
    absent,   ///< to be made
    ours,     ///< ours, or to be taken over
    foreign,  ///< never touched
};
Standing standing(const crd::DatabaseTenant& object, const runtime::Mark& self, const Key& key, const Snapshot& seen);

/// Nothing when the Secret, the key or the text in it is not there.
std::optional<Secret> password_of(const crd::DatabaseTenant& object, const crd::DatabaseTenant::Spec::User& user,
                                  const runtime::Inputs& inputs);

}  // namespace ocim::database
