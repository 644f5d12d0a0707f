#pragma once

#include "apiserver/authenticator.hpp"
#include "base/async.hpp"

#include <functional>
#include <string>

/// Client certificates that were taken back: `directory`/pki/revoked.
namespace ocim::cli {

/// None when there is no such file. Error: invalid, when it cannot be read as one: whom it names would be let in.
Result<apiserver::Revoked> read_revoked(const std::string& directory);

/// Takes back every certificate that the user has now. Errors: conflict when somebody else does the same, invalid.
Result<void> revoke(const std::string& directory, const std::string& user, WallTime now);

/// The first instant that a new certificate of that user may be valid from, so that it is not one of those taken back.
WallTime issue_from(const apiserver::Revoked& revoked, const std::string& user);

/// Calls `use` whenever the file has changed. One that cannot be read is logged, and the last one holds. Until
/// cancelled.
awaitable<void> follow_revoked(Clock& clock, std::string directory, std::function<void(apiserver::Revoked)> use);

}  // namespace ocim::cli
