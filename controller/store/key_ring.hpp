#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ocim::store {

/// The keys that values are sealed with at rest (AES-256-GCM): the first one seals, every one opens.
class KeyRing {
public:
    struct Key {
        std::string id;
        Secret bytes;  ///< 32 of them
    };

    /// One new key. Error: transient, when the machine has no randomness.
    static Result<KeyRing> make();
    /// Reads the text of a key file. With a passphrase the keys in it are sealed themselves, under a key derived from
    /// it by scrypt. Errors: invalid, with the line, never with its content.
    static Result<KeyRing> parse(std::string_view text, const Secret& passphrase);
    /// The text of a key file.
    Result<Secret> to_text(const Secret& passphrase) const;

    /// Puts a new key in front.
    Result<void> renew();
    /// Puts those of another one behind that are not here.
    void keep(const KeyRing& other);
    /// Forgets all but the first one.
    void forget_old() { keys_.resize(1); }

    const Key& first() const { return keys_.front(); }
    const Key* find(std::string_view id) const;
    std::size_t size() const { return keys_.size(); }
    /// "a, b and c": for people.
    std::string ids() const;

    /// `value` sealed under the first key. `name` is what it is the value of; it opens under no other name.
    Result<std::string> seal(std::string_view name, std::string_view value) const;
    /// The value again. One that was never sealed is returned as it is. Errors: invalid, naming the key that is
    /// missing, or the one that does not fit.
    Result<std::string> open(std::string_view name, std::string_view stored) const;
    /// Whether it is sealed, and under the first key.
    bool is_current(std::string_view stored) const;

private:
    KeyRing() = default;
    std::vector<Key> keys_;
};

/// Whether a stored text is a sealed one.
bool is_sealed(std::string_view stored);

}  // namespace ocim::store
