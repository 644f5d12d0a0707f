#pragma once

#include "database/tenant.hpp"

#include <optional>
#include <string>
#include <string_view>

/// How the password of a user is replaced, in steps of which each leaves a state in which nobody is refused who has
/// read the Secret. With <key> for the key that users read:
///
///     <key>.next      the new password: the server is to let it in beside <key>. Once it does,
///     <key>.previous  the former one: <key>.next has become <key>, and this is let in as long as the overlap lasts
///     <key>.rotated-at  when that was
///
/// All that is known about how far it has come is in the Secret, so that every step may follow a crash.
namespace ocim::database {

/// Says in an annotation of a tenant: passwords older than this time are replaced.
inline constexpr std::string_view rotate_at_annotation = "ocim.opencraft.com/rotate-at";

std::string next_key(const std::string& key);
std::string previous_key(const std::string& key);
std::string rotated_key(const std::string& key);

/// Whom the server is to let in.
struct Passwords {
    Secret current;
    std::optional<Secret> second;  ///< never where an account has one password only
};
/// Nothing when the Secret, the key or the text in it is not there.
std::optional<Passwords> passwords_of(const crd::DatabaseTenant& object, const crd::DatabaseTenant::Spec::User& user,
                                      const runtime::Inputs& inputs, Engine engine);

/// Whether exactly these are let in, in whatever order.
bool lets_in(const Thing& thing, const Passwords& passwords);

/// When the next step is due that nothing else would tell of.
std::optional<Duration> next_renewal(const crd::DatabaseTenant& object, const runtime::Inputs& inputs);

}  // namespace ocim::database
