#pragma once

#include "apiserver/service_account_tokens.hpp"
#include "base/async.hpp"

#include <string>

/// The keys that tokens of ServiceAccounts are signed with: `directory`/pki/service-account.key, which a running server
/// follows.
namespace ocim::cli {

/// Made at the first start. Errors: invalid.
Result<apiserver::TokenKeys> open_token_keys(const std::string& directory);

/// Writes down that tokens of this key last until then. Errors: conflict when the file is being changed, or has the key
/// no more.
Result<void> keep_token_key(const std::string& directory, const std::string& key, WallTime until);

/// What becomes of tokens that were signed before.
enum class OldTokens { last, end };
/// Puts a new key in front; its name. Old keys whose tokens have run out go. Errors: invalid, conflict.
Result<std::string> rotate_token_key(const std::string& directory, OldTokens old, WallTime now);

/// Takes up keys within a second when the file has others, and forgets old ones in time. Until cancelled.
awaitable<void> follow_token_keys(Clock& clock, std::string directory, apiserver::ServiceAccountTokens& tokens);

}  // namespace ocim::cli
