#pragma once

#include "database/tenant.hpp"

#include <optional>
#include <string>

/// Which passwords a tenant's users have, and when these are replaced: see runtime/rotation.hpp.
namespace ocim::database {

/// Whom the server is to let in.
struct Passwords {
    Secret current;
    std::optional<Secret> second;  ///< never where an account has one password only
    std::string second_key{};      ///< where that is
};
/// Nothing when the Secret, the key or the text in it is not there.
std::optional<Passwords> passwords_of(const crd::DatabaseTenant& object, const crd::DatabaseTenant::Spec::User& user,
                                      const runtime::Inputs& inputs, Engine engine);

/// Whether exactly these are let in, in whatever order.
bool lets_in(const Thing& thing, const Passwords& passwords);

/// When the next step is due that nothing else would tell of.
std::optional<Duration> next_renewal(const crd::DatabaseTenant& object, const runtime::Inputs& inputs, Engine engine);

}  // namespace ocim::database
