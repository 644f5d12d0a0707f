#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ocim {

/// Where all chance comes from, so that a simulation's seed decides it.
class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;

    void fill(std::span<std::byte> bytes);
    /// Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound);
    /// A version 4 UUID in its text form.
    std::string uuid();
    /// `length` characters of `alphabet`.
    std::string text(std::size_t length, std::string_view alphabet);
};

/// The kernel's generator: fit for keys and passwords.
std::unique_ptr<Random> make_system_random();
/// The same numbers for the same seed, on every machine. Never for secrets outside a test.
std::unique_ptr<Random> make_seeded_random(std::uint64_t seed);

inline constexpr std::string_view alphanumerics = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
inline constexpr std::string_view lower_letters = "abcdefghijklmnopqrstuvwxyz";

}  // namespace ocim
