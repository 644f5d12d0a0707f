#pragma once

#include "apiserver/jwt.hpp"
#include "base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ocim::apiserver {

/// The keys that tokens are signed and checked with. The first one signs; the others check what they signed, until the
/// last of that has run out.
class TokenKeys {
public:
    /// One new key.
    static Result<TokenKeys> make();
    /// Private keys in PEM, each with a line "tokens-until: TIME" before it. Without that line nobody knows how long
    /// its tokens last. Error: invalid, never with the text.
    static Result<TokenKeys> parse(std::string_view text);
    Secret to_text() const;

    const TokenKey& first() const { return keys_.front().key; }
    std::size_t size() const { return keys_.size(); }
    /// The same keys in the same order.
    bool same_as(const TokenKeys& other) const;

    /// The claims, if one of the keys signed them. Of time and audience nothing is checked.
    Result<api::Json> verify(std::string_view token) const;
    api::json::array public_jwks() const;

    /// Whether tokens of the first key may last until then for all that is known.
    bool lasts_until(WallTime time) const { return !keys_.front().until || *keys_.front().until >= time; }
    /// The tokens of that key last until then, if not longer. False when there is no such key.
    bool note(const std::string& key, WallTime until);

    /// Puts a new key in front. Error: invalid when there are limits::token_keys_max.
    Result<void> renew();
    /// Forgets the old keys whose tokens have all run out; how many.
    std::size_t forget_ended(WallTime now);
    /// Forgets all but the first; how many.
    std::size_t forget_old();

private:
    struct One {
        TokenKey key;
        Secret pem;
        std::optional<WallTime> until;  ///< nothing: not known
    };
    TokenKeys() = default;
    std::vector<One> keys_;  ///< at least one
};

}  // namespace ocim::apiserver
